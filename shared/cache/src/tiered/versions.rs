//! Which version an operation takes: that of its time, or what exceeds the newest one that is known.
//!
//! Time alone would not do. The clock of Redis may be put back, or be that of another server, and without Redis there is
//! only a guess. What is acknowledged is in the journal, so that whatever begins after it is newer.

use super::TieredCache;
use crate::{
    coherence::Stamp,
    planted::{Bug, planted},
    version::Version,
};
use std::time::Instant;

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
    /// an invalidation that begins later with Redis would leave what is ahead of it. Nor is it long ago: an invalidation
    /// that began before and has not ended would take it.
    pub(super) fn version_without_redis(&self, floor: Version) -> Version {
        let reached_us = self.knowledge().reached_us(Instant::now());
        let own_us = self.now_us().saturating_sub(MOST_AHEAD_US + fastrand::u64(..1000));
        let time_us = if planted(Bug::TimeAheadOfRedis) { self.latest_us() } else { reached_us.max(own_us) };
        self.version_at(time_us, floor)
    }

    /// A version greater than all that were taken before, also where Redis cannot be asked.
    pub(super) fn version_above_all(&self) -> Version {
        self.version_at(self.latest_us(), Version::ZERO)
    }

    /// What Redis time is at most: what it was last, and the time since that was asked, by own clock.
    fn latest_us(&self) -> u64 {
        let stamp = self.stamp();
        let since_ms = u64::try_from(self.clock.now_ms().saturating_sub(stamp.sent_ms)).unwrap_or_default();
        match stamp.started_us {
            0 => self.now_us(),
            started_us => started_us.saturating_add(since_ms.saturating_mul(1000)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Config, Deployment, redis::SyncReply};
    use std::time::Duration;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn cache() -> (TieredCache, Clock) {
        let clock = Clock::manual(NOW_MS.cast_signed());
        let deployment = Deployment { clock: clock.clone(), ..Deployment::new("control") };
        (TieredCache::open(deployment, Config::default()).expect("the defaults go together"), clock)
    }

    /// Lets the cache learn, now, by a sync that took so long, that Redis time is `time_us`.
    fn sync(cache: &TieredCache, time_us: u64, took: Duration) {
        let sent_ms = NOW_MS - u64::try_from(took.as_millis()).expect("it is short");
        cache.knowledge().apply(SyncReply::at(time_us), sent_ms.cast_signed());
    }

    #[test]
    fn without_redis_it_is_a_time_that_redis_has_reached() {
        let (cache, clock) = cache();
        let without_redis = || cache.version_without_redis(Version::ZERO).micros();
        let less_a_second = |ms| (ms - 1001) * 1000..=(ms - 1000) * 1000;
        assert!(less_a_second(NOW_MS).contains(&without_redis()), "Redis was never asked");
        let time_us = NOW_MS * 1000 + 300;
        sync(&cache, time_us, Duration::from_secs(3600));
        let first = without_redis();
        assert!((time_us..time_us + 60_000_000).contains(&first), "however long the answer took: {first}");
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(10) {}
        assert!(without_redis() > first, "and no two are the same");
        let thawed_ms = NOW_MS + 3_600_000;
        clock.set(thawed_ms.cast_signed());
        assert!(less_a_second(thawed_ms).contains(&without_redis()), "the clock stood still");
    }

    #[test]
    fn above_all_is_what_redis_time_can_be_at_most() {
        let (cache, clock) = cache();
        assert_eq!(cache.version_above_all().micros(), NOW_MS * 1000);
        sync(&cache, NOW_MS * 1000 + 300, Duration::from_millis(400));
        clock.set((NOW_MS + 5).cast_signed());
        assert_eq!(cache.version_above_all().micros(), (NOW_MS + 405) * 1000 + 300);
    }

    #[test]
    fn what_exceeds_another_is_close_to_it_and_drawn_by_lot() {
        let (cache, _) = cache();
        sync(&cache, NOW_MS * 1000, Duration::ZERO);
        let floor = Version::at(NOW_MS * 2000, 9);
        let drawn: Vec<_> = (0..1000).map(|_| cache.version_above(floor, cache.stamp())).collect();
        assert!(drawn.iter().all(|version| (1..=SPREAD_US).contains(&(version.micros() - floor.micros()))));
        assert!(drawn.iter().any(|version| *version != drawn[0]));
        assert_eq!(cache.version(cache.stamp()).micros(), NOW_MS * 1000, "time alone where that is enough");
    }
}
