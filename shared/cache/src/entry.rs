//! A cached value as every level sees it once decoded.

use crate::{
    config::{Algorithm, Format},
    level::Levels,
    sliding::Sliding,
    tags::Tags,
    version::Version,
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// Most tags of one entry.
pub const MAX_TAGS: usize = 50;
/// Longest tag in bytes.
pub const MAX_TAG_BYTES: usize = 128;
/// Longest life in seconds: 365 days.
pub const MAX_TTL_SECONDS: u32 = 31_536_000;

/// A text of at most so many bytes gets memory of its own: that takes less than the counter of those who share it.
const SMALL_TEXT: usize = 4096;
/// A larger one shares the memory of what it was found in when that is longer by one part of so many at most.
const SHARED_WITH: usize = 16;

/// A stored value with everything that is said about it. Immutable; levels and answers share it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The value as JSON text, byte for byte as it was sent. Always UTF-8.
    pub text: Bytes,
    /// When this value was put, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// From this millisecond on no level returns the value.
    pub expires_at_ms: i64,
    /// The life it was put with, in seconds.
    pub ttl_seconds: u32,
    /// How it ends where it ends sooner when nobody reads it.
    pub sliding: Option<Sliding>,
    /// For how long it is kept after that, in seconds, for readers who ask for what has expired; see [`grace`](crate::grace).
    pub grace_seconds: u32,
    /// Its tags, as given.
    pub tags: Tags,
    /// The levels its PUT named; it is promoted into no other.
    pub levels: Levels,
    /// Which mutation of the key this is; a greater one is newer.
    pub version: Version,
    /// XXH3-128 of the text: guards it in storage and makes its ETag.
    pub checksum: u128,
    /// How the stored payload is compressed, if it is.
    pub compression: Option<Algorithm>,
    /// Bytes of the stored payload: of the text, or what it was compressed to.
    pub stored_bytes: usize,
    /// How the envelope's header is written.
    pub format: Format,
}

/// `text`, which lies in `buffer`, as the text of an entry. Entries are kept for long: unless a copy of the text would be
/// expensive, nothing is kept alive with it.
pub fn text_in(buffer: &Bytes, text: &[u8]) -> Bytes {
    if text.len() > SMALL_TEXT && (buffer.len() - text.len()) * SHARED_WITH <= text.len() {
        buffer.slice_ref(text)
    } else {
        Bytes::copy_from_slice(text)
    }
}

impl Entry {
    /// The value as JSON text.
    pub fn json(&self) -> &str {
        simdutf8::basic::from_utf8(&self.text).expect("an entry's text is checked to be UTF-8 when it is made")
    }

    /// The value, read as a type of yours.
    ///
    /// # Errors
    /// When it is of another shape.
    pub fn value<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.json())
    }

    /// Stored size by raw size; 1.0 when not compressed.
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    pub fn compression_ratio(&self) -> f64 {
        if self.compression.is_none() || self.text.is_empty() {
            return 1.0;
        }
        self.stored_bytes as f64 / self.text.len() as f64
    }

    /// The strong entity tag of the value, with its quotes.
    pub fn etag(&self) -> String {
        format!("\"{:032x}\"", self.checksum)
    }

    /// When it expires however often it is read, in milliseconds since the Unix epoch.
    pub(crate) fn latest_ms(&self) -> i64 {
        self.sliding.map_or(self.expires_at_ms, |sliding| sliding.latest_ms)
    }

    /// Whether the entry is past its life at `now_ms`.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        now_ms >= self.expires_at_ms
    }

    /// Until when levels keep it, in milliseconds since the Unix epoch: its grace is over then as well.
    pub fn kept_until_ms(&self) -> i64 {
        self.expires_at_ms.saturating_add(i64::from(self.grace_seconds) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_little_else_alive() {
        let buffer = Bytes::from(vec![b'1'; 17_000]);
        let is_copied = |text: &[u8]| {
            let found = text_in(&buffer, text);
            assert_eq!(found, text);
            found.as_ptr() != text.as_ptr()
        };
        assert!(!is_copied(&buffer[1_000..]) && is_copied(&buffer[1_001..]));
        assert!(is_copied(&buffer[..SMALL_TEXT]));
        let small = buffer.slice(..SMALL_TEXT + 1);
        assert_eq!(text_in(&small, &small).as_ptr(), small.as_ptr());
        assert_ne!(text_in(&small, &small[1..]).as_ptr(), small[1..].as_ptr());
    }
}
