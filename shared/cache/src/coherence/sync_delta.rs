//! What a sync tells L1.

use crate::{
    key::Key,
    recent_changes::covers,
    version::{Position, Version},
};

/// What L1 must do after a sync.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncDelta {
    /// Drop everything.
    pub clear: bool,
    /// Nothing is known of a section of the journal: what L1 holds is doubted.
    pub gap: bool,
    /// Drop the copies these changes cover.
    pub changes: Vec<(Key, Version, Position)>,
    /// There were invalidations: what L1 holds is doubted as far as they may mean it.
    pub swept: bool,
    /// Entries that warm jobs have brought into L2, with bytes of their envelopes: they may be prefetched.
    pub warmed: Vec<(Key, usize)>,
}

impl SyncDelta {
    /// Whether a change in the delta covers an L1 copy of `key`.
    pub(crate) fn covers((_, changed, at): &(Key, Version, Position), copy: Version, as_of: Position) -> bool {
        covers((*at, *changed), copy, as_of)
    }
}
