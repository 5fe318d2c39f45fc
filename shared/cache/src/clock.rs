//! Time, read in one place.
//!
//! A Lambda container is frozen between requests and its monotonic clock may stand still meanwhile, so what must notice a
//! freeze goes by wall time, and by what the invocation itself says of the time when that is later. Wall time in turn may
//! be put back. So there are two: expiry is a date, and goes by [wall time](Clock::now_ms); how old something is, which
//! every window is judged by, goes by [steady time](Clock::steady_ms), for which the longer of both counts.

use crate::{
    lock::{Lock, whole},
    planted,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// By how much steady time leaps when wall time was put back, in ms: longer than any window. What is kept of time by
/// [`elapsed_ms`] is what is left of a multiple of it.
const LEAP_MS: i64 = 1 << 40;
const NANOS_PER_MS: i64 = 1_000_000;

/// A clock of milliseconds since the Unix epoch. Clones share the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: Source,
    steady: Lock<Steady>,
}

#[derive(Debug)]
enum Source {
    /// Wall time, plus how far the current invocation is known to be ahead of it, in milliseconds; and the monotonic clock
    /// since `started`.
    System { ahead: AtomicI64, started: Instant },
    /// Both move only when told to, for tests, in milliseconds.
    Manual { wall: AtomicI64, monotonic: AtomicI64 },
}

/// Steady time as it was read last.
#[derive(Debug)]
struct Steady {
    /// What the two clocks said, in ns.
    wall: i64,
    monotonic: i64,
    /// How much has passed, in ns.
    passed: i64,
    leaps: i64,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock::of(Source::System { ahead: AtomicI64::new(0), started: Instant::now() })
    }

    /// A clock that stands at `ms` until it is [set](Clock::set).
    pub fn manual(ms: i64) -> Clock {
        Clock::of(Source::Manual { wall: AtomicI64::new(ms), monotonic: AtomicI64::new(0) })
    }

    fn of(source: Source) -> Clock {
        let (wall, monotonic) = source.read();
        Clock(Arc::new(Shared { source, steady: Lock::new(Steady { wall, monotonic, passed: wall, leaps: 0 }) }))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.0.source.wall_ms()
    }

    /// Milliseconds on a scale of its own, by which the age of what is known is judged: the difference of two of them is no
    /// less than what passed by the wall clock, nor than what passed by the monotonic clock. When the wall clock is found
    /// to have been put back it leaps, and everything known is too old for any window: how long the container was frozen
    /// cannot be told then.
    pub fn steady_ms(&self) -> i64 {
        if planted::planted(planted::Bug::WallClockBelieved) {
            return self.now_ms();
        }
        let mut steady = self.0.steady.enter(whole);
        // Read within: what another thread reads later never comes first.
        let (wall, monotonic) = self.0.source.read();
        steady.advance(wall, monotonic)
    }

    /// Tells the clock a time that has certainly been reached: when the invocation began, by the platform's clock.
    ///
    /// A wall clock that is behind it, as after a thaw, runs ahead by the difference until the next call.
    pub fn observe(&self, reached_ms: i64) {
        if let Source::System { ahead, .. } = &self.0.source {
            ahead.store((reached_ms - system_ns() / NANOS_PER_MS).max(0), Relaxed);
        }
    }

    /// Tells the clock that an invocation has begun that must end at `deadline_ms`, in ms since the Unix epoch, and may take
    /// `limit` in total. Call it first in every invocation, because a container's own clock may be behind after a freeze. On
    /// AWS Lambda these are the deadline of the invocation's context, and the timeout the function is deployed with.
    pub fn invoked(&self, deadline_ms: u64, limit: Duration) {
        let began_ms = u128::from(deadline_ms).saturating_sub(limit.as_millis());
        self.observe(i64::try_from(began_ms).unwrap_or(0));
    }

    /// Moves the wall time of a manual clock to `ms`, as if its monotonic clock stood still; no effect on the system's clock.
    pub fn set(&self, ms: i64) {
        if let Source::Manual { wall, .. } = &self.0.source {
            wall.store(ms, Relaxed);
        }
    }

    /// Moves the monotonic time of a manual clock on by `ms`, as if its wall clock stood still; does nothing to the
    /// system's.
    pub fn tick(&self, ms: u32) {
        if let Source::Manual { monotonic, .. } = &self.0.source {
            monotonic.fetch_add(ms.into(), Relaxed);
        }
    }
}

impl Source {
    fn wall_ms(&self) -> i64 {
        match self {
            Source::System { ahead, .. } => system_ns() / NANOS_PER_MS + ahead.load(Relaxed),
            Source::Manual { wall, .. } => wall.load(Relaxed),
        }
    }

    /// Wall and monotonic time, in ns.
    fn read(&self) -> (i64, i64) {
        match self {
            Source::System { ahead, started } => {
                let monotonic = i64::try_from(started.elapsed().as_nanos()).unwrap_or(i64::MAX);
                (system_ns() + ahead.load(Relaxed) * NANOS_PER_MS, monotonic)
            }
            Source::Manual { wall, monotonic } => {
                let ns = |ms: &AtomicI64| ms.load(Relaxed).saturating_mul(NANOS_PER_MS);
                (ns(wall), ns(monotonic))
            }
        }
    }
}

impl Steady {
    /// Goes on to what the two clocks say now; returns steady time in ms.
    fn advance(&mut self, wall: i64, monotonic: i64) -> i64 {
        let went_back = wall < self.wall;
        self.leaps += i64::from(went_back);
        self.passed += wall.saturating_sub(self.wall).max(monotonic.saturating_sub(self.monotonic)).max(0);
        (self.wall, self.monotonic) = (wall, monotonic);
        self.leaps * LEAP_MS + self.passed / NANOS_PER_MS
    }
}

/// What passed between two steady times, in ms, as far as can be told where the wall clock was put back meanwhile; 0 where
/// `earlier` is the later one.
pub(crate) fn elapsed_ms(earlier: i64, now: i64) -> u64 {
    (now.saturating_sub(earlier).max(0) % LEAP_MS).unsigned_abs()
}

/// Nanoseconds since the Unix epoch: enough until 2262.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn system_ns() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX).saturating_add(planted::step_ms() * NANOS_PER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_began_its_time_before_its_deadline() {
        let clock = Clock::system();
        let now_ms = u64::try_from(clock.now_ms()).expect("it is after 1970");
        clock.invoked(now_ms + 3_630_000, Duration::from_secs(30));
        assert!(clock.now_ms() >= i64::try_from(now_ms).expect("it is before the end of time") + 3_600_000);
        clock.invoked(0, Duration::from_secs(30));
        assert!(clock.now_ms() < i64::try_from(now_ms).expect("it is before the end of time") + 3_000_000);
    }

    #[test]
    fn runs_ahead_to_the_invocation_and_never_back() {
        let clock = Clock::system();
        let later = system_ns() / NANOS_PER_MS + 60_000;
        clock.observe(later);
        assert!(clock.now_ms() >= later);
        clock.observe(0);
        assert!(clock.now_ms() < later);
    }

    #[test]
    fn steady_time_goes_by_the_clock_that_went_further() {
        let clock = Clock::manual(10_000);
        let began = clock.steady_ms();
        let age_ms = || clock.steady_ms() - began;
        clock.set(10_300);
        assert_eq!(age_ms(), 300, "frozen: the monotonic clock stood still");
        clock.tick(300);
        assert_eq!(age_ms(), 600, "read in between: never less than either");
        clock.set(11_000);
        clock.tick(500);
        assert_eq!(age_ms(), 1300);
    }

    #[test]
    fn a_wall_clock_that_is_put_back_makes_everything_too_old() {
        let clock = Clock::manual(7_200_000);
        let before = clock.steady_ms();
        clock.set(3_600_000);
        clock.tick(40);
        let after = clock.steady_ms();
        assert!(after - before > 365 * 86_400_000, "older than any window");
        assert_eq!(elapsed_ms(before, after), 40, "what can be told of the time between");
        clock.tick(500);
        assert_eq!(clock.steady_ms() - after, 500, "what is learnt since ages as ever, hours before wall time is back");
        clock.set(3_601_000);
        assert_eq!(clock.steady_ms() - after, 1500, "and a freeze is noticed");
        assert_eq!(elapsed_ms(after, before), 0);
    }

    #[test]
    fn the_systems_steady_time_keeps_pace() {
        let clock = Clock::system();
        let (wall, steady) = (clock.now_ms(), clock.steady_ms());
        for _ in 0..10_000 {
            assert!(clock.steady_ms() >= steady);
        }
        let (wall, steady) = (clock.now_ms() - wall, clock.steady_ms() - steady);
        assert!((wall - 2..=2 * wall + 2).contains(&steady), "{wall} ms took {steady}");
    }
}
