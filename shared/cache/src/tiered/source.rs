//! A value on its way into L1, wherever it comes from.

use crate::{clock::Clock, config::Config, entry::Entry, memory::CachedEntry, version::Position};
use std::sync::Arc;

/// A value on its way into L1.
pub(super) struct Source {
    pub(super) entry: Arc<Entry>,
    pub(super) as_of: Position,
    pub(super) certified_ms: i64,
    /// When the source of truth itself was asked, in steady ms; `None` when only the journal vouches for the value.
    pub(super) read_at_ms: Option<i64>,
    pub(super) reads: u64,
    pub(super) last_read_ms: i64,
}

impl Source {
    pub(super) fn copy(&self, clock: &Clock, config: &Config, revalidate_ms: i64) -> CachedEntry {
        let mut copy = CachedEntry::new(Arc::clone(&self.entry), self.as_of, clock.now_ms(), &config.l1_config);
        copy.deadline_ms = copy.deadline_ms.min(self.certified_ms.saturating_add(revalidate_ms));
        copy.read_at_ms = self.read_at_ms.unwrap_or(i64::MIN).into();
        copy.reads = self.reads.into();
        copy.last_read_ms = self.last_read_ms.max(copy.entry.created_at_ms).into();
        copy
    }
}
