//! What this container can say of the copies it holds without asking anybody.

use crate::tiered::view::View;
use crate::{
    coherence::{Coherence, Held, Looked},
    entry::Entry,
    key::Key,
    level::Level,
    memory::CachedEntry,
    planted::{Bug, planted},
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
        let (step, time) =
            if planted(Bug::UncheckedCopiesTrusted) { (1, Duration::ZERO) } else { (WALK_STEP, WALK_TIME) };
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

    /// Whether the copy is good, by what is `knowledge`; nothing becomes of it. `None` where only L3 can tell.
    pub(crate) fn opinion_by(&self, key: &Key, copy: &CachedEntry, knowledge: &Coherence) -> Option<bool> {
        let known = copy.known();
        if known >= knowledge.settled() {
            return Some(true);
        }
        let (tags, version) = (&copy.entry.tags, copy.entry.version);
        knowledge.confirms(&Held { key, tags, version, as_of: copy.as_of, known }, None)
    }

    /// Whether an invalidation that is still removing means the value, which is kept in `level`.
    pub(crate) fn is_masked(&self, level: Level, key: &Key, entry: &Entry) -> bool {
        self.knowledge().masks(level, key, &entry.tags, entry.version)
    }
}
