//! How to read: how fresh what is returned has to be.

use crate::cache_position::CachePosition;

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    /// Return nothing older than the latest acknowledged mutation: Δ = 0 for this read.
    pub no_cache: bool,
    /// Δ for this read is at most this many seconds.
    pub max_age_seconds: Option<u32>,
    /// For how many seconds the value may have been expired, while its [grace](crate::grace) lasts; 0 for not at all.
    pub max_stale_seconds: u32,
    /// The same, but only if no level that can be reached has anything fresher.
    pub stale_if_error_seconds: u32,
    /// Return nothing older than what the caller has seen, in any container. That costs a sync if this container is behind,
    /// and a read of the source of truth if the journal cannot tell.
    pub at_least: CachePosition,
}

impl Read {
    /// Reads within the window Δ.
    pub const DEFAULT: Read = Read {
        no_cache: false,
        max_age_seconds: None,
        max_stale_seconds: 0,
        stale_if_error_seconds: 0,
        at_least: CachePosition::NOTHING,
    };

    /// Accepts a value that expired at most `seconds` ago, while its grace lasts.
    #[must_use]
    pub fn max_stale(mut self, seconds: u32) -> Read {
        self.max_stale_seconds = seconds;
        self
    }

    /// The same, but only if no level that can be reached has anything fresher.
    #[must_use]
    pub fn stale_if_error(mut self, seconds: u32) -> Read {
        self.stale_if_error_seconds = seconds;
        self
    }
}
