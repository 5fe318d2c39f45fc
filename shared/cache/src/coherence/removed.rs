//! What a sweep meets and counts as removed already, so that a count says what reads would find.

use super::Coherence;
use crate::{
    key::Key,
    level::Level,
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::sync::Arc;

impl Coherence {
    /// Whether any open invalidation means entries by their tags.
    pub(crate) fn masks_by_tag(&self) -> bool {
        self.open.any_by_tag() || self.noted.any_by_tag()
    }

    /// Whether a value of that version in `level` counts as removed already by an invalidation that is open and began before
    /// the one of version `own`.
    pub(crate) fn masks_before(
        &self,
        own: Version,
        level: Level,
        key: &str,
        tags: &[Arc<str>],
        version: Version,
    ) -> bool {
        let mut before = self.open.older_than(own).chain(self.noted.older_than(own));
        before.any(|invalidation| invalidation.masks(level, key, tags, version))
    }

    /// The same of a copy in L2 that was certified at `as_of`.
    pub(crate) fn covers_before(&self, own: Version, key: &str, tags: &[Arc<str>], as_of: Position) -> bool {
        self.open.older_than(own).any(|invalidation| invalidation.covers(Level::L2, key, tags, as_of))
    }

    /// Whether L3 has something else of a key than the copy in L2 of that version: it was put or deleted since.
    pub(crate) fn overtakes(&self, key: &Key, version: Version, as_of: Position) -> bool {
        self.source_of_truth == SourceOfTruth::L3 && self.covers(key, version, as_of)
    }
}
