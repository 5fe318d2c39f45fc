//! Readers that accept expired values. A copy in L2 is proven to be the newest value like any other that is returned, so no
//! other level has to be asked, unless the reader is to replace it or would rather have something fresher.

use crate::tiered::{source::Source, view::View};
use crate::{
    dynamo::Until,
    entry::Entry,
    grace::Freshness,
    key::Key,
    level::Level,
    outcome::{Hit, Path, Read, Step},
    redis::Found,
};
use std::sync::Arc;

/// A copy in L2 that has expired, and is the newest value.
pub(crate) struct Kept {
    pub(super) found: Box<Found>,
    pub(super) entry: Arc<Entry>,
    pub(super) freshness: Freshness,
}

impl Kept {
    /// Whether its reader takes it whatever others may say.
    pub(super) fn is_taken(&self) -> bool {
        self.freshness == Freshness::Stale
    }
}

impl Read {
    /// For how long values of L3 are there to it. What is taken only in need is not, where L3 can be asked.
    pub(super) fn until(self) -> Until {
        if self.max_stale_seconds > 0 { Until::EndOfGrace } else { Until::Expiry }
    }
}

impl View<'_> {
    /// Answers with what has expired.
    pub(super) fn answer_with(&self, key: &Key, kept: Kept, path: &mut Path) -> Hit {
        let Kept { found, entry, .. } = kept;
        path.l2 = Step::Hit;
        let source = Source {
            entry,
            as_of: found.as_of,
            certified_ms: found.certified_ms,
            read_at_ms: None,
            reads: found.reads,
            last_read_ms: found.last_read_ms,
        };
        self.hand_over_stale(key, source, Level::L2)
    }
}
