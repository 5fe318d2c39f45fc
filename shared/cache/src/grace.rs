//! Grace: a value that is kept for a while after it has expired, for readers who ask for what has.
//!
//! Whether a copy may be returned has two sides. Whether it is the newest value of its key is decided for a reader who
//! takes what has expired exactly as for every other: what was deleted, overwritten or invalidated is gone for both.
//! Whether the newest value has expired is judged apart, by what the reader is willing to take. L1 keeps no value beyond its
//! life, so such a reader asks L2, or else L3.

use crate::{
    entry::{Entry, MAX_TTL_SECONDS},
    outcome::Read,
};

/// Longest grace in seconds: 365 days.
pub const MAX_GRACE_SECONDS: u32 = MAX_TTL_SECONDS;

/// Whether a reader may be given a value, as far as time decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It lives.
    Live,
    /// It has expired, and the reader takes it.
    Stale,
    /// It has expired, and the reader takes it where nobody can say anything fresher.
    InNeed,
    /// It is over for this reader.
    Over,
}

impl Freshness {
    /// What `entry` is at `now_ms` to a reader.
    pub(crate) fn of(entry: &Entry, read: Read, now_ms: i64) -> Freshness {
        if !entry.is_expired(now_ms) {
            return Freshness::Live;
        }
        let past_ms = now_ms.saturating_sub(entry.expires_at_ms);
        let takes = |seconds: u32| past_ms < i64::from(seconds.min(entry.grace_seconds)) * 1000;
        match read {
            read if takes(read.max_stale_seconds) => Freshness::Stale,
            read if takes(read.stale_if_error_seconds) => Freshness::InNeed,
            _ => Freshness::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Levels, Version, config::Format, tags::Tags};
    use bytes::Bytes;

    /// It expires at second 100, and is kept for 60 more.
    fn entry() -> Entry {
        Entry {
            text: Bytes::from_static(b"1"),
            created_at_ms: 0,
            expires_at_ms: 100_000,
            ttl_seconds: 100,
            sliding: None,
            grace_seconds: 60,
            tags: Tags::default(),
            levels: Levels::ALL,
            version: Version(7),
            checksum: 5,
            compression: None,
            stored_bytes: 1,
            format: Format::Bincode,
        }
    }

    #[test]
    fn nobody_is_given_what_has_expired_without_asking() {
        let at = |now_ms| Freshness::of(&entry(), Read::default(), now_ms);
        assert_eq!([at(99_999), at(100_000), at(100_001)], [Freshness::Live, Freshness::Over, Freshness::Over]);
    }

    #[test]
    fn a_reader_takes_what_it_is_willing_to_and_no_more_than_is_kept() {
        let at = |seconds, now_ms| Freshness::of(&entry(), Read::default().max_stale(seconds), now_ms);
        assert_eq!(
            [at(1, 99_999), at(1, 100_999), at(1, 101_000)],
            [Freshness::Live, Freshness::Stale, Freshness::Over]
        );
        assert_eq!([at(u32::MAX, 159_999), at(u32::MAX, 160_000)], [Freshness::Stale, Freshness::Over]);
        assert_eq!(entry().kept_until_ms(), 160_000);
    }

    #[test]
    fn what_is_for_need_is_not_given_before() {
        let read = Read::default().max_stale(10).stale_if_error(30);
        let at = |now_ms| Freshness::of(&entry(), read, now_ms);
        assert_eq!([at(109_999), at(110_000), at(130_000)], [Freshness::Stale, Freshness::InNeed, Freshness::Over]);
    }
}
