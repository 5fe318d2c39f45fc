//! The last step of a read: into L1, if nothing rules that out, and out to the caller.

use crate::tiered::{source::Source, view::View};
use crate::{
    coherence::AsOf,
    entry::Entry,
    key::Key,
    level::Level,
    memory::CachedEntry,
    outcome::Hit,
    planted::{Panic, panic_at},
    redis::Found,
    source_of_truth::SourceOfTruth,
    stats::Count,
    version::Position,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

impl View<'_> {
    /// A trusted copy of L2 on its way into L1. What was known before L2 was asked reached to `known`.
    pub(crate) fn source_in_redis(&self, known: Position, found: &Found, entry: Arc<Entry>) -> Source {
        Source {
            entry,
            // As the source of truth, L2 has just said that this is the newest value; else its certificate says since
            // when.
            as_of: if self.source_of_truth() == SourceOfTruth::L2 { known } else { found.as_of },
            certified_ms: found.certified_ms,
            read_at_ms: None,
            reads: found.reads,
            last_read_ms: found.last_read_ms,
        }
    }

    /// Fills L1 with a value under `as_of`, unless something has happened to the key since. Returns the copy if L1
    /// holds it.
    pub(crate) fn fill(&self, key: &Key, as_of: AsOf, source: &Source) -> Option<Arc<CachedEntry>> {
        if !self.uses(Level::L1) || !source.entry.levels.has(Level::L1) {
            return None;
        }
        let knowledge = self.knowledge();
        if !knowledge.allows_fill(key, &source.entry.tags, as_of, source.entry.version, source.as_of) {
            return None;
        }
        let copy = Arc::new(source.copy(&self.clock, &self.setup.config, self.revalidate_ms()));
        copy.know(knowledge.known());
        if let Some(at) = knowledge.position_of(key, source.entry.version) {
            copy.record(at);
        }
        panic_at(Panic::Fill);
        self.memory.insert(key.clone(), Arc::clone(&copy)).then_some(copy)
    }

    /// Fills L1 and answers.
    pub(crate) fn deliver(&self, key: &Key, as_of: AsOf, source: Source, level: Level) -> Hit {
        match self.fill(key, as_of, &source) {
            Some(copy) => {
                self.counters.add(Count::L1Promotions, 1);
                self.hit(key, &copy, level)
            }
            None => self.hand_over(key, source, level),
        }
    }

    /// Answers without keeping the value in L1.
    pub(crate) fn hand_over(&self, key: &Key, source: Source, level: Level) -> Hit {
        let copy = Arc::new(source.copy(&self.clock, &self.setup.config, self.revalidate_ms()));
        if let Some(at) = self.knowledge().position_of(key, source.entry.version) {
            copy.record(at);
        }
        self.hit(key, &copy, level)
    }

    /// The same of a value that has expired.
    pub(crate) fn hand_over_stale(&self, key: &Key, source: Source, level: Level) -> Hit {
        Hit { stale: true, ..self.hand_over(key, source, level) }
    }

    pub(crate) fn hit(&self, key: &Key, copy: &Arc<CachedEntry>, level: Level) -> Hit {
        let now_ms = self.clock.now_ms();
        let access_count = self.count_read(key, copy, now_ms);
        let last_accessed_ms = copy.last_read_ms.swap(now_ms, Relaxed);
        Hit {
            entry: Arc::clone(&copy.entry),
            level,
            access_count,
            last_accessed_ms,
            position: copy.position(),
            stale: false,
        }
    }
}
