//! How to read: how fresh what is returned has to be.

use crate::cache_position::CachePosition;

/// How to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    /// Learn of every acknowledged mutation first: Δ = 0 for this read.
    pub no_cache: bool,
    /// Learn first of every mutation that was acknowledged more than so many seconds ago: Δ is no longer than this.
    pub max_age_seconds: Option<u32>,
    /// By how many seconds the value may have expired, as long as its [grace](crate::grace) lasts; 0 for not at all.
    pub max_stale_seconds: u32,
    /// The same where no level that can be reached is able to say anything fresher.
    pub stale_if_error_seconds: u32,
    /// Return nothing older than what the caller has seen, in whatever container. It costs a sync where this one is behind, and
    /// a read of the source of truth where the journal may not tell.
    pub at_least: CachePosition,
}

impl Read {
    /// Within the window, whoever reads.
    pub const DEFAULT: Read = Read {
        no_cache: false,
        max_age_seconds: None,
        max_stale_seconds: 0,
        stale_if_error_seconds: 0,
        at_least: CachePosition::NOTHING,
    };

    /// Takes a value that has expired, by `seconds` at most, as long as its grace lasts.
    #[must_use]
    pub fn max_stale(mut self, seconds: u32) -> Read {
        self.max_stale_seconds = seconds;
        self
    }

    /// The same, but only where no level that can be reached is able to say anything fresher.
    #[must_use]
    pub fn stale_if_error(mut self, seconds: u32) -> Read {
        self.stale_if_error_seconds = seconds;
        self
    }
}
