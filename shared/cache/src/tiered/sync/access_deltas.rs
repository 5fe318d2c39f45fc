//! What was read since the last sync, for the fleet to be told with the next one; and what is read most, for the index to
//! be asked about with it.
//!
//! It is kept beside L1, not in its copies: a value that leaves memory was read all the same, and must not stay in memory
//! until the fleet knows.

use crate::tiered::view::View;
use crate::{
    key::{Key, KeyHashing},
    level::Level,
    lock::{Held, whole},
    memory::CachedEntry,
    redis::{Reply, Touch, totals},
    source_of_truth::SourceOfTruth,
    version::Version,
};
use std::{cmp::Reverse, collections::HashMap, sync::atomic::Ordering::Relaxed};

/// Most values whose reads wait for a sync; reads of more are not counted.
const MOST_TOUCHED: usize = 1000;

/// Most keys that one sync asks the index about unasked: 1 KB of hashes.
const MOST_HOT: usize = 128;
/// What one read weighs for a key to be among them. Weights are halved every second: a read is forgotten after four.
const READ_WEIGHT: u64 = 16;
const HALF_LIFE_MS: i64 = 1000;

/// The reads of values by this container.
#[derive(Debug, Default)]
pub(crate) struct AccessDeltas {
    /// Since the last sync.
    reads: HashMap<Key, Reads, KeyHashing>,
    /// Lately, by weight.
    hot: HashMap<Key, u64, KeyHashing>,
    /// When the weights were halved.
    halved_ms: i64,
}

#[derive(Debug)]
struct Reads {
    version: Version,
    count: u64,
    last_ms: i64,
}

impl AccessDeltas {
    fn count(&mut self, key: &Key, version: Version, now_ms: i64) {
        let has_room = self.reads.len() < MOST_TOUCHED;
        match self.reads.get_mut(key) {
            Some(reads) if reads.version == version => {
                reads.count += 1;
                reads.last_ms = now_ms;
            }
            // L2 has one value of a key: nobody asks how often another was read.
            Some(reads) => *reads = Reads { version, count: 1, last_ms: now_ms },
            None if has_room => {
                self.reads.insert(key.clone(), Reads { version, count: 1, last_ms: now_ms });
            }
            None => {}
        }
    }

    /// How often that value was read.
    fn reads(&self, key: &Key, version: Version) -> u64 {
        self.reads.get(key).filter(|reads| reads.version == version).map_or(0, |reads| reads.count)
    }
}

impl AccessDeltas {
    /// Takes the reads since the last sync out, and weighs them.
    fn take(&mut self, now_ms: i64) -> HashMap<Key, Reads, KeyHashing> {
        if now_ms.saturating_sub(self.halved_ms).unsigned_abs() >= HALF_LIFE_MS.unsigned_abs() {
            self.halved_ms = now_ms;
            self.hot.retain(|_, weight| {
                *weight /= 2;
                *weight > 0
            });
        }
        for (key, reads) in &self.reads {
            let has_room = self.hot.len() < MOST_TOUCHED;
            match self.hot.get_mut(key) {
                Some(weight) => *weight = weight.saturating_add(reads.count.saturating_mul(READ_WEIGHT)),
                None if has_room => drop(self.hot.insert(key.clone(), reads.count.saturating_mul(READ_WEIGHT))),
                None => {}
            }
        }
        std::mem::take(&mut self.reads)
    }

    /// The keys that are read most.
    fn hottest(&self) -> Vec<Key> {
        let mut hot: Vec<_> = self.hot.iter().map(|(key, weight)| (*weight, key)).collect();
        if hot.len() > MOST_HOT {
            hot.select_nth_unstable_by_key(MOST_HOT, |(weight, _)| Reverse(*weight));
            hot.truncate(MOST_HOT);
        }
        hot.into_iter().map(|(_, key)| key.clone()).collect()
    }
}

impl View<'_> {
    /// Counts a read at `now_ms`, for the next sync to tell the fleet of; returns all reads known of.
    pub(crate) fn count_read(&self, key: &Key, copy: &CachedEntry, now_ms: i64) -> u64 {
        // Held until the copy has counted it as well: who takes the fleet's number back finds both or neither.
        let mut access_deltas = self.access_deltas();
        if self.uses(Level::L2) {
            access_deltas.count(key, copy.entry.version, now_ms);
        }
        copy.reads.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn take_access_deltas(&self) -> Vec<Touch> {
        let access_deltas = self.access_deltas().take(self.clock.now_ms());
        let touch = |(key, Reads { version, count, last_ms })| Touch { key, version, reads: count, last_ms };
        access_deltas.into_iter().map(touch).collect()
    }

    /// The keys that are read most, where a sync may find a gap: what the index says of them at once, nobody need ask for.
    pub(crate) fn hot_keys(&self) -> Vec<Key> {
        let expected = self.uses(Level::L1) && self.source_of_truth() == SourceOfTruth::L3;
        let expected = expected && self.knowledge().expects_gap(self.clock.steady_ms());
        if expected { self.access_deltas().hottest() } else { Vec::new() }
    }

    /// Takes the fleet's numbers of reads back into the copies that L1 still holds.
    pub(crate) fn settle_access_deltas(&self, touches: &[Touch], reply: Reply) {
        let now_ms = self.clock.now_ms();
        for (touch, total) in touches.iter().zip(totals(reply)) {
            if let Some(total) = total
                && let Some(copy) = self.memory.get(&touch.key, now_ms)
                && copy.entry.version == touch.version
            {
                let access_deltas = self.access_deltas();
                copy.reads.store(total + access_deltas.reads(&touch.key, touch.version), Relaxed);
            }
        }
    }

    fn access_deltas(&self) -> Held<'_, AccessDeltas> {
        self.access_deltas.enter(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        Key::new(number.to_string()).expect("a number is a key")
    }

    #[test]
    fn counts_the_reads_of_the_value_that_was_read_last() {
        let mut access_deltas = AccessDeltas::default();
        (1..=3).for_each(|now_ms| access_deltas.count(&key(1), Version(1), now_ms));
        assert_eq!((access_deltas.reads(&key(1), Version(1)), access_deltas.reads[&key(1)].last_ms), (3, 3));
        assert_eq!((access_deltas.reads(&key(1), Version(2)), access_deltas.reads(&key(2), Version(1))), (0, 0));
        access_deltas.count(&key(1), Version(2), 4);
        assert_eq!((access_deltas.reads(&key(1), Version(2)), access_deltas.reads(&key(1), Version(1))), (1, 0));
    }

    #[test]
    fn counts_those_of_a_bounded_number_of_values() {
        let mut access_deltas = AccessDeltas::default();
        (0..=MOST_TOUCHED).for_each(|number| access_deltas.count(&key(number), Version(1), 1));
        access_deltas.count(&key(0), Version(1), 2);
        assert_eq!((access_deltas.reads.len(), access_deltas.reads(&key(MOST_TOUCHED), Version(1))), (MOST_TOUCHED, 0));
        assert_eq!(access_deltas.reads(&key(0), Version(1)), 2, "one that is known goes on to be counted");
    }
}
