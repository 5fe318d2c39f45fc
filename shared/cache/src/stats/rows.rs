//! How many values L3 holds, by what each write replaced.
//!
//! Counting a table means reading all of it, so [maintenance] does it seldom; in between, containers tell what their
//! writes added and took away. What had expired before the last census was not counted by it, and takes nothing away
//! when it is replaced.
//!
//! [maintenance]: crate::TieredCache::maintain

use crate::lock::{Lock, whole};
use serde::{Deserialize, Serialize};
use std::{
    ops::Add,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

/// Values, and the bytes of their envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub entries: u64,
    /// Bytes of all of them, as they are stored.
    pub bytes: u64,
}

impl Add for Amount {
    type Output = Amount;

    fn add(self, more: Amount) -> Amount {
        let Amount { entries, bytes } = self;
        Amount { entries: entries.saturating_add(more.entries), bytes: bytes.saturating_add(more.bytes) }
    }
}

/// A value that a row held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Bytes of its envelope.
    pub bytes: u64,
    /// When it expires, in ms.
    pub expires_at_ms: i64,
}

/// What writes have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RowChanges {
    pub entries: i64,
    pub bytes: i64,
    /// When the first of these changes was made, in ms; a census that began later has seen it. 0 when there is none.
    pub oldest_ms: i64,
}

/// Counts what the writes of this container change.
#[derive(Debug, Default)]
pub(crate) struct RowTally {
    changes: Lock<RowChanges>,
    census_ms: AtomicI64,
}

impl RowTally {
    /// A value of so many bytes was written at `now_ms`.
    pub(crate) fn stored(&self, bytes: usize, now_ms: i64) {
        self.change(1, bytes as u64, now_ms);
    }

    /// A value was replaced or removed at `now_ms`.
    pub(crate) fn gone(&self, kept: Kept, now_ms: i64) {
        if kept.expires_at_ms > self.census_ms.load(Relaxed) {
            self.change(-1, kept.bytes, now_ms);
        }
    }

    /// Remembers when the last census began, in ms.
    pub(crate) fn learn_census(&self, began_ms: i64) {
        self.census_ms.store(began_ms, Relaxed);
    }

    /// Whether anything has changed that was not told.
    pub(crate) fn has_changes(&self) -> bool {
        *self.changes.enter(whole) != RowChanges::default()
    }

    /// What has changed since this was asked last.
    pub(crate) fn take(&self) -> RowChanges {
        std::mem::take(&mut *self.changes.enter(whole))
    }

    fn change(&self, sign: i64, bytes: u64, now_ms: i64) {
        let mut changes = self.changes.enter(whole);
        if changes.oldest_ms == 0 {
            changes.oldest_ms = now_ms;
        }
        changes.entries += sign;
        changes.bytes += sign * i64::try_from(bytes).unwrap_or(i64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_expired_before_the_census_was_not_counted_and_takes_nothing_away() {
        let tally = RowTally::default();
        tally.stored(100, 10);
        tally.gone(Kept { bytes: 30, expires_at_ms: 1000 }, 20);
        assert_eq!(tally.take(), RowChanges { entries: 0, bytes: 70, oldest_ms: 10 });
        tally.learn_census(1000);
        tally.gone(Kept { bytes: 30, expires_at_ms: 1000 }, 1100);
        assert_eq!(tally.take(), RowChanges::default());
        tally.gone(Kept { bytes: 30, expires_at_ms: 1001 }, 1200);
        assert_eq!(tally.take(), RowChanges { entries: -1, bytes: -30, oldest_ms: 1200 });
    }
}
