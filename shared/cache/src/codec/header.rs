//! The envelope's header: everything about a value but the value, in bincode or in JSON.
//!
//! bincode is not self-describing, so the order and types of the fields *are* the format of version 1: a change here
//! is a new version of the envelope. How a life slides, and for how long the value is kept after it, stand behind them,
//! where flags of the envelope say so: a release that does not know of one refuses the envelope.

use super::{Attributes, DecodeError, HAS_GRACE, MADE_STALE, MAX_HEADER_BYTES, Payload, SLIDES, payload};
use crate::{
    config::{Algorithm, Format},
    level::Levels,
    sliding::Sliding,
    version::Version,
};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Little-endian, variable-length integers. The limit keeps a length inside the header from being believed.
const BINCODE: Configuration<LittleEndian, Varint, Limit<MAX_HEADER_BYTES>> =
    bincode::config::standard().with_limit::<MAX_HEADER_BYTES>();

/// What the fields take without the tags; only a guess for the first allocation.
const FIXED_BYTES_HINT: usize = 256;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) version: Version,
    pub(super) created_at_ms: i64,
    pub(super) expires_at_ms: i64,
    pub(super) ttl_seconds: u32,
    pub(super) levels: u8,
    pub(super) tags: Vec<Arc<str>>,
    /// Bytes of the text.
    pub(super) raw_len: u64,
    /// Bytes of the payload: nothing can be appended unnoticed, not even what a decompressor skips.
    pub(super) stored_len: u64,
    #[serde(with = "checksum")]
    pub(super) checksum: u128,
    /// Written behind it, where a flag says so.
    #[serde(skip)]
    pub(super) sliding: Option<Sliding>,
    /// Written behind that, where another says so.
    #[serde(skip)]
    pub(super) grace_seconds: u32,
    /// A flag and nothing else.
    #[serde(skip)]
    pub(super) made_stale: bool,
}

/// For how long a value is kept after its life.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grace {
    grace_seconds: u32,
}

impl Header {
    pub(super) fn new(payload: &Payload, attributes: &Attributes) -> Header {
        Header {
            version: attributes.version,
            created_at_ms: attributes.created_at_ms,
            expires_at_ms: attributes.expires_at_ms,
            ttl_seconds: attributes.ttl_seconds,
            levels: attributes.levels.bits(),
            tags: attributes.tags.clone(),
            raw_len: payload.text().len() as u64,
            stored_len: payload.stored().len() as u64,
            checksum: payload.checksum(),
            sliding: attributes.sliding,
            grace_seconds: attributes.grace_seconds,
            made_stale: attributes.made_stale,
        }
    }

    /// What the envelope says is written behind it, and what it says of the value by that alone.
    pub(super) fn flags(&self) -> u8 {
        let flags =
            [(self.sliding.is_some(), SLIDES), (self.grace_seconds > 0, HAS_GRACE), (self.made_stale, MADE_STALE)];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum()
    }

    pub(super) fn size_hint(&self) -> usize {
        FIXED_BYTES_HINT + self.tags.iter().map(|tag| tag.len() + 3).sum::<usize>()
    }

    pub(super) fn write(&self, format: Format, out: &mut Vec<u8>) {
        write(self, format, out);
        if let Some(sliding) = self.sliding {
            write(&sliding, format, out);
        }
        if self.grace_seconds > 0 {
            write(&Grace { grace_seconds: self.grace_seconds }, format, out);
        }
    }

    pub(super) fn read(format: Format, bytes: &[u8], flags: u8) -> Result<Header, DecodeError> {
        let read = match format {
            Format::Bincode => from_bincode(bytes, flags),
            Format::Json => from_json(bytes, flags).ok(),
        };
        let (header, sliding, grace) = read.ok_or(DecodeError::Header)?;
        let grace_seconds = grace.map_or(0, |grace| grace.grace_seconds);
        let made_stale = flags & MADE_STALE != 0;
        // None is not written down, nor has one begun that there is not.
        let is_said = grace.is_some() == (grace_seconds > 0) && (!made_stale || grace.is_some());
        if is_said { Ok(Header { sliding, grace_seconds, made_stale, ..header }) } else { Err(DecodeError::Header) }
    }

    /// Reads the text of the payload this header describes, which begins at `start`.
    pub(super) fn text(
        &self,
        envelope: &Bytes,
        start: usize,
        compression: Option<Algorithm>,
        max_raw_bytes: usize,
    ) -> Result<Bytes, DecodeError> {
        let raw_len = usize::try_from(self.raw_len)
            .ok()
            .filter(|&bytes| bytes <= max_raw_bytes)
            .ok_or(DecodeError::TooLarge(self.raw_len))?;
        if self.stored_len != (envelope.len() - start) as u64 {
            return Err(DecodeError::Length);
        }
        payload::read(envelope, start, compression, raw_len, self.checksum)
    }

    pub(super) fn into_attributes(self) -> Attributes {
        Attributes {
            version: self.version,
            created_at_ms: self.created_at_ms,
            expires_at_ms: self.expires_at_ms,
            ttl_seconds: self.ttl_seconds,
            sliding: self.sliding,
            grace_seconds: self.grace_seconds,
            made_stale: self.made_stale,
            tags: self.tags,
            levels: Levels::from_bits(self.levels),
        }
    }
}

fn write(part: &impl Serialize, format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Bincode => {
            bincode::serde::encode_into_std_write(part, out, BINCODE).expect("memory takes every header");
        }
        Format::Json => serde_json::to_writer(out, part).expect("memory takes every header"),
    }
}

/// A header, and what is said behind it.
type Parts = (Header, Option<Sliding>, Option<Grace>);

fn from_bincode(bytes: &[u8], flags: u8) -> Option<Parts> {
    let mut rest = bytes;
    let header = next(&mut rest)?;
    let sliding = if flags & SLIDES != 0 { Some(next(&mut rest)?) } else { None };
    let grace = if flags & HAS_GRACE != 0 { Some(next(&mut rest)?) } else { None };
    rest.is_empty().then_some((header, sliding, grace))
}

/// The part that `rest` begins with, which is what stands behind it from then on.
fn next<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Option<T> {
    let (part, read) = bincode::serde::borrow_decode_from_slice(rest, BINCODE).ok()?;
    *rest = &rest[read..];
    Some(part)
}

fn from_json(bytes: &[u8], flags: u8) -> Result<Parts, serde_json::Error> {
    let mut parts = serde_json::Deserializer::from_slice(bytes);
    let header = Header::deserialize(&mut parts)?;
    let sliding = if flags & SLIDES != 0 { Some(Sliding::deserialize(&mut parts)?) } else { None };
    let grace = if flags & HAS_GRACE != 0 { Some(Grace::deserialize(&mut parts)?) } else { None };
    parts.end()?;
    Ok((header, sliding, grace))
}

/// A number in bincode; in JSON the 32 hexadecimal digits of the ETag, for a number of 128 bits is read wrongly by
/// most tools.
mod checksum {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(checksum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{checksum:032x}"))
        } else {
            serializer.serialize_u128(*checksum)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        if deserializer.is_human_readable() {
            let digits = <&str>::deserialize(deserializer)?;
            u128::from_str_radix(digits, 16).map_err(D::Error::custom)
        } else {
            u128::deserialize(deserializer)
        }
    }
}
