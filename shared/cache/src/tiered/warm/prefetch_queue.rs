//! The entries that wait to be prefetched, and what bounds them.

use crate::tiered::view::View;
use crate::{
    key::{Key, MAX_KEY_BYTES},
    lock::{Held, Lock, emptied},
};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

/// Most entries that one record names: what four syncs take, seconds of a busy container.
const MOST_BROADCAST: usize = 256;
/// Most bytes of keys in one record, which must fit a sync. With keys of 16 bytes it names as many entries as it may.
const MOST_KEY_BYTES: usize = 4 * 1024;
/// Most entries that wait in a container, those of four records. What more a job names takes the place of what it named
/// first.
const MOST_WAITING: usize = 4 * MOST_BROADCAST;
/// Most entries read after one sync. Of 2 KB each, a Redis next door delivers so many in 0.2 ms (redis-benchmark).
const MOST_ENTRIES: usize = 64;
/// Most bytes of envelopes read after one sync: at the 20 MB/s of a small container, half of the time there is.
const MOST_BYTES: usize = 256 * 1024;
/// The time there is, as a part of `l2_config.timeout_ms`: 25 ms of 100.
const TIME_PART: u32 = 4;

/// The entries that wait to be prefetched.
#[derive(Debug, Default)]
pub(crate) struct Prefetches {
    /// Some may be taken now. Beside the lock, so that a read pays for one load where nothing is to be done.
    due: AtomicBool,
    /// Their keys, and bytes of their envelopes, oldest first.
    waiting: Lock<VecDeque<(Key, usize)>>,
}

impl Prefetches {
    /// Takes in what a sync found named. Of more than can wait, the newest.
    pub(crate) fn add(&self, named: Vec<(Key, usize)>) {
        let mut waiting = self.waiting();
        waiting.extend(named.into_iter().filter(|(_, bytes)| *bytes <= MOST_BYTES));
        let surplus = waiting.len().saturating_sub(MOST_WAITING);
        waiting.drain(..surplus);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        self.waiting().clear();
    }

    /// Lets one read take some of what waits, or none.
    pub(crate) fn allow(&self, allowed: bool) {
        self.due.store(allowed && !self.waiting().is_empty(), Relaxed);
    }

    /// Whether the caller is the read that may.
    pub(crate) fn begin(&self) -> bool {
        self.due.load(Relaxed) && self.due.swap(false, Relaxed)
    }

    /// Takes out what is read from L2 at once, but for what L1 holds already.
    pub(crate) fn take(&self, is_held: impl Fn(&Key) -> bool) -> Vec<Key> {
        let mut waiting = self.waiting();
        let (mut taken, mut left) = (Vec::new(), MOST_BYTES);
        while taken.len() < MOST_ENTRIES
            && let Some((key, bytes)) = waiting.pop_front_if(|(_, bytes)| *bytes <= left)
        {
            if !is_held(&key) {
                left -= bytes;
                taken.push(key);
            }
        }
        taken
    }

    fn waiting(&self) -> Held<'_, VecDeque<(Key, usize)>> {
        self.waiting.enter(emptied)
    }
}

impl View<'_> {
    /// How long prefetching may delay a read. Where the sync took longer, Redis is not asked for what can wait.
    pub(crate) fn prefetch_time(&self) -> Duration {
        Duration::from_millis(self.setup.config.l2_config.timeout_ms) / TIME_PART
    }
}

/// Whether a record that names these entries can name another one.
pub(crate) fn has_room(entries: &[(Key, usize)]) -> bool {
    let bytes: usize = entries.iter().map(|(key, _)| key.as_str().len()).sum();
    entries.len() < MOST_BROADCAST && bytes + MAX_KEY_BYTES <= MOST_KEY_BYTES
}

/// The first of these entries, as many as one record names.
pub(crate) fn worth_naming(entries: &[(Key, usize)]) -> Vec<(Key, usize)> {
    let mut left = MOST_KEY_BYTES;
    let small = entries.iter().filter(|(_, bytes)| *bytes <= MOST_BYTES).take(MOST_BROADCAST);
    let fitting = small.take_while(|(key, _)| {
        let rest = left.checked_sub(key.as_str().len());
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    fitting.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(numbers: impl IntoIterator<Item = usize>, bytes: usize) -> Vec<(Key, usize)> {
        numbers.into_iter().map(|number| (key(&number.to_string()), bytes)).collect()
    }

    fn key(text: &str) -> Key {
        Key::new(text).expect("a test's key is valid")
    }

    fn names(keys: &[Key]) -> Vec<&str> {
        keys.iter().map(Key::as_str).collect()
    }

    #[test]
    fn one_read_may_after_a_quick_sync_that_leaves_something_waiting() {
        let prefetches = Prefetches::default();
        prefetches.allow(true);
        assert!(!prefetches.begin(), "nothing waits");
        prefetches.add(entries(0..1, 1));
        assert!(!prefetches.begin(), "no sync since");
        prefetches.allow(true);
        assert!(prefetches.begin());
        assert!(!prefetches.begin(), "another one did");
        prefetches.allow(true);
        prefetches.allow(false);
        assert!(!prefetches.begin(), "the sync after failed, or was slow");
    }

    #[test]
    fn what_is_read_at_once_is_bounded_in_entries() {
        let prefetches = Prefetches::default();
        prefetches.add(entries(0..100, 1));
        let first = prefetches.take(|key| key.as_str() == "0");
        assert_eq!(
            (first.len(), first[0].as_str(), first[63].as_str()),
            (64, "1", "64"),
            "what L1 holds costs nothing"
        );
        assert_eq!(prefetches.take(|_| false).len(), 35);
        assert!(prefetches.take(|_| false).is_empty());
    }

    #[test]
    fn what_is_read_at_once_is_bounded_in_bytes() {
        let prefetches = Prefetches::default();
        prefetches.add(entries(0..3, MOST_BYTES / 2));
        prefetches.add(entries(3..4, MOST_BYTES + 1));
        prefetches.add(entries(4..5, MOST_BYTES));
        assert_eq!(names(&prefetches.take(|_| false)), ["0", "1"]);
        assert_eq!(names(&prefetches.take(|_| false)), ["2"]);
        assert_eq!(names(&prefetches.take(|_| false)), ["4"], "what is too large for any sync does not wait");
    }

    #[test]
    fn the_newest_wait() {
        let prefetches = Prefetches::default();
        prefetches.add(entries(0..MOST_WAITING, 1));
        prefetches.add(entries(MOST_WAITING..MOST_WAITING + 3, 1));
        assert_eq!(prefetches.waiting().len(), MOST_WAITING);
        assert_eq!(names(&prefetches.take(|_| false)[..2]), ["3", "4"]);
    }

    #[test]
    fn a_record_names_a_bounded_number_of_entries_and_bytes() {
        let small = worth_naming(&entries(0..300, 1));
        assert_eq!((small.len(), small[255].0.as_str()), (MOST_BROADCAST, "255"));
        let large = [entries(0..1, MOST_BYTES + 1), entries(1..2, MOST_BYTES)].concat();
        assert_eq!(worth_naming(&large), entries(1..2, MOST_BYTES));
        let long: Vec<_> = (0..100).map(|number| (key(&format!("{number:512}")), 1)).collect();
        assert_eq!(worth_naming(&long), long[..8]);
    }
}
