//! Keys, entries and copies for whatever measures the library without a level below.

use crate::corpus;
use bytes::Bytes;
use std::sync::Arc;
use strata_cache::{
    Entry, Key, Levels, Position, Version,
    codec::{Attributes, Payload, encode},
    config::{Algorithm, CompressionConfig, Format, L1Config},
    memory::CachedEntry,
};

/// The level of zstd that is compared.
pub(crate) const ZSTD_LEVEL: u8 = 1;

/// An entry with this text, and its envelope.
pub(crate) fn seal(text: &Bytes, kind: Option<Algorithm>) -> (Entry, Bytes) {
    let config = CompressionConfig { algorithm: kind.unwrap_or_default(), level: ZSTD_LEVEL, threshold_bytes: 0 };
    encode(&Payload::new(text.clone(), &config, kind.is_some()), attributes(), Format::Bincode)
}

fn attributes() -> Attributes {
    Attributes {
        version: Version::at(1_700_000_000_000_000, 1),
        created_at_ms: 1_700_000_000_000,
        expires_at_ms: i64::MAX,
        ttl_seconds: 3600,
        sliding: None,
        grace_seconds: 0,
        tags: vec!["customer".into(), "active".into()],
        levels: Levels::ALL,
    }
}

/// One of many keys.
pub(crate) fn key(number: usize) -> Key {
    Key::new(format!("customer:{number}")).expect("a short text without control characters is a key")
}

/// An entry of 1 KiB.
pub(crate) fn entry() -> Arc<Entry> {
    sealed(&corpus::text(1 << 10))
}

/// An entry with this text, not compressed.
pub(crate) fn sealed(text: &Bytes) -> Arc<Entry> {
    Arc::new(seal(text, None).0)
}

/// A copy of it for L1.
pub(crate) fn copy(entry: &Arc<Entry>) -> Arc<CachedEntry> {
    Arc::new(CachedEntry::new(Arc::clone(entry), Position::ZERO, 0, &L1Config::default()))
}
