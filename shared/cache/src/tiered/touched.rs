//! What was read since the last sync, for the fleet to be told with the next one.
//!
//! It is kept beside L1, not in its copies: a value that leaves memory was read all the same, and must not stay in memory
//! until the fleet knows.

use super::view::View;
use crate::{
    key::{Key, KeyHashing},
    level::Level,
    lock::{Held, whole},
    memory::Copy,
    redis::{Reply, Touch, totals},
    version::Version,
};
use std::{collections::HashMap, sync::atomic::Ordering::Relaxed};

/// Most values whose reads wait for a sync; reads of more are not counted.
const MOST_TOUCHED: usize = 1000;

/// The reads of values by this container since the last sync.
#[derive(Debug, Default)]
pub(super) struct Touched(HashMap<Key, Reads, KeyHashing>);

#[derive(Debug)]
struct Reads {
    version: Version,
    count: u64,
    last_ms: i64,
}

impl Touched {
    fn count(&mut self, key: &Key, version: Version, now_ms: i64) {
        let has_room = self.0.len() < MOST_TOUCHED;
        match self.0.get_mut(key) {
            Some(reads) if reads.version == version => {
                reads.count += 1;
                reads.last_ms = now_ms;
            }
            // L2 has one value of a key: nobody asks how often another was read.
            Some(reads) => *reads = Reads { version, count: 1, last_ms: now_ms },
            None if has_room => {
                self.0.insert(key.clone(), Reads { version, count: 1, last_ms: now_ms });
            }
            None => {}
        }
    }

    /// How often that value was read.
    fn reads(&self, key: &Key, version: Version) -> u64 {
        self.0.get(key).filter(|reads| reads.version == version).map_or(0, |reads| reads.count)
    }
}

impl View<'_> {
    /// Counts a read at `now_ms`, for the next sync to tell the fleet of; returns all reads known of.
    pub(super) fn count_read(&self, key: &Key, copy: &Copy, now_ms: i64) -> u64 {
        // Held until the copy has counted it as well: who takes the fleet's number back finds both or neither.
        let mut touched = self.touched();
        if self.uses(Level::L2) {
            touched.count(key, copy.entry.version, now_ms);
        }
        copy.reads.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn take_touched(&self) -> Vec<Touch> {
        let touched = std::mem::take(&mut *self.touched());
        let touch = |(key, Reads { version, count, last_ms })| Touch { key, version, reads: count, last_ms };
        touched.0.into_iter().map(touch).collect()
    }

    /// Takes the fleet's numbers of reads back into the copies that L1 still holds.
    pub(super) fn settle_touched(&self, touches: &[Touch], reply: Reply) {
        let now_ms = self.clock.now_ms();
        for (touch, total) in touches.iter().zip(totals(reply)) {
            if let Some(total) = total
                && let Some(copy) = self.memory.get(&touch.key, now_ms)
                && copy.entry.version == touch.version
            {
                let touched = self.touched();
                copy.reads.store(total + touched.reads(&touch.key, touch.version), Relaxed);
            }
        }
    }

    fn touched(&self) -> Held<'_, Touched> {
        self.touched.enter(whole)
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
        let mut touched = Touched::default();
        (1..=3).for_each(|now_ms| touched.count(&key(1), Version(1), now_ms));
        assert_eq!((touched.reads(&key(1), Version(1)), touched.0[&key(1)].last_ms), (3, 3));
        assert_eq!((touched.reads(&key(1), Version(2)), touched.reads(&key(2), Version(1))), (0, 0));
        touched.count(&key(1), Version(2), 4);
        assert_eq!((touched.reads(&key(1), Version(2)), touched.reads(&key(1), Version(1))), (1, 0));
    }

    #[test]
    fn counts_those_of_a_bounded_number_of_values() {
        let mut touched = Touched::default();
        (0..=MOST_TOUCHED).for_each(|number| touched.count(&key(number), Version(1), 1));
        touched.count(&key(0), Version(1), 2);
        assert_eq!((touched.0.len(), touched.reads(&key(MOST_TOUCHED), Version(1))), (MOST_TOUCHED, 0));
        assert_eq!(touched.reads(&key(0), Version(1)), 2, "one that is known goes on to be counted");
    }
}
