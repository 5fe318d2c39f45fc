//! Readers who take what has expired. What L2 has is the newest value by the same proof as any copy that is returned; so
//! nobody needs to be asked for it but for who is to replace it, or for something fresher by whoever would rather have that.

use crate::tiered::{Source, fill::Miss, read::Shared, view::View};
use crate::{
    dynamo::Until,
    entry::Entry,
    grace::Freshness,
    key::Key,
    level::Level,
    outcome::{CacheError, Hit, Path, Read, Step},
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
    /// Goes on from a copy in L2 that has expired. L3 is asked where somebody is to fill, and by whoever takes such a value
    /// in need only.
    pub(super) async fn get_past_expiry(
        &self,
        key: &Key,
        read: Read,
        mut miss: Option<&mut Miss>,
        kept: Kept,
        path: &mut Path,
    ) -> Result<Option<Hit>, CacheError> {
        if kept.is_taken() && miss.is_none() {
            return Ok(Some(self.answer_with(key, kept, path)));
        }
        // L3 may point to this very copy, and does away with one that it does not confirm.
        let shared = kept.is_taken().then(|| Shared::Distrusted(kept.found.clone(), Some(Arc::clone(&kept.entry))));
        match self.get_from_register(key, read, miss.as_deref_mut(), shared, path).await {
            Err(error) => {
                tracing::debug!(error = error.chain(), "a value that has expired is returned: L3 cannot be asked");
                if let Some(miss) = miss {
                    miss.give_up();
                }
                path.l3 = Step::Unavailable;
                Ok(Some(self.answer_with(key, kept, path)))
            }
            found => found,
        }
    }

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
