//! Wall time, read in one place.
//!
//! A Lambda container is frozen between requests and its monotonic clock may stand still meanwhile, so everything
//! that must notice a freeze (expiry, the coherence window) goes by wall time, and by what the invocation itself
//! says of the time when that is later.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A clock that tells milliseconds since the Unix epoch. Clones share the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// Wall time, plus how far the current invocation is known to be ahead of it, in milliseconds.
    System { ahead: AtomicI64 },
    /// A time that moves only when told to, for tests.
    Manual(AtomicI64),
}

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Clock {
        Clock(Arc::new(Source::System { ahead: AtomicI64::new(0) }))
    }

    /// A clock that stands at `ms` until it is [set](Clock::set).
    pub fn manual(ms: i64) -> Clock {
        Clock(Arc::new(Source::Manual(AtomicI64::new(ms))))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &*self.0 {
            Source::System { ahead } => wall_ms() + ahead.load(Relaxed),
            Source::Manual(ms) => ms.load(Relaxed),
        }
    }

    /// Tells the clock a time that has certainly been reached: when the invocation began, by the platform's clock.
    ///
    /// A wall clock that is behind it, as after a thaw, runs ahead by the difference until the next call.
    pub fn observe(&self, reached_ms: i64) {
        if let Source::System { ahead } = &*self.0 {
            ahead.store((reached_ms - wall_ms()).max(0), Relaxed);
        }
    }

    /// Moves a manual clock to `ms`; does nothing to the system's.
    pub fn set(&self, ms: i64) {
        if let Source::Manual(now) = &*self.0 {
            now.store(ms, Relaxed);
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_ahead_to_the_invocation_and_never_back() {
        let clock = Clock::system();
        let later = wall_ms() + 60_000;
        clock.observe(later);
        assert!(clock.now_ms() >= later);
        clock.observe(0);
        assert!(clock.now_ms() < later);
    }
}
