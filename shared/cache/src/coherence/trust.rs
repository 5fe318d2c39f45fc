//! Which copies a container may trust, put into L1, and leave in L2, by what it knows.

use super::{AsOf, Coherence, Looked};
use crate::{
    key::Key,
    level::Level,
    planted::{Bug, planted},
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::sync::Arc;

/// The certificate of a copy in L2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FreshnessProof {
    pub version: Version,
    pub as_of: Position,
    pub certified_ms: i64,
}

/// What the journal says of a key since a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nothing.
    Unchanged,
    /// It was put or deleted by someone else, or so much happened that this cannot be told.
    Changed,
    /// It was invalidated.
    Invalidated,
}

impl Coherence {
    /// Whether a copy in L2 may be returned without asking L3. `looked` is what the index said of the key.
    pub(crate) fn trusts(
        &self,
        key: &Key,
        tags: &[Arc<str>],
        copy: &FreshnessProof,
        looked: Option<&Looked>,
        now_ms: i64,
        revalidate_ms: i64,
    ) -> bool {
        let asked = !planted(Bug::RecentChangesIgnored);
        if self.has_unreadable_invalidation() || (asked && self.is_invalidated(Level::L2, key, tags, copy.as_of)) {
            return false;
        }
        if self.source_of_truth == SourceOfTruth::L2 {
            return copy.as_of >= self.switched;
        }
        let covered = asked && self.covers(key, copy.version, copy.as_of);
        !self.is_settling()
            && !covered
            && copy.as_of >= self.epoch
            && (copy.as_of >= self.known_after()
                || self.is_over(self.known_after())
                || looked.is_some_and(|looked| self.is_untouched(key, copy, looked)))
            && now_ms - copy.certified_ms <= revalidate_ms
    }

    /// Whether a copy certified at `certified` may go into L1, by an operation that began at `as_of`.
    pub(crate) fn allows_fill(
        &self,
        key: &Key,
        tags: &[Arc<str>],
        as_of: AsOf,
        version: Version,
        certified: Position,
    ) -> bool {
        let covered = self.covers(key, version, certified) || self.is_invalidated(Level::L1, key, tags, certified);
        !self.restarted_since(as_of)
            && as_of.position >= self.swept
            && as_of.fills == self.fills
            && (self.source_of_truth == SourceOfTruth::L2 || (certified >= self.epoch && !self.is_settling()))
            && (!covered || planted(Bug::StaleFillOfMemory))
    }

    /// What has happened to a key, by others, since an operation began that wrote `version` of it. `looked` is what the
    /// index said of the key after that.
    pub(crate) fn since(
        &self,
        key: &Key,
        tags: &[Arc<str>],
        as_of: AsOf,
        version: Version,
        looked: Option<&Looked>,
    ) -> Since {
        let swept = Level::ALL.into_iter().any(|level| self.is_invalidated(level, key, tags, as_of.position));
        if swept || as_of.position < self.swept {
            return Since::Invalidated;
        }
        let unchanged = match self.restarted_since(as_of) {
            false => !self.covers(key, version, as_of.position),
            true if self.source_of_truth == SourceOfTruth::L2 => false,
            true => self.is_known_unchanged(key, version, as_of.position, as_of.position, looked) == Some(true),
        };
        if unchanged { Since::Unchanged } else { Since::Changed }
    }
}
