//! Whether a copy in L2 may be returned: whether it is the newest value, by what is known of the journal, and whether it is
//! live, or the reader accepts an expired value.

use crate::tiered::{read::stale::Kept, view::View};
use crate::{
    codec,
    coherence::Looked,
    config::LARGEST_ENTRY_BYTES,
    entry::Entry,
    grace::Freshness,
    key::Key,
    level::Level,
    outcome::{Path, Read, Step},
    redis::Found,
};
use std::sync::Arc;

/// What L2 had to say.
pub(crate) enum Shared {
    /// A copy that may be returned.
    Trusted(Box<Found>, Arc<Entry>),
    /// A copy that only L3 can confirm.
    Distrusted(Box<Found>, Option<Arc<Entry>>),
    /// The newest value, which has expired, and which the reader takes all the same.
    Expired(Kept),
    /// Nothing.
    Nothing,
}

impl View<'_> {
    /// Whether the copy that was found may be returned.
    pub(crate) fn judge(
        &self,
        key: &Key,
        read: Read,
        found: Option<Found>,
        looked: Option<&Looked>,
        path: &mut Path,
    ) -> Shared {
        path.l2 = Step::Miss;
        let Some(found) = found else { return Shared::Nothing };
        let now_ms = self.clock.now_ms();
        let entry = match codec::decode(&found.envelope, LARGEST_ENTRY_BYTES) {
            Ok(entry) => Arc::new(entry),
            Err(error) => {
                tracing::warn!(%error, level = %Level::L2, "unreadable envelope");
                return Shared::Distrusted(Box::new(found), None);
            }
        };
        let freshness = Freshness::of(&entry, read, now_ms);
        if freshness == Freshness::Over {
            return Shared::Nothing;
        }
        let (copy, revalidate_ms) = (found.certificate(), self.revalidate_ms());
        let trusted = !self.only_l3_may_tell(read)
            && self.knowledge().trusts(key, &entry.tags, &copy, looked, now_ms, revalidate_ms);
        let found = Box::new(found);
        match freshness {
            Freshness::Live if trusted => {
                path.l2 = Step::Hit;
                Shared::Trusted(found, entry)
            }
            Freshness::Live | Freshness::Stale if !trusted => {
                path.l2 = Step::Stale;
                Shared::Distrusted(found, Some(entry))
            }
            _ if trusted => Shared::Expired(Kept { found, entry, freshness }),
            // Whoever can confirm it can say more than that.
            _ => Shared::Nothing,
        }
    }
}
