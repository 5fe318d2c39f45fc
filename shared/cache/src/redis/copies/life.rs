//! How long a copy is there, and its value live.

use crate::entry::Entry;

/// The life of a copy, times in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    expires_at_ms: i64,
    kept_until_ms: i64,
}

impl Life {
    /// Of a copy of that entry.
    pub(crate) fn of(entry: &Entry) -> Life {
        // By whatever clock.
        let expires_at_ms = if entry.made_stale { 0 } else { entry.expires_at_ms };
        Life { expires_at_ms, kept_until_ms: entry.kept_until_ms() }
    }

    #[cfg(test)]
    pub(super) fn until(expires_at_ms: i64, kept_until_ms: i64) -> Life {
        Life { expires_at_ms, kept_until_ms }
    }

    /// When Redis drops it.
    pub(super) fn kept_until_ms(self) -> i64 {
        self.kept_until_ms
    }

    /// When its value expires; `None` where it is gone then.
    pub(super) fn ends_ms(self) -> Option<i64> {
        (self.expires_at_ms < self.kept_until_ms).then_some(self.expires_at_ms)
    }
}
