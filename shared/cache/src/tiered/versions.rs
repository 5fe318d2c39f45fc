//! Which version an operation takes: that of its time, or what exceeds the newest one that is known.
//!
//! Time alone would not do. The clock of Redis may be put back, or be that of another server, and without Redis there is
//! only a guess. What is acknowledged is in the journal, so that whatever begins after it is newer.

use super::TieredCache;
use crate::{coherence::Stamp, version::Version};
use std::time::Instant;

/// How far the clock of a container that has never asked Redis is taken to be ahead of it, in microseconds: far more than
/// clocks that are kept by NTP differ.
const MOST_AHEAD_US: u64 = 1_000_000;

impl TieredCache {
    /// The version of an operation that began with that sync.
    pub(super) fn version(&self, stamp: Stamp) -> Version {
        self.version_above(Version::ZERO, stamp)
    }

    /// The same, greater than `floor`.
    pub(super) fn version_above(&self, floor: Version, stamp: Stamp) -> Version {
        self.version_at(stamp.started_us, floor)
    }

    /// The version of a value that is written without Redis, greater than `floor`: its time is one that Redis has reached.
    /// An invalidation that begins later with Redis would leave what is ahead of it.
    pub(super) fn version_without_redis(&self, floor: Version) -> Version {
        let reached_us = self.knowledge().reached_us(Instant::now());
        let unsynced_us = || self.now_us().saturating_sub(MOST_AHEAD_US + fastrand::u64(..1000));
        self.version_at(reached_us.unwrap_or_else(unsynced_us), floor)
    }

    /// A version greater than all that were taken before, also where Redis cannot be asked: its time is at most what it
    /// was last, and the time since that was asked, by own clock.
    pub(super) fn version_above_all(&self) -> Version {
        let stamp = self.stamp();
        let since_ms = u64::try_from(self.clock.now_ms().saturating_sub(stamp.sent_ms)).unwrap_or_default();
        let time_us = match stamp.started_us {
            0 => self.now_us(),
            started_us => started_us.saturating_add(since_ms.saturating_mul(1000)),
        };
        self.version_at(time_us, Version::ZERO)
    }

    fn version_at(&self, time_us: u64, floor: Version) -> Version {
        let floors = self.store.floors();
        let floor = floor.max(floors.l2).max(floors.l3).max(self.knowledge().newest());
        Version::at(time_us, self.container).max(floor.above(self.container))
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or_default().saturating_mul(1000)
    }
}
