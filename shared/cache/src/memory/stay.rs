//! A copy's stay in L1: counted while it lasts, and judged when it ends.
//!
//! mini-moka tells nobody when it evicts. A copy is dropped when it leaves, whatever the reason. Whoever takes a copy
//! out on purpose ends its stay first; what leaves without that, before its time is over, was evicted. Reading a copy
//! costs nothing more.

use super::{Bounds, CachedEntry, Usage, deadlines::Deadlines};
use crate::{
    Clock,
    key::Key,
    level::{Level, Levels},
    stats::{Count, Counters},
};
use std::sync::{
    Arc,
    atomic::{
        AtomicBool, AtomicI64,
        Ordering::{AcqRel, Relaxed},
    },
};

/// The lower levels, which may keep what L1 evicts.
const LOWER: Levels = Levels::ALL.without(Level::L1);

/// What stays in one memory now.
#[derive(Debug)]
pub(super) struct Residents {
    pub(super) clock: Clock,
    pub(super) counters: Counters,
    pub(super) deadlines: Deadlines,
    /// A copy that was not read for so long is dropped, in ms.
    pub(super) idle_ms: i64,
    bounds: Bounds,
    entries: AtomicI64,
    text_bytes: AtomicI64,
    bytes: AtomicI64,
    weight: AtomicI64,
}

impl Residents {
    pub(super) fn new(clock: Clock, counters: Counters, idle_ms: i64, bounds: Bounds) -> Residents {
        let (entries, text_bytes, bytes, weight) = Default::default();
        let deadlines = Deadlines::default();
        Residents { clock, counters, deadlines, idle_ms, bounds, entries, text_bytes, bytes, weight }
    }

    /// What stays and has not expired by `now_ms`.
    pub(super) fn live(&self, now_ms: i64) -> Usage {
        let read = |gauge: &AtomicI64| u64::try_from(gauge.load(Relaxed)).unwrap_or_default();
        let all = Usage { entries: read(&self.entries), text_bytes: read(&self.text_bytes), bytes: read(&self.bytes) };
        all.minus(self.deadlines.expired(now_ms))
    }

    /// What all that stays weighs, expired or not.
    pub(super) fn weight(&self) -> u64 {
        u64::try_from(self.weight.load(Relaxed)).unwrap_or_default()
    }

    fn add(&self, sign: i64, usage: Usage) {
        let signed = |number: u64| sign * i64::try_from(number).unwrap_or(i64::MAX);
        self.entries.fetch_add(sign, Relaxed);
        self.text_bytes.fetch_add(signed(usage.text_bytes), Relaxed);
        self.bytes.fetch_add(signed(usage.bytes), Relaxed);
        self.weight.fetch_add(signed(self.bounds.weight(usage.bytes)), Relaxed);
    }
}

/// The stay of one copy. Every copy in memory has one, so it says no more than the copy does not.
#[derive(Debug)]
pub(super) struct Stay {
    residents: Arc<Residents>,
    key: Arc<str>,
    bytes: u32,
    /// The copy was taken out, or never let in.
    ended: AtomicBool,
}

impl Stay {
    /// Begins the stay of `copy`, which takes so many bytes, under `key`.
    pub(super) fn begin(residents: &Arc<Residents>, key: &Key, copy: &Arc<CachedEntry>, bytes: u64) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let stay = Stay { residents: Arc::clone(residents), key: key.shared(), bytes, ended: AtomicBool::new(false) };
        let usage = stay.usage(copy);
        if copy.stay.set(stay).is_ok() {
            residents.add(1, usage);
            residents.deadlines.add(copy, usage);
        }
    }

    /// Ends the stay of `copy` on purpose: what comes now is no eviction. Returns whether it had not ended before.
    pub(super) fn end(&self, copy: &CachedEntry) -> bool {
        let ends = !self.ended.swap(true, AcqRel);
        if ends {
            self.residents.add(-1, self.usage(copy));
            self.residents.deadlines.end(copy, self.usage(copy));
        }
        ends
    }

    /// The key of the copy, if that is still there.
    pub(super) fn key(&self) -> Option<Key> {
        (!self.ended.load(Relaxed)).then(|| Key::again(&self.key))
    }

    /// Ends it in the same way; returns the key of the copy if that is still there.
    pub(super) fn end_of(&self, copy: &CachedEntry) -> Option<Key> {
        self.end(copy).then(|| Key::again(&self.key))
    }

    /// Ends the stay of `copy`, which is dropped. Unless that was its end before, or its time is over, it was evicted.
    pub(super) fn end_unasked(&self, copy: &CachedEntry) {
        if self.end(copy) && !self.is_over(copy) {
            let below = !copy.entry.levels.and(LOWER).is_empty();
            self.residents.counters.add(Count::Evictions, 1);
            self.residents.counters.add(Count::Demotions, u64::from(below));
        }
    }

    fn usage(&self, copy: &CachedEntry) -> Usage {
        Usage { entries: 1, text_bytes: copy.entry.text.len() as u64, bytes: self.bytes.into() }
    }

    /// Whether time has ended the stay: the copy expired, or nobody read it for the idle time.
    fn is_over(&self, copy: &CachedEntry) -> bool {
        let now_ms = self.residents.clock.now_ms();
        let used_ms = copy.made_ms.max(copy.last_read_ms.load(Relaxed));
        now_ms >= copy.deadline_ms || now_ms.saturating_sub(used_ms) >= self.residents.idle_ms
    }
}
