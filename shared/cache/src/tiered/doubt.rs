//! Doubt: what becomes of the copies in L1 after a gap, when they are asked for.
//!
//! The index beside the journal is asked first, in the round trip of the sync that is due or in one of its own; then L3, for
//! its version alone. Only a copy that neither of them confirms is dropped.

use super::{sync::Synced, view::View};
use crate::{
    coherence::{Coherence, Held, Looked},
    key::Key,
    level::Level,
    memory::Copy,
    outcome::{Path, Read, Step},
    redis::{Batch, Command, Down, Order, Said},
};
use std::sync::atomic::Ordering::Relaxed;

impl View<'_> {
    /// Whether the index must be asked about a key: L1 holds a copy that is doubted, or L2 may hold one from before what is
    /// known.
    pub(super) fn is_unsure(&self, key: &Key, held: bool) -> bool {
        let copy = if held { self.memory.get(key, self.clock.now_ms()) } else { None };
        let knowledge = self.knowledge();
        match copy {
            Some(copy) => copy.known.load(Relaxed) != knowledge.generation(),
            None => knowledge.lacks_history(),
        }
    }

    /// Asks the index about keys, without a sync, with the commands of `more` in the same round trip.
    pub(super) async fn ask_index(&self, keys: &[&Key], more: Vec<Command>) -> Result<Synced, Down> {
        let stamp = self.stamp();
        let asked = self.journal.ask(stamp.position, keys.iter().copied());
        let batch = [asked].into_iter().chain(more).collect::<Batch>();
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        let said = Said::parse(replies.next().ok_or(Down::Odd("no reply of the index"))?)?;
        let looked = said.map(|said| Looked::of(keys.iter().copied(), &said, stamp.generation));
        Ok(Synced { replies: replies.collect(), looked, stamp })
    }

    /// Whether L3 has the very version of a copy in L1 that nobody else can vouch for. A marker says nothing: of the value
    /// that it points to, only L2 knows whether it is there.
    pub(super) async fn confirm(&self, key: &Key, copy: &Copy, read: Read, path: &mut Path) -> bool {
        // From before L3 is asked.
        let stamp = self.stamp();
        let (now_ms, asked_ms) = (self.clock.now_ms(), self.clock.steady_ms());
        let Ok(known_ms) = self.know_barriers(true, self.window_ms(read)).await else { return false };
        let head = match self.store.head(key.as_str()).await {
            Ok(head) => head,
            // L2 may answer.
            Err(error) => {
                tracing::debug!(%error, "a copy in L1 is not confirmed");
                return false;
            }
        };
        let same = head.is_some_and(|head| head.version == copy.entry.version && head.is_live(now_ms));
        if !same || self.is_hidden(Level::L3, key, &copy.entry) {
            self.memory.remove(key, now_ms);
            return false;
        }
        copy.known.fetch_max(stamp.generation, Relaxed);
        copy.confirm(asked_ms.min(known_ms));
        path.l3 = Step::Hit;
        true
    }

    /// Confirms what is read most, with what the sync that found the gap said of it. Of what was doubted already it does not
    /// say enough.
    pub(super) fn confirm_hot(&self, hot: &[Key], before: u64, looked: Option<&Looked>, knowledge: &Coherence) {
        let now_ms = self.clock.now_ms();
        for key in hot {
            let copy = self.memory.get(key, now_ms).filter(|copy| copy.known.load(Relaxed) == before);
            if let Some(copy) = copy {
                self.settle_doubt(key, &copy, looked, knowledge);
            }
        }
    }

    /// Confirms a doubted copy in L1, or drops it; says which, or `None` where only L3 can tell.
    pub(super) fn settle_doubt(
        &self,
        key: &Key,
        copy: &Copy,
        looked: Option<&Looked>,
        knowledge: &Coherence,
    ) -> Option<bool> {
        let known = copy.known.load(Relaxed);
        if known == knowledge.generation() {
            return Some(true);
        }
        let held = Held { key, tags: &copy.entry.tags, version: copy.entry.version, stamp: copy.stamp, known };
        let good = knowledge.confirms(&held, looked)?;
        if good {
            copy.known.store(knowledge.generation(), Relaxed);
        } else {
            self.memory.remove(key, self.clock.now_ms());
        }
        Some(good)
    }
}
