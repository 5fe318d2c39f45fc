//! Prefetching: what a warm job has just brought into L2 comes into the L1 of every container before it is asked for.
//!
//! Nothing can be sent to a frozen container, so the job names the entries in the journal, and each container finds them
//! with its next sync. The first GET to end after that, mostly the one that synced, takes some of them out of L2 in one
//! more round trip; the rest waits for the sync after. Only later reads gain by that, so it is bounded in entries, in
//! bytes and above all in time, and a mutation never waits for it. What does not come in time is not asked for again: a
//! read brings it up, as ever.
//!
//! A copy that is prefetched is judged as one that a read found in L2, and goes into L1 by the same rules. So a record
//! need not be true any more, and decides nothing: it says what is worth looking at.

use crate::tiered::{TieredCache, read::Shared, view::View};
use crate::{
    coherence::{AsOf, Looked},
    key::{Key, MAX_KEY_BYTES},
    level::Level,
    lock::{Held, Lock, emptied},
    outcome::{Path, Read},
    redis::{Down, Found, Reply, Said, appended},
    stats::Count,
};
use futures_util::FutureExt;
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};
use tokio::time::Instant;

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
    fn begin(&self) -> bool {
        self.due.load(Relaxed) && self.due.swap(false, Relaxed)
    }

    /// Takes out what is read from L2 at once, but for what L1 holds already.
    fn take(&self, is_held: impl Fn(&Key) -> bool) -> Vec<Key> {
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

impl TieredCache {
    /// Brings some of what waits into L1, when a sync has allowed it since the last time.
    pub(crate) async fn prefetch(&self) {
        if self.prefetches.begin() {
            // Boxed, because it is seldom needed, and every read would carry the room for it.
            self.view().prefetch().boxed().await;
        }
    }
}

impl View<'_> {
    /// Tells every container to bring entries into its L1, which L2 holds by now: their keys, and bytes of their envelopes.
    /// Passes over those too large to be prefetched, and those beyond [`MOST_BROADCAST`].
    ///
    /// # Errors
    /// When the journal cannot be told.
    pub(crate) async fn broadcast(&self, entries: &[(Key, usize)]) -> Result<(), Down> {
        let named = worth_naming(entries);
        if named.is_empty() {
            return Ok(());
        }
        let operation = self.operation(self.as_of());
        let reply = self.ask(self.journal.warm(operation, &named)).await?;
        appended(reply)?.map(|_| ()).ok_or(Down::Odd("a broadcast came too late"))
    }

    /// How long prefetching may delay a read. Where the sync took longer, Redis is not asked for what can wait.
    pub(crate) fn prefetch_time(&self) -> Duration {
        Duration::from_millis(self.setup.config.l2_config.timeout_ms) / TIME_PART
    }

    async fn prefetch(&self) {
        if !self.uses(Level::L1) || !self.uses(Level::L2) {
            return self.prefetches.clear();
        }
        let until = Instant::now() + self.prefetch_time();
        let now_ms = self.clock.now_ms();
        let keys = {
            let knowledge = self.knowledge();
            self.prefetches.take(|key| self.holds(key, now_ms, &knowledge))
        };
        if keys.is_empty() {
            return;
        }
        // From before L2 is asked. While L3 is the source of truth, the certificate of a copy says since when it holds:
        // it is judged by the journal up to this sync, and what is recorded later the next sync applies, as with any
        // copy in L1. With L2 as the source of truth it is this position: L2 is written before the journal, so whatever
        // is recorded up to here is in what L2 is about to say.
        let as_of = self.as_of();
        let reads = keys.iter().map(|key| self.setup.copies.read(key.as_str()));
        let question = self.journal.ask(as_of.position, &keys);
        let batch = [question].into_iter().chain(reads).collect();
        let mut replies = match self.link.run_spare(&batch, until).await {
            Ok(replies) if self.in_force().is_ok() => replies.into_iter(),
            Ok(_) => return,
            Err(down) => return tracing::debug!(%down, "prefetching given up"),
        };
        let said = replies.next().and_then(|reply| Said::parse(reply).ok().flatten());
        let looked = said.map(|said| Looked::of(&keys, &said, as_of.generation));
        for (key, reply) in keys.iter().zip(replies).take_while(|_| Instant::now() < until) {
            self.fill_ahead(key, as_of, looked.as_ref(), reply);
        }
    }

    /// Fills L1 with what L2 holds of a key, if a read could answer with it. That is no read: it counts as none of the
    /// value, nor as a hit or a miss.
    fn fill_ahead(&self, key: &Key, as_of: AsOf, looked: Option<&Looked>, reply: Reply) {
        let found = Found::parse(reply).unwrap_or_else(|down| {
            tracing::debug!(%down, "not prefetched");
            None
        });
        if let Shared::Trusted(found, entry) = self.judge(key, Read::default(), found, looked, &mut Path::default()) {
            let source = self.source_in_redis(as_of.position, &found, entry);
            if self.fill(key, as_of, &source).is_some() {
                self.counters.add(Count::L1Promotions, 1);
            }
        }
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
