//! A copy's stay in L1: counted while it lasts, and judged when it ends.
//!
//! mini-moka tells nobody when it evicts. A copy is dropped when it leaves, whatever the reason, so what watches is
//! dropped with it. Whoever takes a copy out on purpose ends its stay first; what leaves without that, before its time
//! is over, was evicted. Reading a copy costs nothing more.

use super::{Copy, Reads, Usage};
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

    fn add(&self, sign: i64, stay: &Stay) {
        let signed = |bytes: u64| sign * i64::try_from(bytes).unwrap_or(i64::MAX);
        self.entries.fetch_add(sign, Relaxed);
        self.text_bytes.fetch_add(signed(stay.text_bytes), Relaxed);
        self.bytes.fetch_add(signed(stay.bytes), Relaxed);
    }
}

/// The stay of one copy.
#[derive(Debug)]
pub(super) struct Stay {
    residents: Arc<Residents>,
    reads: Arc<Reads>,
    text_bytes: u64,
    bytes: u64,
    began_ms: i64,
    deadline_ms: i64,
    /// A lower level was given the value as well.
    below: bool,
    /// The copy was taken out, or never let in.
    ended: AtomicBool,
}

impl Stay {
    /// Begins the stay of `copy`, which takes so many bytes.
    pub(super) fn begin(residents: &Arc<Residents>, copy: &Copy, bytes: u64) -> Stay {
        let stay = Stay {
            residents: Arc::clone(residents),
            reads: Arc::clone(&copy.reads),
            text_bytes: copy.entry.text.len() as u64,
            bytes,
            began_ms: residents.clock.now_ms(),
            deadline_ms: copy.deadline_ms,
            below: !copy.entry.levels.and(LOWER).is_empty(),
            ended: AtomicBool::new(false),
        };
        residents.add(1, &stay);
        stay
    }

    /// Ends the stay on purpose: what comes now is no eviction.
    pub(super) fn end(&self) {
        if !self.ended.swap(true, AcqRel) {
            self.residents.add(-1, self);
        }
    }

    /// Whether time has ended the stay: the copy expired, or nobody read it for the idle time.
    fn is_over(&self) -> bool {
        let now_ms = self.residents.clock.now_ms();
        let used_ms = self.began_ms.max(self.reads.last_ms.load(Relaxed));
        now_ms >= self.deadline_ms || now_ms.saturating_sub(used_ms) >= self.residents.idle_ms
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if *self.ended.get_mut() {
            return;
        }
        self.residents.add(-1, self);
        if !self.is_over() {
            self.residents.counters.add(Count::Evictions, 1);
            self.residents.counters.add(Count::Demotions, u64::from(self.below));
        }
    }
}
