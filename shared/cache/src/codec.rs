//! The envelope: how a value and what is said about it are written to Redis and DynamoDB.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | magic, `ST` |
//! | 1 | version of the envelope, 1 |
//! | 1 | format of the header: 0 bincode, 1 JSON |
//! | 1 | compression of the payload: 0 none, 1 LZ4 block, 2 Zstandard frame |
//! | 1 | flags: 1, the header is followed by how a life slides; 2, by how long the value is kept after it; 4, an invalidation has ended that life, and left what is behind it |
//! | 4 | length of the header in bytes, little-endian |
//! | n | header |
//! | 8 | seal: XXH3-64 of everything before it, little-endian |
//! | rest | payload: the JSON text, compressed or as it is |
//!
//! The value itself is JSON text and never goes through bincode, so every byte of it comes back. What was read is
//! trusted only after the seal (a flipped bit in an expiry time is as bad as one in the value), the lengths and the
//! text's checksum agree. Nothing is allocated on the word of an envelope beyond the size its reader allows.
//!
//! An envelope of another version, format, compression or flag is refused, never guessed at: old and new releases
//! share Redis during a deployment. `tests/golden` holds one file of each released kind.

mod error;
mod header;
mod payload;
#[cfg(test)]
mod tests;

pub use error::DecodeError;
pub use payload::Payload;

use crate::{
    config::{Algorithm, Format},
    entry::{Entry, text_in},
    level::Levels,
    sliding::Sliding,
    tags,
    version::Version,
};
use bytes::Bytes;
use header::Header;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: [u8; 2] = *b"ST";
const VERSION: u8 = 1;
/// The entry's life slides.
const SLIDES: u8 = 1;
/// It is kept for longer than it lives.
const HAS_GRACE: u8 = 2;
/// That has begun, by an invalidation.
const MADE_STALE: u8 = 4;
/// Where the flags stand.
const FLAGS_AT: usize = 5;
/// Bytes before the header.
const PREFIX_BYTES: usize = 10;
const SEAL_BYTES: usize = 8;
/// Longest header. 50 tags of 128 bytes are 38,400 bytes when JSON has to write each byte as `\u00xx`.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// What a PUT says about its value.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// Which mutation of the key it is.
    pub version: Version,
    /// When it was put, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// From this millisecond on it is gone.
    pub expires_at_ms: i64,
    /// The life it was given, in seconds.
    pub ttl_seconds: u32,
    /// How that ends sooner.
    pub sliding: Option<Sliding>,
    /// For how long it is kept after that, in seconds.
    pub grace_seconds: u32,
    /// An invalidation has made an end of its life, and left the grace.
    pub made_stale: bool,
    /// Its tags: at most [`crate::MAX_TAGS`] of at most [`crate::MAX_TAG_BYTES`] each.
    pub tags: Vec<Arc<str>>,
    /// The levels it was put into.
    pub levels: Levels,
}

/// Makes the entry of `payload` and the envelope that stores it.
///
/// The payload can be sealed again with other attributes without being compressed again.
pub fn encode(payload: &Payload, attributes: Attributes, format: Format) -> (Entry, Bytes) {
    let header = Header::new(payload, &attributes);
    let mut envelope = Vec::with_capacity(PREFIX_BYTES + header.size_hint() + SEAL_BYTES + payload.stored().len());
    envelope.extend_from_slice(&MAGIC);
    envelope.extend_from_slice(&[
        VERSION,
        format_code(format),
        compression_code(payload.compression()),
        header.flags(),
    ]);
    envelope.extend_from_slice(&[0; 4]);
    header.write(format, &mut envelope);
    finish_header(&mut envelope);
    envelope.extend_from_slice(payload.stored());
    let text = text_in(payload.text(), payload.text());
    let stored = (payload.compression(), payload.stored().len());
    (entry(text, payload.checksum(), stored, attributes, format), Bytes::from(envelope))
}

/// What an envelope says of its value.
#[derive(Debug, Clone)]
pub struct Described {
    /// What its PUT said.
    pub attributes: Attributes,
    /// Bytes of its JSON text.
    pub text_bytes: u64,
}

/// Reads what an envelope says of its value; its beginning is enough, up to the payload.
///
/// # Errors
/// Where the seal does not fit what stands before it, or that is of another release.
pub fn describe(beginning: &[u8]) -> Result<Described, DecodeError> {
    let (_, _, header, _) = read_header(beginning)?;
    let text_bytes = header.raw_len;
    Ok(Described { attributes: header.into_attributes(), text_bytes })
}

/// Reads an envelope whose text has at most `max_raw_bytes`.
///
/// The text of an uncompressed payload shares the memory of `envelope` unless it is small, see [`text_in`].
///
/// # Errors
/// Every envelope that is not byte for byte what [`encode`] writes, as far as the seal and the checksum can tell.
pub fn decode(envelope: &Bytes, max_raw_bytes: usize) -> Result<Entry, DecodeError> {
    let (format, compression, header, start) = read_header(envelope)?;
    let text = header.text(envelope, start, compression, max_raw_bytes)?;
    let stored = (compression, envelope.len() - start);
    Ok(entry(text, header.checksum, stored, header.into_attributes(), format))
}

/// The same envelope, of another version: what it says of its value is sealed anew, the payload is as it was.
///
/// # Errors
/// As [`describe`].
pub(crate) fn with_version(envelope: &Bytes, version: Version) -> Result<Bytes, DecodeError> {
    match read_header(envelope)? {
        (_, _, header, _) if header.version == version => Ok(envelope.clone()),
        _ => revised(envelope, |header| header.version = version),
    }
}

/// The same of a value whose life an invalidation has ended at `ended_at_ms`, and whose grace is over at `kept_until_ms`.
pub(crate) fn made_stale(
    envelope: &Bytes,
    version: Version,
    (ended_at_ms, kept_until_ms): (i64, i64),
) -> Result<Bytes, DecodeError> {
    revised(envelope, |header| {
        header.version = version;
        header.expires_at_ms = header.expires_at_ms.min(ended_at_ms);
        let grace_ms = kept_until_ms.saturating_sub(header.expires_at_ms);
        // What has none is over; but an envelope that says so would be refused.
        header.grace_seconds = u32::try_from(grace_ms / 1000).unwrap_or(u32::MAX).max(1);
        header.made_stale = true;
    })
}

/// An envelope with another header, before the same payload.
fn revised(envelope: &Bytes, revise: impl FnOnce(&mut Header)) -> Result<Bytes, DecodeError> {
    let (format, _, mut header, start) = read_header(envelope)?;
    revise(&mut header);
    let mut renamed = Vec::with_capacity(envelope.len());
    renamed.extend_from_slice(&envelope[..PREFIX_BYTES]);
    renamed[FLAGS_AT] = header.flags();
    header.write(format, &mut renamed);
    finish_header(&mut renamed);
    renamed.extend_from_slice(&envelope[start..]);
    Ok(renamed.into())
}

/// Writes the length of the header that ends here, and its seal.
fn finish_header(envelope: &mut Vec<u8>) {
    let header_bytes = envelope.len() - PREFIX_BYTES;
    debug_assert!(header_bytes <= MAX_HEADER_BYTES, "tags are over their limits");
    let length = u32::try_from(header_bytes).expect("a header is far below 4 GiB");
    envelope[PREFIX_BYTES - 4..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
    let seal = xxh3_64(envelope);
    envelope.extend_from_slice(&seal.to_le_bytes());
}

/// Format, compression, the header, and where the payload begins.
fn read_header(envelope: &[u8]) -> Result<(Format, Option<Algorithm>, Header, usize), DecodeError> {
    let (format, compression, flags, header_bytes) = read_prefix(envelope)?;
    let sealed = PREFIX_BYTES + header_bytes;
    let start = sealed + SEAL_BYTES;
    let seal = envelope.get(sealed..start).ok_or(DecodeError::Truncated)?;
    if seal != xxh3_64(&envelope[..sealed]).to_le_bytes() {
        return Err(DecodeError::Seal);
    }
    Ok((format, compression, Header::read(format, &envelope[PREFIX_BYTES..sealed], flags)?, start))
}

/// Format, compression, flags, and length of the header.
fn read_prefix(envelope: &[u8]) -> Result<(Format, Option<Algorithm>, u8, usize), DecodeError> {
    if !envelope.starts_with(&MAGIC) {
        return Err(DecodeError::NotAnEnvelope);
    }
    let prefix: &[u8; PREFIX_BYTES] = envelope.first_chunk().ok_or(DecodeError::Truncated)?;
    let [_, _, version, format, compression, flags, length @ ..] = *prefix;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion(version));
    }
    if flags & !(SLIDES | HAS_GRACE | MADE_STALE) != 0 {
        return Err(DecodeError::UnknownFlags(flags));
    }
    let format = format_of(format).ok_or(DecodeError::UnknownFormat(format))?;
    let compression = compression_of(compression).ok_or(DecodeError::UnknownCompression(compression))?;
    match usize::try_from(u32::from_le_bytes(length)) {
        Ok(length) if length <= MAX_HEADER_BYTES => Ok((format, compression, flags, length)),
        _ => Err(DecodeError::Header),
    }
}

fn entry(
    text: Bytes,
    checksum: u128,
    (compression, stored_bytes): (Option<Algorithm>, usize),
    attributes: Attributes,
    format: Format,
) -> Entry {
    let Attributes {
        version,
        created_at_ms,
        expires_at_ms,
        ttl_seconds,
        sliding,
        grace_seconds,
        made_stale,
        tags,
        levels,
    } = attributes;
    Entry {
        text,
        created_at_ms,
        expires_at_ms,
        ttl_seconds,
        sliding,
        grace_seconds,
        made_stale,
        tags: tags::shared(tags),
        levels,
        version,
        checksum,
        compression,
        stored_bytes,
        format,
    }
}

const fn format_code(format: Format) -> u8 {
    match format {
        Format::Bincode => 0,
        Format::Json => 1,
    }
}

const fn format_of(code: u8) -> Option<Format> {
    match code {
        0 => Some(Format::Bincode),
        1 => Some(Format::Json),
        _ => None,
    }
}

const fn compression_code(compression: Option<Algorithm>) -> u8 {
    match compression {
        None => 0,
        Some(Algorithm::Lz4) => 1,
        Some(Algorithm::Zstd) => 2,
    }
}

/// The outer `None` is an unknown code, the inner one no compression.
const fn compression_of(code: u8) -> Option<Option<Algorithm>> {
    match code {
        0 => Some(None),
        1 => Some(Some(Algorithm::Lz4)),
        2 => Some(Some(Algorithm::Zstd)),
        _ => None,
    }
}
