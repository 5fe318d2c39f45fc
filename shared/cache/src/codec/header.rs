//! The envelope's header: everything about a value but the value, in bincode or in JSON.
//!
//! bincode is not self-describing, so the order and types of the fields *are* the format of version 1: a change here
//! is a new version of the envelope. How a life slides stands behind them, where a flag of the envelope says so: a release
//! that does not know of it refuses the envelope.

use super::{Attributes, DecodeError, MAX_HEADER_BYTES, Payload, payload};
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
        }
    }

    pub(super) fn size_hint(&self) -> usize {
        FIXED_BYTES_HINT + self.tags.iter().map(|tag| tag.len() + 3).sum::<usize>()
    }

    pub(super) fn write(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Bincode => {
                bincode::serde::encode_into_std_write(self, out, BINCODE).expect("memory takes every header");
                if let Some(sliding) = self.sliding {
                    bincode::serde::encode_into_std_write(sliding, out, BINCODE).expect("memory takes every header");
                }
            }
            Format::Json => {
                serde_json::to_writer(&mut *out, self).expect("memory takes every header");
                if let Some(sliding) = self.sliding {
                    serde_json::to_writer(out, &sliding).expect("memory takes every header");
                }
            }
        }
    }

    pub(super) fn read(format: Format, bytes: &[u8], slides: bool) -> Result<Header, DecodeError> {
        let read = match format {
            Format::Bincode => from_bincode(bytes, slides),
            Format::Json => from_json(bytes, slides).ok(),
        };
        read.map(|(header, sliding)| Header { sliding, ..header }).ok_or(DecodeError::Header)
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
            tags: self.tags,
            levels: Levels::from_bits(self.levels),
        }
    }
}

fn from_bincode(bytes: &[u8], slides: bool) -> Option<(Header, Option<Sliding>)> {
    let (header, read) = bincode::serde::borrow_decode_from_slice(bytes, BINCODE).ok()?;
    let rest = &bytes[read..];
    let (sliding, read) = match slides {
        true => {
            bincode::serde::borrow_decode_from_slice(rest, BINCODE).map(|(sliding, read)| (Some(sliding), read)).ok()?
        }
        false => (None, 0),
    };
    (read == rest.len()).then_some((header, sliding))
}

fn from_json(bytes: &[u8], slides: bool) -> Result<(Header, Option<Sliding>), serde_json::Error> {
    let mut parts = serde_json::Deserializer::from_slice(bytes);
    let header = Header::deserialize(&mut parts)?;
    let sliding = if slides { Some(Sliding::deserialize(&mut parts)?) } else { None };
    parts.end()?;
    Ok((header, sliding))
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
