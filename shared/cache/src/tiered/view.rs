//! One operation's view of the cache: the configuration it began with.
//!
//! The configuration may change while operations are in progress. Each takes it once and keeps it to its end, so that a
//! mutation never begins with one source of truth and ends with another. An operation that learns of another configuration
//! before it has done anything (every mutation begins with a sync, and so does every read that is due) starts over.

use super::{TieredCache, setup::Setup};
use crate::{
    coherence::SETTLE,
    level::Level,
    outcome::{CacheError, Path, Read, Step},
    redis::{Down, Reply},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::{
    ops::Deref,
    sync::{Arc, atomic::Ordering::Release},
    thread,
};

/// The cache as one operation sees it.
pub(super) struct View<'a> {
    cache: &'a TieredCache,
    pub(super) setup: Arc<Setup>,
}

/// Why an operation does not come to an end.
#[derive(Debug)]
pub(super) enum Stop {
    /// Another configuration is in force: begin anew with that.
    Superseded,
    Failed(CacheError),
}

/// What an operation knows before it does anything.
#[derive(Debug)]
pub(super) struct CaughtUp {
    /// Whether the journal was read; for a mutation, whether it may be told as well.
    pub(super) synced: Result<(), Down>,
    /// Whether the configuration is known to be in force.
    pub(super) followed: bool,
    /// The replies to what was asked with the sync; none where that failed.
    pub(super) answers: Vec<Reply>,
}

impl From<CacheError> for Stop {
    fn from(error: CacheError) -> Stop {
        Stop::Failed(error)
    }
}

impl Deref for View<'_> {
    type Target = TieredCache;

    fn deref(&self) -> &TieredCache {
        self.cache
    }
}

impl Drop for View<'_> {
    /// Every operation has a view, and ends with it, if by a panic.
    fn drop(&mut self) {
        if thread::panicking() {
            self.cache.panicked.store(true, Release);
        }
    }
}

impl TieredCache {
    /// The cache under the configuration in force now.
    pub(super) fn view(&self) -> View<'_> {
        View { cache: self, setup: self.setup() }
    }

    /// Whether operations of the configuration before a switch may still go on.
    pub(super) fn is_settling(&self) -> bool {
        let document = &self.setup().document;
        let settle_ms = i64::try_from(SETTLE.as_millis()).expect("a constant of seconds");
        document.switched > 0 && self.clock.now_ms() < document.switched_at_ms.saturating_add(settle_ms)
    }
}

impl View<'_> {
    pub(super) fn source_of_truth(&self) -> SourceOfTruth {
        self.setup.source_of_truth
    }

    pub(super) fn uses(&self, level: Level) -> bool {
        self.setup.config.enabled().has(level)
    }

    /// Fails when another configuration has come into force since this view was taken.
    pub(super) fn in_force(&self) -> Result<(), Stop> {
        if Arc::ptr_eq(&self.setup, &self.cache.setup()) { Ok(()) } else { Err(Stop::Superseded) }
    }

    /// Whether a mutation that the journal is not told of leaves a note: others may go by the journal.
    pub(super) fn must_leave_note(&self, followed: bool) -> bool {
        self.uses(Level::L2) || !followed || self.is_settling()
    }

    /// A path on which nothing has been asked yet.
    pub(super) fn path(&self) -> Path {
        let step = |level| if self.uses(level) { Step::Unasked } else { Step::Disabled };
        Path { l1: step(Level::L1), l2: step(Level::L2), l3: step(Level::L3) }
    }

    /// V in milliseconds.
    pub(super) fn revalidate_ms(&self) -> i64 {
        i64::try_from(self.setup.config.l2_config.revalidate_seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
    }

    /// Δ of a read, in milliseconds.
    pub(super) fn window_ms(&self, read: Read) -> u64 {
        let window_ms = self.setup.config.l1_config.coherence_window_ms;
        match read.max_age_seconds {
            _ if read.no_cache => 0,
            Some(seconds) => window_ms.min(u64::from(seconds) * 1000),
            None => window_ms,
        }
    }

    /// Whether a read at steady time `now_ms` with that Δ must sync, and where copies in L1 must be known to be good.
    pub(super) fn outlook(&self, now_ms: i64, window_ms: u64) -> (bool, Position) {
        let knowledge = self.knowledge();
        (knowledge.is_due(i64::MIN, now_ms, window_ms), knowledge.settled())
    }

    pub(super) fn is_due(&self, known_ms: i64, now_ms: i64, window_ms: u64) -> bool {
        self.knowledge().is_due(known_ms, now_ms, window_ms)
    }
}

/// How an operation ended; `None` when it is to begin anew.
pub(super) fn ended<T>(operation: Result<T, Stop>) -> Option<Result<T, CacheError>> {
    match operation {
        Ok(done) => Some(Ok(done)),
        Err(Stop::Failed(error)) => Some(Err(error)),
        Err(Stop::Superseded) => None,
    }
}
