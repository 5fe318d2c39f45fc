//! What a sync tells L1.

use crate::{
    key::Key,
    ledger::covers,
    selector::Invalidation,
    version::{Position, Version},
};
use std::sync::Arc;

/// What L1 must do after a sync.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Drop everything.
    pub clear: bool,
    /// Nothing is known of a stretch of the journal: what L1 holds is doubted.
    pub gap: bool,
    /// Drop the copies these changes cover.
    pub changes: Vec<(Key, Version, Position)>,
    /// Drop the copies these invalidations cover; none where they are so many that L1 is doubted instead.
    pub invalidations: Vec<Arc<Invalidation>>,
    /// Entries that warm jobs have brought into L2, with bytes of their envelopes: they may be prefetched.
    pub warmed: Vec<(Key, usize)>,
}

impl News {
    /// Whether a change in the news covers an L1 copy of `key`.
    pub(crate) fn covers((_, changed, at): &(Key, Version, Position), copy: Version, stamp: Position) -> bool {
        covers((*at, *changed), copy, stamp)
    }
}
