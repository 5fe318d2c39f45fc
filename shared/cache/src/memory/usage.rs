//! How much copies take.

/// What the memory holds, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Copies.
    pub entries: u64,
    /// Bytes of their JSON texts.
    pub text_bytes: u64,
    /// Their bytes: keys, texts, tags and an estimate of what keeping them takes.
    pub bytes: u64,
}

impl Usage {
    pub(super) fn plus(self, more: Usage) -> Usage {
        Usage {
            entries: self.entries + more.entries,
            text_bytes: self.text_bytes + more.text_bytes,
            bytes: self.bytes + more.bytes,
        }
    }

    pub(super) fn minus(self, less: Usage) -> Usage {
        Usage {
            entries: self.entries.saturating_sub(less.entries),
            text_bytes: self.text_bytes.saturating_sub(less.text_bytes),
            bytes: self.bytes.saturating_sub(less.bytes),
        }
    }
}
