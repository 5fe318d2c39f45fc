//! Doubt: how copies in L1 are confirmed after a gap, once they are asked for.
//!
//! The index beside the journal is asked first, in the round trip of a sync that is due or in one of its own; then L3, for
//! the version only. Only a copy that neither of them confirms is dropped.

use crate::tiered::{sync::Synced, view::View};
use crate::{
    coherence::{Looked, Said},
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::{Path, Read, Step},
    redis::{Batch, Command, Down, Order},
};

impl View<'_> {
    /// Asks the index about keys, without a sync, with the commands of `more` in the same round trip.
    pub(crate) async fn ask_index(&self, keys: &[&Key], more: Vec<Command>) -> Result<Synced, Down> {
        let as_of = self.as_of();
        let asked = self.journal.ask(as_of.position, keys.iter().copied());
        let batch = [asked].into_iter().chain(more).collect::<Batch>();
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        let said = Said::parse(replies.next().ok_or(Down::Odd("no reply of the index"))?)?;
        let looked = said.map(|said| Looked::of(keys.iter().copied(), &said, as_of.generation));
        Ok(Synced { replies: replies.collect(), looked, as_of, fenced: None })
    }

    /// Whether L3 has the very version of a copy in L1 that nobody else can vouch for. A marker says nothing: of the value
    /// that it points to, only L2 knows whether it is there.
    pub(crate) async fn confirm(&self, key: &Key, copy: &CachedEntry, read: Read, path: &mut Path) -> bool {
        // From before L3 is asked.
        let as_of = self.as_of();
        let (now_ms, asked_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let Ok(known_ms) = self.learn_open_invalidations(true, self.window_ms(read)).await else { return false };
        let head = match self.store.head(key.as_str()).await {
            Ok(head) => head,
            // L2 may answer.
            Err(error) => {
                tracing::debug!(%error, "a copy in L1 is not confirmed");
                return false;
            }
        };
        let same = head.is_some_and(|head| head.version == copy.entry.version && head.is_live(now_ms));
        if !same || self.is_masked(Level::L3, key, &copy.entry) {
            self.memory.remove(key, now_ms);
            return false;
        }
        copy.know(as_of.position);
        copy.confirm(asked_ms.min(known_ms));
        path.l3 = Step::Hit;
        true
    }
}
