//! Which version an operation takes: that of its time, or what exceeds the newest one that is known.
//!
//! Time alone would not do. The clock of Redis may be put back, or be that of another server, and without Redis there is
//! only a guess. What is acknowledged is in the journal, so that whatever begins after it is newer.

use super::TieredCache;
use crate::{coherence::Stamp, version::Version};

/// How far own clock is taken to be ahead of that of Redis at most, in microseconds: clocks that are kept by NTP differ by
/// far less.
const MOST_AHEAD_US: u64 = 1_000_000;
/// Within so many microseconds a version that exceeds another is drawn by lot: container numbers are drawn as well, and two
/// mutations must not have the same version, because what belongs to a value is named after it.
const SPREAD_US: u64 = 16;

impl TieredCache {
    /// The version of an operation that began with that sync.
    pub(super) fn version(&self, stamp: Stamp) -> Version {
        self.version_above(Version::ZERO, stamp)
    }

    /// The same, greater than `floor`.
    pub(super) fn version_above(&self, floor: Version, stamp: Stamp) -> Version {
        self.version_at(stamp.started_us, floor)
    }

    /// The version of a value that is written without Redis, greater than `floor`. Its time is one that Redis has reached:
    /// an invalidation that begins later with Redis would leave what is ahead of it.
    pub(super) fn version_without_redis(&self, floor: Version) -> Version {
        let reached_us = self.now_us().saturating_sub(MOST_AHEAD_US + fastrand::u64(..1000));
        self.version_at(self.stamp().started_us.max(reached_us), floor)
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
        let above_us = floor.micros() + 1 + fastrand::u64(..SPREAD_US);
        Version::at(time_us, self.container).max(Version::at(above_us, self.container))
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or_default().saturating_mul(1000)
    }
}
