//! Every released kind of envelope can be read for ever: one file of each, written once and never again.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use std::{fs, path::PathBuf};
use strata_cache::{
    Entry, Level, Levels, Version,
    codec::{Attributes, Payload, decode, encode},
    config::{Algorithm, CompressionConfig, Format},
    sliding::Sliding,
};

const MAX_RAW_BYTES: usize = 1 << 20;

type Kind = (&'static str, Format, Option<Algorithm>, Option<u32>, Option<Grace>);

/// How long a value is kept after its life, in seconds, and whether an invalidation has ended that.
type Grace = (u32, bool);

/// A kind of envelope: file name, format, compression, how long it may be idle where its life slides, and its grace.
const KINDS: [Kind; 13] = [
    ("v1-bincode-none.bin", Format::Bincode, None, None, None),
    ("v1-bincode-lz4.bin", Format::Bincode, Some(Algorithm::Lz4), None, None),
    ("v1-bincode-zstd.bin", Format::Bincode, Some(Algorithm::Zstd), None, None),
    ("v1-json-none.bin", Format::Json, None, None, None),
    ("v1-json-lz4.bin", Format::Json, Some(Algorithm::Lz4), None, None),
    ("v1-json-zstd.bin", Format::Json, Some(Algorithm::Zstd), None, None),
    ("v1-bincode-none-sliding.bin", Format::Bincode, None, Some(600), None),
    ("v1-json-none-sliding.bin", Format::Json, None, Some(600), None),
    ("v1-bincode-none-grace.bin", Format::Bincode, None, None, Some((86_400, false))),
    ("v1-bincode-none-sliding-grace.bin", Format::Bincode, None, Some(600), Some((86_400, false))),
    ("v1-json-none-grace.bin", Format::Json, None, None, Some((86_400, false))),
    ("v1-bincode-none-made-stale.bin", Format::Bincode, None, None, Some((86_400, true))),
    ("v1-json-none-made-stale.bin", Format::Json, None, None, Some((86_400, true))),
];

fn text() -> String {
    let rows: Vec<String> = (0..40)
        .map(|i| format!(r#"{{"id":{i},"name":"Grüße \u0041 \"{i}\"","amount":1.50,"big":12345678901234567890123}}"#))
        .collect();
    format!("[ {} ]", rows.join(" , "))
}

fn write((_, format, compression, idle_seconds, grace): Kind) -> (Entry, Bytes) {
    let (grace_seconds, made_stale) = grace.unwrap_or_default();
    let config =
        CompressionConfig { algorithm: compression.unwrap_or_default(), level: 3, ..CompressionConfig::default() };
    let payload = Payload::new(text().into(), &config, compression.is_some());
    let attributes = Attributes {
        version: Version::at(1_767_225_600_123_456, 42),
        created_at_ms: 1_767_225_600_123,
        expires_at_ms: 1_767_229_200_123,
        ttl_seconds: 3600,
        sliding: idle_seconds.map(|idle_seconds| Sliding { idle_seconds, latest_ms: 1_767_229_200_123 }),
        grace_seconds,
        made_stale,
        tags: vec!["customer".into(), "größe:\"XL\"".into(), "😀".into()],
        levels: [Level::L2, Level::L3].into_iter().collect::<Levels>(),
    };
    encode(&payload, attributes, format)
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn every_released_envelope_is_read() {
    for kind @ (name, _, compression, ..) in KINDS {
        let golden = Bytes::from(fs::read(path(name)).unwrap());
        let entry = decode(&golden, MAX_RAW_BYTES).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (expected, _) = write(kind);
        let stored_bytes = entry.stored_bytes;
        assert_eq!(entry, Entry { stored_bytes, ..expected }, "{name}");
        assert_eq!(entry.compression, compression, "{name}");
    }
}

/// What zstd writes may change with its library; all other bytes may not.
#[test]
fn what_is_written_has_not_changed() {
    for kind in KINDS.into_iter().filter(|kind| kind.2 != Some(Algorithm::Zstd)) {
        let ((name, ..), (_, envelope)) = (kind, write(kind));
        assert!(envelope == fs::read(path(name)).unwrap(), "{name} would be written differently");
    }
}

/// Run with `--ignored` after adding a kind. Never writes over a file: a released one is pinned.
#[test]
#[ignore = "writes the files of new kinds"]
fn write_the_files_of_new_kinds() {
    for kind in KINDS.into_iter().filter(|kind| !path(kind.0).exists()) {
        fs::write(path(kind.0), write(kind).1).unwrap();
    }
}
