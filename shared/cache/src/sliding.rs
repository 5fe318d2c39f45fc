//! Sliding expiry: an entry that expires when nobody has read it for some time.
//!
//! An entry has one instant at which it expires, in all levels, and a read that comes too close to it postpones it, as a
//! PATCH does. No read counter is involved, so none can be lost: after any read an entry lives for at least its idle time,
//! unless its time to live ends first. So that not every read has to write, the end is postponed a little further than
//! necessary.

use serde::{Deserialize, Serialize};

/// How much further off, as a part of the time that an entry may be idle, and at least, in ms.
const SPARE_PART: i64 = 8;
const LEAST_SPARE_MS: i64 = 1000;

/// When an entry with sliding expiry ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sliding {
    /// For how long it may be idle, in seconds.
    pub idle_seconds: u32,
    /// When it expires at the latest, however often it is read, in milliseconds since the Unix epoch.
    pub latest_ms: i64,
}

impl Sliding {
    /// When an entry expires that is put or read at `now_ms`, and then never again.
    pub(crate) fn end(self, now_ms: i64) -> i64 {
        let idle_ms = i64::from(self.idle_seconds) * 1000;
        now_ms.saturating_add(idle_ms + (idle_ms / SPARE_PART).max(LEAST_SPARE_MS)).min(self.latest_ms)
    }

    /// Whether the end of an entry that is read at `now_ms` is to be put off.
    pub(crate) fn is_near(self, expires_at_ms: i64, now_ms: i64) -> bool {
        expires_at_ms < now_ms.saturating_add(i64::from(self.idle_seconds) * 1000).min(self.latest_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn a_read_leaves_as_much_time_as_an_entry_may_be_idle() {
        let sliding = Sliding { idle_seconds: 80, latest_ms: HOUR_MS };
        let mut expires_at_ms = sliding.end(0);
        assert_eq!(expires_at_ms, 90_000);
        let mut written = 0;
        for now_ms in (0..HOUR_MS).step_by(500) {
            if sliding.is_near(expires_at_ms, now_ms) {
                expires_at_ms = sliding.end(now_ms);
                written += 1;
            }
            assert!(expires_at_ms >= (now_ms + 80_000).min(HOUR_MS) && expires_at_ms <= now_ms + 90_000);
        }
        assert_eq!((expires_at_ms, written > 300 && written < 360), (HOUR_MS, true), "{written} writes in an hour");
    }

    #[test]
    fn what_may_be_idle_for_a_moment_is_not_written_with_every_read() {
        let sliding = Sliding { idle_seconds: 1, latest_ms: HOUR_MS };
        assert_eq!(sliding.end(0), 2000);
        assert!(!sliding.is_near(2000, 1000) && sliding.is_near(2000, 1001));
    }

    #[test]
    fn its_time_to_live_ends_it_all_the_same() {
        let sliding = Sliding { idle_seconds: u32::MAX, latest_ms: HOUR_MS };
        assert_eq!(sliding.end(0), HOUR_MS);
        assert!(!sliding.is_near(HOUR_MS, HOUR_MS - 1));
    }
}
