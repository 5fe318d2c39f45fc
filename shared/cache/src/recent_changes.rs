//! The window of recent changes: the journal records that a container keeps, to find out whether anything has happened to the
//! key of a copy since the copy was certified.
//!
//! All records of a key are kept, not only the newest: a newer PUT would hide an older DELETE from a copy that lies
//! between the two. Every container keeps those of the whole fleet, so a key is kept as its hash and each record is
//! chained to the previous one of its key. If two keys have the same hash, records of either cover copies of both: such a copy
//! is fetched again, and never trusted for too long.

use crate::{
    invalidation_index::InvalidationIndex,
    key::{Key, KeyHashing},
    level::Level,
    selector::Invalidation,
    version::{Position, Version},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// The records of a stretch of the journal without a gap.
#[derive(Debug, Default)]
pub(crate) struct RecentChanges {
    /// The puts and deletes, the oldest first. They are numbered from 1, those that are forgotten included.
    changes: VecDeque<Changed>,
    /// How many changes are forgotten, all of them older than the first that is kept.
    forgotten: usize,
    /// The number of the newest change of each key, by the key's hash.
    newest: HashMap<u64, usize, KeyHashing>,
    invalidations: InvalidationIndex,
}

/// A put or delete.
#[derive(Debug)]
struct Changed {
    at: Position,
    version: Version,
    key_hash: u64,
    /// The number of the change of the key before; 0 if none was known.
    before: usize,
}

impl RecentChanges {
    /// Takes in a put or delete.
    pub(crate) fn add_change(&mut self, at: Position, key: &Key, version: Version) {
        let key_hash = key.seeded_hash();
        let number = self.forgotten + self.changes.len() + 1;
        let before = self.newest.insert(key_hash, number).unwrap_or(0);
        self.changes.push_back(Changed { at, version, key_hash, before });
    }

    /// Takes in an invalidation. Returns where the newest of those stands that had to be forgotten for it.
    pub(crate) fn add_invalidation(&mut self, invalidation: &Invalidation) -> Option<Position> {
        self.invalidations.add(invalidation)
    }

    /// The change of that number, unless it is forgotten.
    fn change(&self, number: usize) -> Option<&Changed> {
        self.changes.get(number.checked_sub(self.forgotten + 1)?)
    }

    /// Whether an invalidation covers a copy in `level`.
    pub(crate) fn invalidates(&self, level: Level, key: &Key, tags: &[Arc<str>], as_of: Position) -> bool {
        self.invalidations.cover(level, key.as_str(), tags, as_of)
    }

    /// Whether a put or delete covers a copy of `key`: one that was recorded after the as-of position, but for the
    /// copy's own.
    ///
    /// Not by version: with L2 as the source of truth a copy may have been evicted, and a smaller version have taken
    /// its place.
    pub(crate) fn covers(&self, key: &Key, version: Version, as_of: Position) -> bool {
        let mut number = self.newest.get(&key.seeded_hash()).copied().unwrap_or(0);
        while let Some(change) = self.change(number)
            && change.at > as_of
        {
            if covers((change.at, change.version), version, as_of) {
                return true;
            }
            number = change.before;
        }
        false
    }

    /// Where a version of a key was recorded, if that is kept.
    pub(crate) fn position_of(&self, key: &Key, version: Version) -> Option<Position> {
        let mut number = self.newest.get(&key.seeded_hash()).copied().unwrap_or(0);
        while let Some(change) = self.change(number) {
            if change.version == version {
                return Some(change.at);
            }
            number = change.before;
        }
        None
    }

    /// Forgets every put and delete.
    pub(crate) fn forget_changes(&mut self) {
        self.forgotten += self.changes.len();
        self.changes.clear();
        self.newest.clear();
    }

    /// Forgets the puts and deletes before `ms` of Redis time, and the invalidations that are not after `walked` either;
    /// returns the newest positions forgotten, of a change and of an invalidation.
    pub(crate) fn prune(&mut self, ms: u64, walked: Position) -> (Option<Position>, Option<Position>) {
        let mut pruned = None;
        while let Some(change) = self.changes.pop_front_if(|change| change.at.ms < ms) {
            self.forgotten += 1;
            if self.newest.get(&change.key_hash) == Some(&self.forgotten) {
                self.newest.remove(&change.key_hash);
            }
            pruned = Some(change.at);
        }
        let before = Position { ms: ms.saturating_sub(1), seq: u64::MAX };
        (pruned, self.invalidations.forget(before.min(walked)))
    }
}

/// Whether a change of a key covers a copy of it.
pub(crate) fn covers((at, changed): (Position, Version), copy: Version, as_of: Position) -> bool {
    at > as_of && changed != copy
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

    fn add(recent_changes: &mut RecentChanges, ms: u64, key: &str, version: u64) {
        recent_changes.add_change(at(ms), &key_of(key), Version(version));
    }

    #[test]
    fn a_newer_put_does_not_hide_an_older_delete() {
        let mut recent_changes = RecentChanges::default();
        add(&mut recent_changes, 10, "k", 1);
        add(&mut recent_changes, 20, "k", 2);
        assert!(recent_changes.covers(&key_of("k"), Version(2), at(5)));
        assert!(!recent_changes.covers(&key_of("k"), Version(2), at(10)), "its own put does not cover a copy");
        assert!(!recent_changes.covers(&key_of("other"), Version(2), at(5)));
        let position_of = |key, version| recent_changes.position_of(&key_of(key), Version(version));
        assert_eq!((position_of("k", 1), position_of("k", 2)), (Some(at(10)), Some(at(20))));
        assert_eq!((position_of("k", 3), position_of("other", 2)), (None, None));
    }

    #[test]
    fn prune_forgets_the_oldest_and_says_how_far() {
        let mut recent_changes = RecentChanges::default();
        for ms in [10, 20, 30] {
            add(&mut recent_changes, ms, "k", ms);
        }
        assert_eq!(recent_changes.prune(25, Position::ZERO), (Some(at(20)), None));
        assert!(!recent_changes.covers(&key_of("k"), Version(30), at(5)));
        assert!(recent_changes.covers(&key_of("k"), Version(1), at(20)));
        assert_eq!(recent_changes.prune(25, Position::ZERO), (None, None));
        assert_eq!(recent_changes.prune(31, Position::ZERO), (Some(at(30)), None));
        assert!(recent_changes.changes.is_empty() && recent_changes.newest.is_empty());
    }

    #[test]
    fn a_key_is_known_as_long_as_its_newest_record() {
        let mut recent_changes = RecentChanges::default();
        for (ms, key) in [(10, "a"), (20, "b"), (30, "a"), (40, "b")] {
            add(&mut recent_changes, ms, key, ms);
        }
        recent_changes.prune(25, Position::ZERO);
        assert!(recent_changes.covers(&key_of("a"), Version(1), at(5)));
        assert!(!recent_changes.covers(&key_of("a"), Version(30), at(5)), "the older one is forgotten");
        recent_changes.prune(35, Position::ZERO);
        assert!(!recent_changes.covers(&key_of("a"), Version(1), at(5)));
        add(&mut recent_changes, 50, "a", 50);
        assert!(recent_changes.covers(&key_of("a"), Version(1), at(5)), "numbers go on after some were forgotten");
        assert!(recent_changes.covers(&key_of("b"), Version(1), at(5)));
    }
}
