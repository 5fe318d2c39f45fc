//! L1: the decoded entries a container keeps in its memory, on mini-moka.
//!
//! mini-moka has no background thread, which suits a container that is frozen between requests, and knows one
//! capacity and one idle time for all. What it does not do is done here:
//!
//! - **Two bounds, one weight.** Every copy weighs its bytes, but at least its share of the memory if the most
//!   entries were in it. So neither more bytes nor more entries than configured fit.
//! - **Expiry is absolute.** A copy carries its deadline in wall-clock time and is not returned from then on,
//!   whatever a frozen monotonic clock says. mini-moka's clock only drops what is idle.
//! - **What has expired makes room first.** No copy is refused, and none that lives is evicted, while one that has expired
//!   is there, however often that was read.
//! - **No older copy survives a refusal.** The least recently used copies make room, but not for a copy that is
//!   asked for less often than they are (TinyLFU), nor for one that is larger than the whole memory. Then the copy
//!   that was to be replaced is gone as well, and [`Memory::insert`] says so. Reads from before the memory was half full
//!   are not counted for this: what was read much only then goes for what is asked for twice, once.
//! - **Evictions are told from other ends.** Each copy watches over its own stay.
//! - **Other bounds while it runs.** A memory of another size takes over what fits; a memory that is switched off holds
//!   nothing.

mod bounds;
mod cached_entry;
mod deadlines;
mod stay;
mod usage;

pub(crate) use self::deadlines::Place;
pub use self::{cached_entry::CachedEntry, usage::Usage};

use self::{
    bounds::Bounds,
    cached_entry::ttl_ms,
    stay::{Residents, Stay},
};
use crate::{
    Clock,
    config::L1Config,
    key::{Key, KeyHashing},
    planted::{Bug, planted},
    stats::Counters,
};
use mini_moka::sync::{Cache, ConcurrentCacheExt};
use std::{
    cmp::Reverse,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

/// What a copy takes besides its key, text and tags: the entry, the map's slot, the queues' nodes, and what the
/// allocator adds to each. By 100,000 copies of 1,131 bytes a process grew 583 bytes each beyond these (x86-64, glibc), and
/// 25 more for their places among the deadlines; 37 where these lie in 3,000 different seconds.
const OVERHEAD_BYTES: u64 = 608;
/// What a tag takes besides its text: pointer, length, reference counts, its part of the list, rounding by the allocator.
/// Measured likewise: 71 bytes in a list of two, 59 in one of eight. A list that other entries have takes nothing.
const TAG_OVERHEAD_BYTES: u64 = 64;
/// A copy that was replaced is kept by mini-moka until it looks at its logs, which is after 64 operations at the latest.
/// Where its text is longer than this, in bytes, that is not waited for.
const MOST_LINGERING: usize = 64 * 1024;
/// How many expired copies an insert drops at a time: at once where it needs their room, else so that they do not gather.
const DROPPED_AT_ONCE: usize = 64;
/// No entry lives longer than 365 days; a longer idle time would only be refused by mini-moka.
const MAX_IDLE: Duration = Duration::from_secs(crate::entry::MAX_TTL_SECONDS as u64);

/// The copies of one container.
pub struct Memory(RwLock<Held>);

impl Memory {
    /// An empty memory with the bounds of `config`. What it evicts is counted by `counters`.
    pub fn new(config: &L1Config, clock: Clock, counters: Counters) -> Memory {
        Memory(RwLock::new(Held::new(config, clock, counters)))
    }

    /// Goes by the bounds of `config` from now, `now_ms`, on. What was read last is kept as far as it fits, no longer than
    /// it now may.
    pub fn resize(&self, config: &L1Config, now_ms: i64) {
        let mut held = self.write();
        let resized = Held::new(config, held.residents.clock.clone(), held.residents.counters.clone());
        let deadline_ms = now_ms.saturating_add(ttl_ms(config));
        // The least recently used first, as they came.
        for (key, copy) in held.newest(resized.bounds, now_ms).into_iter().rev() {
            resized.insert(key, Arc::new(copy.until(deadline_ms, now_ms)));
        }
        *held = resized;
    }

    /// Begins with another, empty memory of the same bounds, whatever became of this one: something panicked, maybe within
    /// it.
    pub(crate) fn replace(&self, config: &L1Config) {
        let mut held = self.write();
        let empty = Held::new(config, held.residents.clock.clone(), held.residents.counters.clone());
        let broken = std::mem::replace(&mut *held, empty);
        drop(held);
        // To be rid of it is worth a try, no more.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
    }

    /// The copy of `key` that is live at `now_ms`. One that is not is dropped.
    pub fn get(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        self.held().get(key, now_ms)
    }

    /// Whether a copy of `key` is live at `now_ms`. To ask for what is not there makes its admission no likelier.
    pub fn holds(&self, key: &Key, now_ms: i64) -> bool {
        self.held().holds(key, now_ms)
    }

    /// The copy of `key` that is live at `now_ms`, without a read: what is dropped to make room is chosen as if nobody had
    /// asked. It looks through all that there is.
    pub(crate) fn peek(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        self.held().peek(key, now_ms)
    }

    /// Keeps `copy` in place of any other of `key`. Returns whether it is held: a full memory may refuse it.
    pub fn insert(&self, key: Key, copy: Arc<CachedEntry>) -> bool {
        self.held().insert(key, copy)
    }

    /// Drops the copy of `key` and returns it if it was live at `now_ms`.
    pub fn remove(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        self.held().remove(key, now_ms)
    }

    /// Drops the copies that `matches` says yes to and returns their number. `matches` must not use the memory.
    pub fn remove_matching(&self, matches: impl FnMut(&Key, &CachedEntry) -> bool) -> usize {
        self.held().remove_matching(matches)
    }

    /// Drops every copy.
    pub fn clear(&self) {
        // Not `invalidate_all`, which compares monotonic times and leaves the memory to be freed in small batches.
        self.remove_matching(|_, _| true);
    }

    /// Some of what is held, at most so many copies, from `place` on, and where to go on; no such place where that was the
    /// last. What comes in or leaves meanwhile may be passed over.
    pub(crate) fn some(&self, place: Place, most: usize) -> (Vec<Arc<CachedEntry>>, Option<Place>) {
        let (listed, next) = self.held().residents.deadlines.some(place, most);
        // Taken up when the list is left alone again: the last reference to a copy ends there.
        (listed.iter().filter_map(Weak::upgrade).collect(), next)
    }

    /// What is held and has not expired by `now_ms`. What expired less than a second ago may still count.
    pub fn usage(&self, now_ms: i64) -> Usage {
        self.held().residents.live(now_ms)
    }

    /// How much of that will have expired by when, before `until_ms`: times in milliseconds since the Unix epoch, and what
    /// expires by then since the time before. They are few, and where many seconds have something to expire some of it
    /// is said too late.
    pub fn forecast(&self, now_ms: i64, until_ms: i64) -> Vec<(i64, Usage)> {
        self.held().residents.deadlines.forecast(now_ms, until_ms)
    }

    // One memory takes the place of another in one step, so that there is always a whole one; whether what is in it may be
    // trusted is decided by whoever fills it.

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The copies under one configuration.
struct Held {
    copies: Cache<Key, Arc<CachedEntry>, KeyHashing>,
    bounds: Bounds,
    residents: Arc<Residents>,
}

impl Held {
    fn new(config: &L1Config, clock: Clock, counters: Counters) -> Held {
        let bounds = Bounds::of(config);
        let idle = Duration::from_secs(config.idle_timeout_minutes.saturating_mul(60)).min(MAX_IDLE);
        let copies = Cache::builder()
            .max_capacity(bounds.total)
            .weigher(move |key: &Key, copy: &Arc<CachedEntry>| {
                u32::try_from(bounds.weight(bytes(key, copy))).unwrap_or(u32::MAX)
            })
            .time_to_idle(idle)
            .build_with_hasher(KeyHashing::default());
        let idle_ms = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        Held { copies, bounds, residents: Arc::new(Residents::new(clock, counters, idle_ms, bounds)) }
    }

    fn get(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        let copy = self.copies.get(key)?;
        if copy.is_live(now_ms) || planted(Bug::ExpiryLeftToMemory) {
            return Some(copy);
        }
        self.copies.invalidate(key);
        None
    }

    fn holds(&self, key: &Key, now_ms: i64) -> bool {
        self.copies.contains_key(key) && self.get(key, now_ms).is_some()
    }

    fn peek(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        let found =
            self.copies.contains_key(key).then(|| self.copies.iter().find(|held| held.key() == key)).flatten()?;
        Some(Arc::clone(found.value())).filter(|copy| copy.is_live(now_ms))
    }

    fn insert(&self, key: Key, copy: Arc<CachedEntry>) -> bool {
        let replaced = self.replace(&key);
        let bytes = bytes(&key, &copy);
        if self.bounds.weight(bytes) > self.bounds.total {
            // mini-moka would empty itself before it notices that a replacement cannot fit.
            self.copies.invalidate(&key);
            self.copies.sync();
            return false;
        }
        self.drop_expired();
        let is_roomy = self.is_roomy(bytes);
        if !is_roomy {
            self.make_room(self.bounds.weight(bytes));
        }
        Stay::begin(&self.residents, &key, &copy, bytes);
        self.copies.insert(key.clone(), Arc::clone(&copy));
        let lingers = replaced.is_some_and(|copy| copy.entry.text.len() > MOST_LINGERING);
        if is_roomy && !lingers {
            return true;
        }
        self.copies.sync();
        let held = self.copies.contains_key(&key);
        if !held {
            copy.leave();
        }
        held
    }

    /// Ends the stay of the copy of `key` that is about to be replaced, and returns it.
    fn replace(&self, key: &Key) -> Option<Arc<CachedEntry>> {
        // Only what is there is read: a read of what is not would make its admission likelier.
        let replaced = self.copies.contains_key(key).then(|| self.copies.get(key)).flatten()?;
        replaced.leave();
        Some(replaced)
    }

    /// Whether a copy of so many bytes that is put in is certain to stay: mini-moka refuses and evicts nothing below its
    /// capacity. Half of it is left for what other threads have under way, which mini-moka takes into account later.
    fn is_roomy(&self, bytes: u64) -> bool {
        self.residents.weight().saturating_add(self.bounds.weight(bytes)) <= self.bounds.total / 2
    }

    /// Drops what has idled and what has expired, as far as a copy of that weight needs the room.
    fn make_room(&self, weight: u64) {
        self.copies.sync();
        while self.residents.weight().saturating_add(weight) > self.bounds.total && self.drop_expired() {}
    }

    /// Drops some copies that have expired; returns whether there were any.
    fn drop_expired(&self) -> bool {
        if planted(Bug::ExpiryLeftToMemory) {
            return false;
        }
        let expired = self.residents.deadlines.take_expired(self.residents.clock.now_ms(), DROPPED_AT_ONCE);
        let stays = expired.iter().filter_map(Weak::upgrade);
        // One that was replaced has left already, and its key is that of another.
        let keys: Vec<Key> = stays.filter_map(|copy| copy.stay.get()?.end_of(&copy)).collect();
        keys.iter().for_each(|key| self.copies.invalidate(key));
        !expired.is_empty()
    }

    fn remove(&self, key: &Key, now_ms: i64) -> Option<Arc<CachedEntry>> {
        let live = self.get(key, now_ms);
        if let Some(copy) = &live {
            copy.leave();
        }
        self.copies.invalidate(key);
        self.copies.sync();
        live
    }

    fn remove_matching(&self, mut matches: impl FnMut(&Key, &CachedEntry) -> bool) -> usize {
        // Found first, removed after: the iterator holds locks that removing needs.
        let keys: Vec<Key> = self
            .copies
            .iter()
            .filter(|held| matches(held.key(), held.value()))
            .inspect(|held| held.leave())
            .map(|held| held.key().clone())
            .collect();
        for key in &keys {
            self.copies.invalidate(key);
        }
        self.copies.sync();
        keys.len()
    }

    /// The copies that are live at `now_ms` and fit into `bounds`, those that were read last first.
    fn newest(&self, bounds: Bounds, now_ms: i64) -> Vec<(Key, Arc<CachedEntry>)> {
        let live = self.copies.iter().filter(|held| held.value().is_live(now_ms));
        let mut copies: Vec<_> = live.map(|held| (held.key().clone(), Arc::clone(held.value()))).collect();
        copies.sort_by_key(|(_, copy)| Reverse(copy.last_read_ms.load(Relaxed)));
        let mut left = bounds.total;
        copies.retain(|(key, copy)| match left.checked_sub(bounds.weight(bytes(key, copy))) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        copies
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What goes with the whole memory is not evicted.
        self.copies.iter().for_each(|held| held.leave());
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bounds", &self.held().bounds).finish_non_exhaustive()
    }
}

fn bytes(key: &Key, copy: &CachedEntry) -> u64 {
    let tags: u64 = copy.entry.tags.iter().map(|tag| tag.len() as u64 + TAG_OVERHEAD_BYTES).sum();
    OVERHEAD_BYTES + key.as_str().len() as u64 + copy.entry.text.len() as u64 + tags
}

#[cfg(test)]
mod tests;
