//! The payload: the JSON text, compressed where that pays.

use super::DecodeError;
use crate::{
    config::{Algorithm, CompressionConfig},
    entry::{Entry, text_in},
};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// A text made ready to be stored, with its checksum. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Payload {
    text: Bytes,
    stored: Bytes,
    compression: Option<Algorithm>,
    checksum: u128,
}

impl Payload {
    /// Compresses `text` when that is `allowed`, it has at least the threshold's bytes and gets smaller by it.
    ///
    /// `text` is valid UTF-8; an envelope of anything else cannot be decoded.
    pub fn new(text: Bytes, config: &CompressionConfig, allowed: bool) -> Payload {
        let checksum = xxh3_128(&text);
        let compressed = (allowed && text.len() >= config.threshold_bytes)
            .then(|| compress(&text, config))
            .flatten()
            .filter(|compressed| compressed.len() < text.len());
        match compressed {
            Some(bytes) => Payload { text, stored: bytes.into(), compression: Some(config.algorithm), checksum },
            None => Payload { stored: text.clone(), text, compression: None, checksum },
        }
    }

    /// The payload of `entry`, which was read from `envelope`, as it is stored there.
    pub(crate) fn stored_in(entry: &Entry, envelope: &Bytes) -> Payload {
        let stored = envelope.slice(envelope.len() - entry.stored_bytes..);
        Payload { text: entry.text.clone(), stored, compression: entry.compression, checksum: entry.checksum }
    }

    /// The text.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The bytes to store: the text, or what it was compressed to.
    pub fn stored(&self) -> &Bytes {
        &self.stored
    }

    /// How it is compressed, if it is.
    pub fn compression(&self) -> Option<Algorithm> {
        self.compression
    }

    /// XXH3-128 of the text.
    pub fn checksum(&self) -> u128 {
        self.checksum
    }
}

/// Reads the text of `raw_len` bytes, which the caller has found small enough to allocate, from the payload that begins at
/// `start`.
pub(super) fn read(
    envelope: &Bytes,
    start: usize,
    compression: Option<Algorithm>,
    raw_len: usize,
    checksum: u128,
) -> Result<Bytes, DecodeError> {
    let stored = &envelope[start..];
    let text = match compression {
        None => text_in(envelope, stored),
        Some(algorithm) => decompress(stored, algorithm, raw_len).ok_or(DecodeError::Compression)?,
    };
    if text.len() != raw_len {
        return Err(DecodeError::Length);
    }
    if xxh3_128(&text) != checksum {
        return Err(DecodeError::Checksum);
    }
    if simdutf8::basic::from_utf8(&text).is_err() {
        return Err(DecodeError::Utf8);
    }
    Ok(text)
}

/// `None` when zstd gets no memory for its tables: the text is then stored as it is.
fn compress(text: &[u8], config: &CompressionConfig) -> Option<Vec<u8>> {
    match config.algorithm {
        Algorithm::Lz4 => Some(lz4_flex::block::compress(text)),
        Algorithm::Zstd => zstd::bulk::compress(text, i32::from(config.level.clamp(1, 9))).ok(),
    }
}

/// `None` when `stored` is damaged or would become longer than `raw_len`, which is all that is allocated.
fn decompress(stored: &[u8], algorithm: Algorithm, raw_len: usize) -> Option<Bytes> {
    match algorithm {
        Algorithm::Lz4 => lz4_flex::block::decompress(stored, raw_len).ok(),
        Algorithm::Zstd => zstd::bulk::decompress(stored, raw_len).ok(),
    }
    .map(Bytes::from)
}
