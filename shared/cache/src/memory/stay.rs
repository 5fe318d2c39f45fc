//! A copy's stay in L1: counted while it lasts, and judged when it ends.
//!
//! mini-moka tells nobody when it evicts. A copy is dropped when it leaves, whatever the reason. Whoever takes a copy
//! out on purpose ends its stay first; what leaves without that, before its time is over, was evicted. Reading a copy
//! costs nothing more.

use super::{Copy, Usage};
use crate::{
    Clock,
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
    /// A copy that was not read for so long is dropped, in ms.
    pub(super) idle_ms: i64,
    entries: AtomicI64,
    text_bytes: AtomicI64,
    bytes: AtomicI64,
}

impl Residents {
    pub(super) fn new(clock: Clock, counters: Counters, idle_ms: i64) -> Residents {
        let (entries, text_bytes, bytes) = Default::default();
        Residents { clock, counters, idle_ms, entries, text_bytes, bytes }
    }

    pub(super) fn usage(&self) -> Usage {
        let read = |gauge: &AtomicI64| u64::try_from(gauge.load(Relaxed)).unwrap_or_default();
        Usage { entries: read(&self.entries), text_bytes: read(&self.text_bytes), bytes: read(&self.bytes) }
    }

    fn add(&self, sign: i64, copy: &Copy, bytes: u32) {
        let text_bytes = i64::try_from(copy.entry.text.len()).unwrap_or(i64::MAX);
        self.entries.fetch_add(sign, Relaxed);
        self.text_bytes.fetch_add(sign * text_bytes, Relaxed);
        self.bytes.fetch_add(sign * i64::from(bytes), Relaxed);
    }
}

/// The stay of one copy. Every copy in memory has one, so it says no more than the copy does not.
#[derive(Debug)]
pub(super) struct Stay {
    residents: Arc<Residents>,
    bytes: u32,
    /// The copy was taken out, or never let in.
    ended: AtomicBool,
}

impl Stay {
    /// Begins the stay of `copy`, which takes so many bytes.
    pub(super) fn begin(residents: &Arc<Residents>, copy: &Copy, bytes: u64) -> Stay {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        residents.add(1, copy, bytes);
        let residents = Arc::clone(residents);
        Stay { residents, bytes, ended: AtomicBool::new(false) }
    }

    /// Ends the stay of `copy` on purpose: what comes now is no eviction. Returns whether it had not ended before.
    pub(super) fn end(&self, copy: &Copy) -> bool {
        let ends = !self.ended.swap(true, AcqRel);
        if ends {
            self.residents.add(-1, copy, self.bytes);
        }
        ends
    }

    /// Ends the stay of `copy`, which is dropped. Unless that was its end before, or its time is over, it was evicted.
    pub(super) fn end_unasked(&self, copy: &Copy) {
        if self.end(copy) && !self.is_over(copy) {
            let below = !copy.entry.levels.and(LOWER).is_empty();
            self.residents.counters.add(Count::Evictions, 1);
            self.residents.counters.add(Count::Demotions, u64::from(below));
        }
    }

    /// Whether time has ended the stay: the copy expired, or nobody read it for the idle time.
    fn is_over(&self, copy: &Copy) -> bool {
        let now_ms = self.residents.clock.now_ms();
        let used_ms = copy.made_ms.max(copy.last_read_ms.load(Relaxed));
        now_ms >= copy.deadline_ms || now_ms.saturating_sub(used_ms) >= self.residents.idle_ms
    }
}
