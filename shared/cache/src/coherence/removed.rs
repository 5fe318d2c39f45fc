//! What a sweep meets and counts as removed already, so that a count says what reads would find.

use super::Coherence;
use crate::{
    key::Key,
    level::Level,
    register::Register,
    version::{Position, Version},
};
use std::sync::Arc;

impl Coherence {
    /// Whether any open invalidation means entries by their tags.
    pub(crate) fn hides_by_tag(&self) -> bool {
        self.open.any_by_tag() || self.noted.any_by_tag()
    }

    /// Whether a value of that version in `level` counts as removed already by an invalidation that is open and began before
    /// the one of version `own`.
    pub(crate) fn hides_before(
        &self,
        own: Version,
        level: Level,
        key: &str,
        tags: &[Arc<str>],
        version: Version,
    ) -> bool {
        let mut before = self.open.older_than(own).chain(self.noted.older_than(own));
        before.any(|invalidation| invalidation.hides(level, key, tags, version))
    }

    /// The same of a copy in L2 that was certified at `stamp`.
    pub(crate) fn sweeps_before(&self, own: Version, key: &str, tags: &[Arc<str>], stamp: Position) -> bool {
        self.open.older_than(own).any(|invalidation| invalidation.covers(Level::L2, key, tags, stamp))
    }

    /// Whether L3 has something else of a key than the copy in L2 of that version: it was put or deleted since.
    pub(crate) fn overtakes(&self, key: &Key, version: Version, stamp: Position) -> bool {
        self.register == Register::L3 && self.covers(key, version, stamp)
    }
}
