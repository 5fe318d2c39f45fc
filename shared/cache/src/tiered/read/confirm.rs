//! Doubt: what becomes of the copies in L1 after a gap, when they are asked for.
//!
//! The index beside the journal is asked first, in the round trip of the sync that is due or in one of its own; then L3, for
//! its version alone. Only a copy that neither of them confirms is dropped.

use crate::tiered::{sync::Synced, view::View};
use crate::{
    coherence::{Coherence, Held, Looked},
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::{Path, Read, Step},
    planted::{Bug, planted},
    redis::{Batch, Command, Down, Order, Said},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::time::Duration;
use tokio::time::Instant;

/// How long one request looks L1 over after invalidations, and how many copies it compares before it looks at the clock.
/// Each takes less than a microsecond where few invalidations could mean it, and a quarter of a millisecond at worst beside
/// one API key that sends as many as it may.
const WALK_TIME: Duration = Duration::from_micros(250);
const WALK_STEP: usize = 8;

impl View<'_> {
    /// Whether the index must be asked about a key: L1 holds a copy that is doubted, or L2 may hold one from before what is
    /// known.
    pub(crate) fn is_unsure(&self, key: &Key, held: bool) -> bool {
        let copy = if held { self.memory.get(key, self.clock.now_ms()) } else { None };
        let knowledge = self.knowledge();
        match copy {
            Some(copy) => copy.known() < knowledge.settled(),
            None => knowledge.lacks_history(),
        }
    }

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

    /// Confirms what is read most, with what the sync that found the gap said of it. Of what was doubted already it does not
    /// say enough.
    pub(crate) fn confirm_hot(&self, hot: &[Key], before: Position, looked: Option<&Looked>, knowledge: &Coherence) {
        let now_ms = self.clock.now_ms();
        for key in hot {
            let copy = self.memory.get(key, now_ms).filter(|copy| copy.known() >= before);
            if let Some(copy) = copy {
                self.confirm_or_drop_by(key, &copy, looked, knowledge);
            }
        }
    }

    /// Compares a part of L1 with the invalidations that have come, if there were any.
    pub(crate) fn walk(&self, knowledge: &mut Coherence) {
        let began = Instant::now();
        let (step, time) = if planted(Bug::RestForgotten) { (1, Duration::ZERO) } else { (WALK_STEP, WALK_TIME) };
        while let Some(place) = knowledge.walk() {
            let (copies, next) = self.memory.some(place, step);
            for copy in copies.iter().filter(|copy| copy.known() < knowledge.settled()) {
                if let Some(key) = copy.key() {
                    self.confirm_or_drop_by(&key, copy, None, knowledge);
                }
            }
            knowledge.walked(next);
            if began.elapsed() >= time {
                return;
            }
        }
    }

    /// Whether L1 holds a copy of `key` of which nothing bad is known.
    pub(crate) fn holds(&self, key: &Key, now_ms: i64, knowledge: &Coherence) -> bool {
        // A read of what is not there would make its admission likelier.
        let copy = self.memory.holds(key, now_ms).then(|| self.memory.get(key, now_ms)).flatten();
        copy.is_some_and(|copy| self.confirm_or_drop_by(key, &copy, None, knowledge) != Some(false))
    }

    /// Confirms a doubted copy in L1, or drops it; says which, or `None` where only L3 can tell.
    pub(crate) fn confirm_or_drop(&self, key: &Key, copy: &CachedEntry, looked: Option<&Looked>) -> Option<bool> {
        self.confirm_or_drop_by(key, copy, looked, &self.knowledge())
    }

    /// The same, by what is known.
    fn confirm_or_drop_by(
        &self,
        key: &Key,
        copy: &CachedEntry,
        looked: Option<&Looked>,
        knowledge: &Coherence,
    ) -> Option<bool> {
        let known = copy.known();
        if known >= knowledge.settled() {
            return Some(true);
        }
        let held = Held { key, tags: &copy.entry.tags, version: copy.entry.version, as_of: copy.as_of, known };
        // With L2 as the source of truth only that can tell, by its copy.
        let only_l2 = self.source_of_truth() == SourceOfTruth::L2;
        let good = knowledge.confirms(&held, looked).or(only_l2.then_some(false))?;
        if good {
            copy.know(knowledge.known());
        } else {
            self.memory.remove(key, self.clock.now_ms());
        }
        Some(good)
    }
}
