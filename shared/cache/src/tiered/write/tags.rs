//! What a PUT finds out about its tags beside the sync that it begins with, so that it need not wait for their index rows.
//!
//! Where the value that stands has the same tags, its index rows stay: own L1 says so, or the copy in L2, which is asked
//! with the sync. Else index rows are to be written, beside the sync where that is likely. It is where own L1 has the key
//! with other tags; and where it has nothing, if it was so the last time: who puts one new entry puts more of them.

use crate::tiered::{view::View, write::commit::Begun};
use crate::{
    dynamo::{Ahead, L3Error, fits_row, rows_until},
    key::Key,
    level::{Level, Levels},
    memory::CachedEntry,
    put::{Condition, Put},
    redis::{Command, with_tags},
    source_of_truth::SourceOfTruth,
    version::Version,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// What a PUT does about its tags beside its sync.
#[derive(Default)]
pub(crate) struct BesideSync<'a> {
    /// Asks L2 what stands there.
    asks: bool,
    /// What own L1 has of the key.
    held: Option<Arc<CachedEntry>>,
    /// It has nothing, so that it is a guess.
    guessed: bool,
    /// Writes index rows.
    pub(crate) ahead: Option<Ahead<'a>>,
}

impl BesideSync<'_> {
    /// Returns whether index rows stand that may be used.
    pub(crate) async fn write(&self) -> Result<bool, L3Error> {
        match &self.ahead {
            Some(ahead) => Box::pin(ahead.write()).await.map(|()| true),
            None => Ok(false),
        }
    }
}

impl View<'_> {
    /// What is to be done beside the sync of a PUT, and what is asked with it. `synced`: it has no sync of its own.
    pub(crate) fn beside_sync<'a>(
        &'a self,
        key: &'a Key,
        put: &'a Put,
        named: Levels,
        synced: bool,
    ) -> (BesideSync<'a>, Option<Command>) {
        if put.tags.is_empty() || !named.has(Level::L3) || self.source_of_truth() != SourceOfTruth::L3 {
            return (BesideSync::default(), None);
        }
        let now_ms = self.clock.now_ms();
        let held = self.memory.get(key, now_ms);
        if synced || put.condition != Condition::Always || self.allow(put).is_err() {
            return (BesideSync { held, ..BesideSync::default() }, None);
        }
        // Also where own L1 has it: the sync may tell that somebody has replaced that.
        let asks = self.uses(Level::L2) && named.has(Level::L2);
        let guessed = held.is_none();
        let writes = match &held {
            Some(copy) => !has_tags(copy, put),
            None => !asks || self.meets_new_tags.load(Relaxed),
        };
        let writes = writes && fits_row(put.value.text().len());
        let name = writes.then(|| self.name_before_sync()).flatten();
        let latest_ms = now_ms.saturating_add(i64::from(put.ttl_seconds) * 1000);
        let until = rows_until(now_ms, latest_ms, put.grace_seconds);
        let ahead = name.map(|name| self.store.ahead(key.as_str(), &put.tags, name, until));
        let question = asks.then(|| self.setup.copies.tags(key.as_str(), &put.tags));
        (BesideSync { asks, held, guessed, ahead }, question)
    }

    /// A version that has the same tags as the PUT, if one is known after the sync.
    pub(crate) fn same_tags(&self, put: &Put, beside: &BesideSync<'_>, begun: &mut Begun) -> Option<Version> {
        let reply = if beside.asks { begun.answers.pop() } else { None };
        let held = beside.held.as_ref().filter(|copy| begun.held && has_tags(copy, put));
        let found = reply.and_then(|reply| with_tags(reply, &put.tags));
        let found = found.or(held.map(|copy| (copy.entry.version, copy.entry.levels)));
        // What L2 alone has is kept otherwise in L3.
        let same = found.filter(|(version, levels)| levels.has(Level::L3) && *version < begun.version);
        if beside.guessed && begun.redis {
            self.meets_new_tags.store(same.is_none(), Relaxed);
        }
        same.map(|(version, _)| version)
    }
}

fn has_tags(copy: &Arc<CachedEntry>, put: &Put) -> bool {
    copy.entry.tags[..] == put.tags[..]
}
