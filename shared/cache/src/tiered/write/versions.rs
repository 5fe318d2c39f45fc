//! Which version an operation takes: that of its time, or one above the newest known version.
//!
//! Time alone would not do: the clock of Redis may be set back, or be that of another server, and without Redis there is only
//! a guess. What is acknowledged is in the journal, so whatever begins later gets a newer version.

use crate::tiered::TieredCache;
use crate::{
    chance,
    clock::elapsed_ms,
    coherence::AsOf,
    planted::{Bug, planted},
    version::Version,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::time::Instant;

/// How far own clock is taken to be ahead of that of Redis at most, in microseconds: clocks that are kept by NTP differ by
/// far less.
const MOST_AHEAD_US: u64 = 1_000_000;
/// Within so many microseconds a version that exceeds another is drawn by lot: container numbers are drawn as well, and two
/// mutations must not have the same version, because what belongs to a value is named after it. The first so many above a
/// version are for the same value with other things said about it, and what is newer than the value is above those.
const SPREAD_US: u64 = 16;

/// The microseconds of the last version that this container has taken: those of the next are more.
///
/// Two operations of one process may begin with the same sync, and container numbers do not tell these apart.
#[derive(Debug, Default)]
pub(crate) struct Taken(AtomicU64);

impl Taken {
    /// Takes `us`, or the least that nobody has taken and is more than all that were.
    fn take(&self, us: u64) -> u64 {
        let next = |last: u64| us.max(last + 1);
        self.0.fetch_update(Relaxed, Relaxed, |last| Some(next(last))).map_or(us, next)
    }

    fn last(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl TieredCache {
    /// The version of an operation that began with that sync.
    pub(crate) fn version(&self, as_of: AsOf) -> Version {
        self.version_above(Version::ZERO, as_of)
    }

    /// The same, greater than `floor`.
    pub(crate) fn version_above(&self, floor: Version, as_of: AsOf) -> Version {
        self.version_of(self.taken.take(self.least_us(as_of.started_us, floor)))
    }

    /// The version of a value that is written without Redis, greater than `floor`. Its time is one that Redis has reached:
    /// an invalidation that begins later with Redis would leave what is ahead of it. Nor is it long ago: an invalidation
    /// that began before and has not ended would take it.
    pub(crate) fn version_without_redis(&self, floor: Version) -> Version {
        let reached_us = self.knowledge().reached_us(Instant::now());
        let own_us = self.now_us().saturating_sub(MOST_AHEAD_US + chance::u64(..1000));
        let time_us = if planted(Bug::TimeAheadOfRedis) { self.latest_us() } else { reached_us.max(own_us) };
        self.version_of(self.taken.take(self.least_us(time_us, floor)))
    }

    /// A name for index rows that are written before their row has a version, which will be greater. `None` where Redis time
    /// was never asked.
    pub(crate) fn name_before_sync(&self) -> Option<Version> {
        let started_us = self.as_of().started_us;
        (started_us > 0).then(|| self.version_of(self.taken.take(started_us)))
    }

    /// The version of a value that stays what it was under `version`: greater than that, and smaller than whatever is to
    /// exceed it.
    pub(crate) fn version_just_above(&self, version: Version) -> Version {
        Version::at(version.micros() + 1 + chance::u64(..SPREAD_US), chance::u16())
    }

    /// A version greater than all that were taken before, also where Redis cannot be asked. It may be ahead of time, where
    /// the versions of values must not follow it.
    pub(crate) fn version_above_all(&self) -> Version {
        let time_us = self.latest_us().max(self.taken.last() + 1);
        self.version_of(self.taken_above_all.take(self.least_us(time_us, Version::ZERO)))
    }

    /// What Redis time is at most: what it was last, and the time since that was asked, by own clock.
    fn latest_us(&self) -> u64 {
        let as_of = self.as_of();
        let since_ms = elapsed_ms(as_of.sent_ms, self.clock.steady_ms());
        match as_of.started_us {
            0 => self.now_us(),
            started_us => started_us.saturating_add(since_ms.saturating_mul(1000)),
        }
    }

    /// The time, or what exceeds `floor` and everything known.
    fn least_us(&self, time_us: u64, floor: Version) -> u64 {
        let floors = self.store.floors();
        let floor = floor.max(floors.l2).max(floors.l3).max(self.knowledge().newest());
        time_us.max(floor.micros() + 1 + SPREAD_US + chance::u64(..SPREAD_US))
    }

    fn version_of(&self, us: u64) -> Version {
        Version::at(us, self.container)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or_default().saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Config, Deployment, coherence::SyncReply};
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
    fn a_name_is_below_the_version_that_is_taken_after_it() {
        let (cache, _) = cache();
        assert_eq!(cache.name_before_sync(), None);
        sync(&cache, NOW_MS * 1000, Duration::ZERO);
        let named = [cache.name_before_sync(), cache.name_before_sync()].map(Option::unwrap);
        let version = cache.version(cache.as_of());
        assert!(named[0] < named[1] && named[1] < version, "{named:?} {version:?}");
        assert!(version.micros() < NOW_MS * 1000 + 10, "nor is it far from its time");
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
        let floor = Version::at(NOW_MS * 2000, 9);
        let draw = || {
            let (cache, _) = cache();
            sync(&cache, NOW_MS * 1000, Duration::ZERO);
            assert_eq!(cache.version(cache.as_of()).micros(), NOW_MS * 1000, "time alone where that is enough");
            cache.version_above(floor, cache.as_of()).micros() - floor.micros()
        };
        let drawn: Vec<_> = (0..100).map(|_| draw()).collect();
        assert!(drawn.iter().all(|above| (SPREAD_US + 1..=2 * SPREAD_US).contains(above)), "{drawn:?}");
        assert!(drawn.iter().any(|above| *above != drawn[0]));
        let (cache, _) = cache();
        let just_above = || cache.version_just_above(floor);
        let drawn: Vec<_> = (0..100).map(|_| just_above().micros() - floor.micros()).collect();
        assert!(drawn.iter().all(|above| (1..=SPREAD_US).contains(above)), "the same value comes before: {drawn:?}");
        assert!(drawn.iter().any(|above| *above != drawn[0]) && just_above() != just_above());
    }

    #[test]
    fn operations_of_one_process_take_ever_greater_versions() {
        let (cache, clock) = cache();
        sync(&cache, NOW_MS * 1000, Duration::ZERO);
        let as_of = cache.as_of();
        let taken = std::thread::scope(|scope| {
            let take = || (0..500).map(|_| cache.version(as_of)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        assert!(taken.iter().all(|versions| versions.is_sorted_by(|one, next| one < next)));
        let mut all = taken.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2000, "no two have the same");
        assert!(all.iter().all(|version| version.micros() < NOW_MS * 1000 + 2000), "nor is any far from its time");
        let last = all[1999];
        assert!(cache.version_without_redis(Version::ZERO) > last, "nor one without Redis");
        clock.set(NOW_MS.cast_signed() + 60_000);
        let above_all = cache.version_above_all();
        assert!(above_all.micros() >= (NOW_MS + 60_000) * 1000 && cache.version_above_all() > above_all);
        let next = cache.version(as_of);
        assert!(next > last && next < above_all, "values do not follow what may be ahead of time");
    }

    #[test]
    fn a_wall_clock_that_is_put_back_does_not_put_versions_back() {
        let (cache, clock) = cache();
        sync(&cache, NOW_MS * 1000, Duration::ZERO);
        clock.set(NOW_MS.cast_signed() - 3_600_000);
        clock.tick(7);
        assert_eq!(cache.version_above_all().micros(), (NOW_MS + 7) * 1000);
    }
}
