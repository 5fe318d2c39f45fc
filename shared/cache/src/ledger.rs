//! The records a container knows, kept so that a copy can be asked: has anything happened to your key since you
//! were certified?
//!
//! All records of a key are kept, not only the newest: a newer PUT would hide an older DELETE from a copy that lies
//! between the two.

use crate::{
    key::Key,
    level::Level,
    record::{Event, Record},
    selector::Invalidation,
    version::{Position, Version},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// The records of a stretch of the journal without a gap.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    by_key: HashMap<Key, VecDeque<(Position, Version)>>,
    order: VecDeque<(Position, Key)>,
    invalidations: VecDeque<Arc<Invalidation>>,
}

impl Ledger {
    pub(crate) fn add(&mut self, record: &Record) {
        match &record.event {
            Event::Changed { key, version } => {
                self.by_key.entry(key.clone()).or_default().push_back((record.at, *version));
                self.order.push_back((record.at, key.clone()));
            }
            Event::Invalidated(invalidation) => self.invalidations.push_back(Arc::clone(invalidation)),
            Event::Closed | Event::Configured | Event::Warmed(_) | Event::Epoch | Event::Unknown => {}
        }
    }

    /// Whether an invalidation covers a copy in `level`.
    pub(crate) fn sweeps(&self, level: Level, key: &Key, tags: &[Arc<str>], stamp: Position) -> bool {
        // The newest come last, and only what is newer than the stamp matters.
        let newer = self.invalidations.iter().rev().take_while(|invalidation| invalidation.at > stamp);
        newer.into_iter().any(|invalidation| invalidation.covers(level, key.as_str(), tags, stamp))
    }

    /// Whether a put or delete covers a copy of `key`: one that was recorded after the stamp, but for the copy's own.
    ///
    /// Not by version: with L2 as the register a copy may have been evicted, and a smaller version have taken its place.
    pub(crate) fn covers(&self, key: &Key, version: Version, stamp: Position) -> bool {
        let Some(changes) = self.by_key.get(key) else { return false };
        changes.iter().any(|&(at, changed)| covers((at, changed), version, stamp))
    }

    /// Forgets the records before `ms` of Redis time; returns the newest position forgotten.
    pub(crate) fn prune(&mut self, ms: u64) -> Option<Position> {
        let mut pruned = None;
        while let Some((at, _)) = self.order.front()
            && at.ms < ms
        {
            let (at, key) = self.order.pop_front().expect("there is a front");
            if let Some(changes) = self.by_key.get_mut(&key) {
                changes.pop_front();
                if changes.is_empty() {
                    self.by_key.remove(&key);
                }
            }
            pruned = Some(at);
        }
        while let Some(invalidation) = self.invalidations.front()
            && invalidation.at.ms < ms
        {
            pruned = pruned.max(Some(invalidation.at));
            self.invalidations.pop_front();
        }
        pruned
    }
}

/// Whether a change of a key covers a copy of it.
pub(crate) fn covers((at, changed): (Position, Version), copy: Version, stamp: Position) -> bool {
    at > stamp && changed != copy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Position {
        Position { ms, seq: 0 }
    }

    fn key_of(text: &str) -> Key {
        Key::new(text).expect("a test's key is valid")
    }

    fn changed(ms: u64, key: &str, version: u64) -> Record {
        Record { at: at(ms), event: Event::Changed { key: key_of(key), version: Version(version) } }
    }

    #[test]
    fn a_newer_put_does_not_hide_an_older_delete() {
        let mut ledger = Ledger::default();
        ledger.add(&changed(10, "k", 1));
        ledger.add(&changed(20, "k", 2));
        assert!(ledger.covers(&key_of("k"), Version(2), at(5)));
        assert!(!ledger.covers(&key_of("k"), Version(2), at(10)), "its own put does not cover a copy");
        assert!(!ledger.covers(&key_of("other"), Version(2), at(5)));
    }

    #[test]
    fn prune_forgets_the_oldest_and_says_how_far() {
        let mut ledger = Ledger::default();
        for ms in [10, 20, 30] {
            ledger.add(&changed(ms, "k", ms));
        }
        assert_eq!(ledger.prune(25), Some(at(20)));
        assert!(!ledger.covers(&key_of("k"), Version(30), at(5)));
        assert!(ledger.covers(&key_of("k"), Version(1), at(20)));
        assert_eq!(ledger.prune(25), None);
        assert_eq!(ledger.prune(31), Some(at(30)));
        assert!(ledger.by_key.is_empty());
    }
}
