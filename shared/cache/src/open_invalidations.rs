//! Invalidations that are in effect and have not removed all of their matches yet.
//!
//! Their matches count as removed already. One that cannot be read, because a later release began it, may cover anything:
//! then nothing is answered from a level that it could concern.

use crate::{
    key::Key,
    level::Level,
    selector::{Invalidation, WrittenInvalidation},
    version::{Position, Version},
};
use std::sync::Arc;

/// The open invalidations that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OpenInvalidations {
    known: Vec<Arc<Invalidation>>,
    /// What Redis calls the set of those that are open there; empty for the empty one.
    set: String,
    /// There are some that this release cannot read.
    unreadable: bool,
}

impl OpenInvalidations {
    /// Reads open invalidations by the position of their record and their text.
    pub(crate) fn read<'a>(written: impl Iterator<Item = (Option<Position>, &'a str)>) -> OpenInvalidations {
        let mut open_invalidations = OpenInvalidations::default();
        for (at, text) in written {
            match at.and_then(|at| WrittenInvalidation::read(at, text)) {
                Some(invalidation) => open_invalidations.known.push(Arc::new(invalidation)),
                None => open_invalidations.unreadable = true,
            }
        }
        open_invalidations
    }

    /// The same as those that Redis calls `set`.
    pub(crate) fn named(self, set: String) -> OpenInvalidations {
        OpenInvalidations { set, ..self }
    }

    /// What Redis calls the set of them.
    pub(crate) fn set(&self) -> &str {
        &self.set
    }

    /// Those recorded before that time of Redis, in ms.
    pub(crate) fn before(&self, ms: u64) -> Vec<Arc<Invalidation>> {
        self.known.iter().filter(|invalidation| invalidation.at.ms < ms).cloned().collect()
    }

    /// Where the records stand of those of which nothing is left once `done` has removed what it means.
    pub(crate) fn passed_by(&self, done: &Invalidation) -> Vec<Position> {
        self.known.iter().filter(|open| open.is_passed_by(done)).map(|open| open.at).collect()
    }

    /// Whether there is one of that version, or an older one.
    pub(crate) fn any_up_to(&self, version: Version) -> bool {
        self.known.iter().any(|invalidation| invalidation.version <= version)
    }

    /// Whether there is one that cannot be read.
    pub(crate) fn any_unreadable(&self) -> bool {
        self.unreadable
    }

    /// The position of the one with that version.
    pub(crate) fn position_of(&self, version: Version) -> Option<Position> {
        self.known.iter().find(|invalidation| invalidation.version == version).map(|invalidation| invalidation.at)
    }

    /// Whether one means any entry by its tags.
    pub(crate) fn any_by_tag(&self) -> bool {
        self.known.iter().any(|invalidation| invalidation.selector.is_by_tag())
    }

    /// Those that began before the one of that version.
    pub(crate) fn older_than(&self, version: Version) -> impl Iterator<Item = &Invalidation> {
        self.known.iter().map(|invalidation| &**invalidation).filter(move |invalidation| invalidation.version < version)
    }

    /// Whether one covers a copy in `level` that was certified at `as_of`.
    pub(crate) fn sweep(&self, level: Level, key: &Key, tags: &[Arc<str>], as_of: Position) -> bool {
        self.known.iter().any(|invalidation| invalidation.covers(level, key.as_str(), tags, as_of))
    }

    /// Whether the value of that version, kept in `level`, counts as removed already.
    pub(crate) fn mask(&self, level: Level, key: &Key, tags: &[Arc<str>], version: Version) -> bool {
        self.known.iter().any(|invalidation| invalidation.masks(level, key.as_str(), tags, version))
    }

    /// Whether one means the key that was recorded after a position, or is newer than a version.
    pub(crate) fn newer_means(&self, since: Position, version: Version, key: &Key, tags: &[Arc<str>]) -> bool {
        let mut newer = self.known.iter().filter(|open| open.at > since || open.version > version);
        newer.any(|open| open.selector.touches(key.as_str(), tags))
    }

    /// The greatest version of one of them.
    pub(crate) fn newest(&self) -> Version {
        self.known.iter().map(|invalidation| invalidation.version).max().unwrap_or(Version::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = r#"{"version":9,"levels":7,"pattern":"a:*"}"#;

    fn key(text: &str) -> Key {
        Key::new(text).expect("a test's key is valid")
    }

    #[test]
    fn what_is_meant_and_older_is_hidden() {
        let open_invalidations = OpenInvalidations::read([(Some(Position::ZERO), KNOWN)].into_iter());
        assert!(!open_invalidations.any_unreadable());
        assert!(open_invalidations.mask(Level::L3, &key("a:1"), &[], Version(8)));
        assert!(!open_invalidations.mask(Level::L3, &key("a:1"), &[], Version(9)), "a newer value is not meant");
        assert!(!open_invalidations.mask(Level::L3, &key("b:1"), &[], Version(8)));
        assert_eq!((open_invalidations.newest(), OpenInvalidations::default().newest()), (Version(9), Version::ZERO));
    }

    #[test]
    fn what_a_later_release_wrote_is_not_passed_over() {
        for text in [r#"{"version":9,"levels":7,"prefixes":["a:"]}"#, "[]"] {
            let open_invalidations =
                OpenInvalidations::read([(Some(Position::ZERO), KNOWN), (Some(Position::ZERO), text)].into_iter());
            assert!(open_invalidations.any_unreadable(), "{text}");
            assert_eq!(open_invalidations.before(u64::MAX).len(), 1);
        }
        assert!(OpenInvalidations::read([(None, KNOWN)].into_iter()).any_unreadable());
    }
}
