//! Compares what a caller has seen with what this container knows.

use super::view::View;
use crate::{
    cache_position::CachePosition, entry::Entry, key::Key, level::Level, outcome::Read, source_of_truth::SourceOfTruth,
};

impl View<'_> {
    /// The read with a sync, if the journal is not known up to what the caller has seen.
    pub(super) fn honour_position(&self, read: Read) -> Read {
        let Read { at_least, no_cache, .. } = read;
        if no_cache || at_least.is_nothing() {
            return read;
        }
        let is_known = match self.uses(Level::L2) {
            true => {
                let knowledge = self.knowledge();
                at_least.is_read_at(knowledge.known()) && !at_least.may_lack_record(knowledge.time_ms())
            }
            // L1 is not older than Δ, and nobody else is asked.
            false => at_least.is_over(wall_ms(self.clock.now_ms()).saturating_sub(self.window_ms(read))),
        };
        Read { no_cache: !is_known, ..read }
    }

    /// Whether the journal, as far as it is known now, may lack something that the reader has seen.
    pub(super) fn journal_may_lack(&self, read: Read) -> bool {
        !read.at_least.is_nothing() && read.at_least.may_lack_record(self.knowledge().time_ms())
    }

    /// The position of something that has just happened and has no record.
    pub(super) fn unrecorded_now(&self) -> CachePosition {
        CachePosition::unrecorded(wall_ms(self.clock.now_ms()).max(self.knowledge().time_ms()))
    }

    /// The position of a caller that is given this value.
    pub(super) fn position_of(&self, key: &Key, entry: &Entry) -> CachePosition {
        let recorded = self.knowledge().position_of(key, entry.version);
        recorded.map_or_else(|| CachePosition::of_value(entry, 0), CachePosition::recorded)
    }

    /// Whether the reader has seen something that neither L1 nor L2 may know of yet.
    pub(super) fn only_l3_may_tell(&self, read: Read) -> bool {
        self.source_of_truth() == SourceOfTruth::L3 && self.journal_may_lack(read)
    }
}

/// A time of the wall clock, in ms, which is after 1970.
fn wall_ms(now_ms: i64) -> u64 {
    u64::try_from(now_ms).unwrap_or_default()
}
