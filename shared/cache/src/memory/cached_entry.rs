//! A copy in L1: a value, and what is known of it.

use super::stay::Stay;
use crate::{
    cache_position::{self, CachePosition},
    config::L1Config,
    entry::Entry,
    key::Key,
    version::Position,
};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

/// No position: none has the time 0.
const SOUGHT: u64 = 1;

/// A certified copy of a value: at the journal's position `as_of`, this was the key's value.
#[derive(Debug)]
pub struct CachedEntry {
    /// The value.
    pub entry: Arc<Entry>,
    /// The journal's position at which it was current.
    pub as_of: Position,
    /// The journal's position up to which nothing is known to have happened to it, as a [word](Position::packed).
    known: AtomicU64,
    /// Where its value was recorded, as a word, which is never before it; 0 where that is not known, and [`SOUGHT`] where a
    /// sync did not tell either.
    recorded: AtomicU64,
    /// When it was last known to be current, in [steady](crate::Clock::steady_ms) milliseconds; `i64::MIN` for never.
    pub read_at_ms: AtomicI64,
    /// From this millisecond on it is not returned: the level's TTL or the value's expiry, whichever is first.
    pub deadline_ms: i64,
    /// How often its value was read: by the fleet as of the last sync, and by this container since.
    pub reads: AtomicU64,
    /// When it was last read, in milliseconds since the Unix epoch; the value's creation if never.
    pub last_read_ms: AtomicI64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub(super) made_ms: i64,
    /// Its stay in a memory, once it is in one.
    pub(super) stay: OnceLock<Stay>,
}

impl CachedEntry {
    /// A copy of `entry` that is current at `as_of`, made at `now_ms`. Its counters start at zero.
    pub fn new(entry: Arc<Entry>, as_of: Position, now_ms: i64, config: &L1Config) -> CachedEntry {
        CachedEntry {
            as_of,
            known: AtomicU64::new(as_of.packed()),
            recorded: AtomicU64::new(0),
            read_at_ms: AtomicI64::new(i64::MIN),
            deadline_ms: entry.expires_at_ms.min(now_ms.saturating_add(ttl_ms(config))),
            reads: AtomicU64::new(0),
            last_read_ms: entry.created_at_ms.into(),
            made_ms: now_ms,
            stay: OnceLock::new(),
            entry,
        }
    }

    /// The same copy, made anew at `now_ms` and gone at `deadline_ms` at the latest.
    pub(super) fn until(&self, deadline_ms: i64, now_ms: i64) -> CachedEntry {
        CachedEntry {
            entry: Arc::clone(&self.entry),
            as_of: self.as_of,
            known: self.known.load(Relaxed).into(),
            recorded: self.recorded.load(Relaxed).into(),
            read_at_ms: self.read_at_ms.load(Relaxed).into(),
            deadline_ms: self.deadline_ms.min(deadline_ms),
            reads: self.reads.load(Relaxed).into(),
            last_read_ms: self.last_read_ms.load(Relaxed).into(),
            made_ms: now_ms,
            stay: OnceLock::new(),
        }
    }

    /// The journal's position up to which nothing is known to have happened to it.
    pub(crate) fn known(&self) -> Position {
        Position::unpacked(self.known.load(Relaxed))
    }

    /// Remembers that up to there nothing has.
    pub(crate) fn know(&self, until: Position) {
        self.known.fetch_max(until.packed(), Relaxed);
    }

    /// Remembers where its value was recorded.
    pub(crate) fn record(&self, at: Position) {
        self.recorded.store(at.packed_up(), Relaxed);
    }

    /// Remembers that a sync did not tell where its value was recorded.
    pub(crate) fn sought_record(&self) {
        let _ = self.recorded.compare_exchange(0, SOUGHT, Relaxed, Relaxed);
    }

    /// What whoever reads it has seen.
    pub(crate) fn position(&self) -> CachePosition {
        let recorded = self.recorded.load(Relaxed);
        CachePosition::of_value(&self.entry, if recorded == SOUGHT { 0 } else { recorded })
    }

    /// Whether a sync may tell where its value was recorded, which is not known: it may have come since the journal was last
    /// read, at `now_ms`.
    pub(crate) fn awaits_record(&self, now_ms: u64) -> bool {
        self.recorded.load(Relaxed) == 0 && !cache_position::is_over(&self.entry, now_ms)
    }

    /// The key under which it is in a memory, unless it has left.
    pub(crate) fn key(&self) -> Option<Key> {
        self.stay.get()?.key()
    }

    /// Remembers that the source of truth still had this version at `asked_ms`, in steady milliseconds.
    pub fn confirm(&self, asked_ms: i64) {
        self.read_at_ms.fetch_max(asked_ms, Relaxed);
    }

    /// Whether it may still be returned at `now_ms`, as far as time decides.
    pub fn is_live(&self, now_ms: i64) -> bool {
        now_ms < self.deadline_ms
    }

    /// Says that the copy leaves the memory on purpose.
    pub(super) fn leave(&self) {
        if let Some(stay) = self.stay.get() {
            stay.end(self);
        }
    }
}

impl Drop for CachedEntry {
    fn drop(&mut self) {
        if let Some(stay) = self.stay.get() {
            stay.end_unasked(self);
        }
    }
}

/// The level's longest stay in milliseconds.
pub(super) fn ttl_ms(config: &L1Config) -> i64 {
    i64::try_from(config.ttl_minutes.saturating_mul(60_000)).unwrap_or(i64::MAX)
}
