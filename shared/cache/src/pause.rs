//! The circuit breaker of a level: after a failure it is left alone for a moment, so that an outage does not cost every
//! request its timeout.

use crate::Clock;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// How long a level is left alone, in milliseconds.
const PAUSE_MS: i64 = 1000;

/// Whether a level is left alone.
#[derive(Debug)]
pub(crate) struct Pause {
    /// In steady time.
    until_ms: AtomicI64,
    clock: Clock,
}

impl Pause {
    pub(crate) fn new(clock: Clock) -> Pause {
        Pause { until_ms: AtomicI64::new(i64::MIN), clock }
    }

    /// Leaves the level alone for a moment from now on.
    pub(crate) fn begin(&self) {
        self.until_ms.store(self.clock.steady_ms() + PAUSE_MS, Relaxed);
    }

    /// Leaves it alone no longer.
    pub(crate) fn end(&self) {
        self.until_ms.store(i64::MIN, Relaxed);
    }

    /// Whether the level is left alone now. A wall clock that is put back ends the pause.
    pub(crate) fn is_on(&self) -> bool {
        let left_ms = self.until_ms.load(Relaxed).saturating_sub(self.clock.steady_ms());
        left_ms > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasts_a_second_whatever_the_clock_does() {
        let clock = Clock::manual(10_000);
        let pause = Pause::new(clock.clone());
        assert!(!pause.is_on());
        pause.begin();
        assert!(pause.is_on());
        clock.set(10_999);
        assert!(pause.is_on());
        clock.set(11_000);
        assert!(!pause.is_on());
        clock.set(5_000);
        assert!(!pause.is_on(), "the clock was put back");
        pause.begin();
        clock.set(4_000);
        assert!(!pause.is_on(), "and once more, in a pause");
        pause.begin();
        pause.end();
        assert!(!pause.is_on());
        pause.begin();
        clock.tick(999);
        assert!(pause.is_on());
        clock.tick(1);
        assert!(!pause.is_on());
    }
}
