//! Two bounds of a memory, bytes and entries, as the one weight that mini-moka knows.

use crate::config::L1Config;

/// The bounds in bytes and in entries as one capacity and a least weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) total: u64,
    pub(super) least_weight: u64,
}

impl Bounds {
    pub(super) fn of(config: &L1Config) -> Bounds {
        if !config.enabled {
            return Bounds { total: 0, least_weight: 1 };
        }
        let bytes = config.max_size_mb.saturating_mul(1024 * 1024);
        let least_weight = bytes.checked_div(config.max_capacity).unwrap_or_default().max(1);
        // A multiple of the least weight, so that exactly the most entries fit when all are small.
        Bounds { total: bytes.min(least_weight.saturating_mul(config.max_capacity)), least_weight }
    }

    /// What a copy of so many bytes weighs.
    pub(super) fn weight(self, bytes: u64) -> u64 {
        bytes.max(self.least_weight)
    }
}
