//! Writes into L2 whose outcome is unknown: each is undone, with a sync, once it can no longer arrive.

use crate::tiered::view::View;
use crate::{
    clock::elapsed_ms,
    coherence::AsOf,
    key::Key,
    lock::{Held, whole},
    redis::Command,
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::sync::Arc;

/// Most writes whose end is not known that are remembered: those of a wave of a warm job.
const MOST_UNFINISHED: usize = 1000;
/// Most writes that one sync undoes: a request waits for it.
const MOST_UNDONE: usize = 100;

/// A write into L2.
pub(crate) struct CopyWrite<'a> {
    pub key: &'a Key,
    pub tags: &'a [Arc<str>],
    pub version: Version,
    /// Bytes of its envelope.
    pub bytes: usize,
}

/// A write into L2 whose end is not known.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// When it was given up, in steady ms, and how long after that it may still arrive.
    pub(crate) since_ms: i64,
    pub(crate) grace_ms: i64,
    pub(crate) key: Key,
    pub(crate) version: Version,
    pub(crate) as_of: Position,
}

impl View<'_> {
    /// Whether there are writes whose end is not known.
    pub(crate) fn has_unfinished(&self) -> bool {
        !self.unfinished().is_empty()
    }

    /// Each is put in and taken out in one step.
    pub(crate) fn unfinished(&self) -> Held<'_, Vec<Unfinished>> {
        self.unfinished.enter(whole)
    }

    /// Remembers a write whose end is not known: it may arrive while its [`Operation`] lives, and is undone after.
    pub(crate) fn schedule_compensation(&self, written: &CopyWrite<'_>, as_of: AsOf) {
        if self.source_of_truth() == SourceOfTruth::L2 {
            return;
        }
        let (since_ms, grace_ms) = (self.clock.steady_ms(), self.link_grace_ms());
        let mut unfinished = self.unfinished();
        if unfinished.len() < MOST_UNFINISHED {
            unfinished.push(Unfinished {
                since_ms,
                grace_ms,
                key: written.key.clone(),
                version: written.version,
                as_of: as_of.position,
            });
        }
    }

    /// The commands that undo writes which can arrive no more, the first of them.
    pub(crate) fn undo_unfinished(&self) -> Vec<(Command, Unfinished)> {
        let operation = self.operation(self.as_of());
        let now_ms = self.clock.steady_ms();
        let mut unfinished = self.unfinished();
        let mut room = MOST_UNDONE;
        let due = unfinished.extract_if(.., |write| {
            let is_due = elapsed_ms(write.since_ms, now_ms) >= write.grace_ms.unsigned_abs() && room > 0;
            room -= usize::from(is_due);
            is_due
        });
        let due: Vec<Unfinished> = due.collect();
        drop(unfinished);
        let undo =
            |write: &Unfinished| self.setup.copies.undo(operation, write.key.as_str(), write.version, write.as_of);
        due.into_iter().map(|write| (undo(&write), write)).collect()
    }
}
