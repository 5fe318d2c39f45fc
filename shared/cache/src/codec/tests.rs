#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::CompressionConfig;
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

const MAX: usize = 1 << 20;

fn config(algorithm: Algorithm) -> CompressionConfig {
    CompressionConfig { algorithm, level: 3, threshold_bytes: 64 }
}

fn attributes() -> Attributes {
    Attributes {
        version: Version::at(1_700_000_000_000_000, 7),
        created_at_ms: 1_700_000_000_000,
        expires_at_ms: 1_700_003_600_000,
        ttl_seconds: 3600,
        sliding: None,
        grace_seconds: 0,
        made_stale: false,
        tags: vec!["customer".into(), "aktiv ✓".into()],
        levels: Levels::ALL,
    }
}

fn compressible() -> Bytes {
    Bytes::from(format!("[{}0]", "\"all work and no play\",".repeat(100)))
}

/// An envelope with a valid seal around a header and a payload of the test's choice.
fn forge(header: &Header, compression: u8, payload: &[u8]) -> Bytes {
    let mut envelope = vec![b'S', b'T', VERSION, 0, compression, 0, 0, 0, 0, 0];
    header.write(Format::Bincode, &mut envelope);
    let length = u32::try_from(envelope.len() - PREFIX_BYTES).unwrap();
    envelope[PREFIX_BYTES - 4..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
    envelope.extend_from_slice(&xxh3_64(&envelope).to_le_bytes());
    envelope.extend_from_slice(payload);
    Bytes::from(envelope)
}

fn forged(raw_len: u64, compression: u8, payload: &[u8], checksum: u128) -> Bytes {
    let plain = Payload::new(Bytes::new(), &config(Algorithm::Lz4), false);
    let header = Header { raw_len, stored_len: payload.len() as u64, checksum, ..Header::new(&plain, &attributes()) };
    forge(&header, compression, payload)
}

#[test]
fn a_large_uncompressed_text_shares_the_memory_of_its_envelope() {
    let payload = Payload::new(compressible().repeat(3).into(), &config(Algorithm::Lz4), false);
    let (_, envelope) = encode(&payload, attributes(), Format::Bincode);
    let entry = decode(&envelope, MAX).unwrap();
    assert!(envelope.as_ptr_range().contains(&entry.text.as_ptr()));
    assert_eq!(entry.compression_ratio(), 1.0);
}

#[test]
fn another_version_is_all_that_changes() {
    let sliding = Some(Sliding { idle_seconds: 60, latest_ms: 1_700_003_600_000 });
    let later = Version::at(1_700_000_999_000_000, 8);
    for (format, sliding) in [(Format::Bincode, None), (Format::Json, sliding), (Format::Bincode, sliding)] {
        let payload = Payload::new(compressible(), &config(Algorithm::Zstd), true);
        let (_, envelope) = encode(&payload, Attributes { sliding, ..attributes() }, format);
        let (_, other) = encode(&payload, Attributes { sliding, version: later, ..attributes() }, format);
        assert_eq!(with_version(&envelope, later).unwrap(), other);
        assert_eq!(with_version(&other, later).unwrap().as_ptr(), other.as_ptr(), "nothing is to be done");
    }
    assert!(with_version(&Bytes::from_static(b"ST"), later).is_err());
}

#[test]
fn what_is_made_stale_has_expired_whatever_the_time() {
    let payload = Payload::new(compressible(), &config(Algorithm::Zstd), true);
    let later = Version::at(1_700_000_999_000_000, 8);
    for format in [Format::Bincode, Format::Json] {
        let (before, envelope) = encode(&payload, Attributes { grace_seconds: 600, ..attributes() }, format);
        let at =
            |kept_until_ms| decode(&made_stale(&envelope, later, (1_700_000_060_000, kept_until_ms)).unwrap(), MAX);
        let stale = at(1_700_000_360_000).unwrap();
        assert_eq!((stale.expires_at_ms, stale.grace_seconds, stale.version), (1_700_000_060_000, 300, later));
        assert!(stale.made_stale && stale.is_expired(i64::MIN) && !before.is_expired(1_700_000_100_000));
        assert_eq!(before.grace_seconds, 600);
        assert_eq!((stale.text, stale.tags, stale.ttl_seconds), (before.text, before.tags, before.ttl_seconds));
        // Its life was over by then: that end stays.
        let (_, ended) = encode(&payload, Attributes { grace_seconds: 600, ..attributes() }, format);
        let ended = decode(&made_stale(&ended, later, (i64::MAX, 1_700_003_700_000)).unwrap(), MAX).unwrap();
        assert_eq!((ended.expires_at_ms, ended.grace_seconds), (1_700_003_600_000, 100));
    }
}

#[test]
fn how_a_life_slides_and_its_grace_are_said_where_they_are() {
    let payload = Payload::new(compressible(), &config(Algorithm::Lz4), true);
    let sliding = Some(Sliding { idle_seconds: 60, latest_ms: 1_700_003_600_000 });
    let slides = Attributes { sliding, ..attributes() };
    let has_grace = Attributes { grace_seconds: 86_400, ..attributes() };
    let both = Attributes { sliding, ..has_grace.clone() };
    for (format, (special, flags)) in [Format::Bincode, Format::Json].into_iter().flat_map(|format| {
        [(slides.clone(), SLIDES), (has_grace.clone(), HAS_GRACE), (both.clone(), SLIDES | HAS_GRACE)]
            .map(|special| (format, special))
    }) {
        let (plain, ordinary) = encode(&payload, attributes(), format);
        let (entry, longer) = encode(&payload, special.clone(), format);
        assert_eq!((plain.sliding, plain.grace_seconds, ordinary[5]), (None, 0, 0));
        assert_eq!((entry.sliding, entry.grace_seconds, longer[5]), (special.sliding, special.grace_seconds, flags));
        assert_eq!(decode(&longer, MAX).unwrap(), entry);
        let with_flags = |envelope: &Bytes, flags| {
            let mut envelope = envelope.to_vec();
            envelope[5] = flags;
            let sealed = envelope.len() - payload.stored().len() - SEAL_BYTES;
            let seal = xxh3_64(&envelope[..sealed]).to_le_bytes();
            envelope[sealed..sealed + SEAL_BYTES].copy_from_slice(&seal);
            decode(&Bytes::from(envelope), MAX)
        };
        assert!(matches!(with_flags(&ordinary, flags), Err(DecodeError::Header)), "it says nothing of that");
        assert!(matches!(with_flags(&longer, 0), Err(DecodeError::Header)), "it says more");
        assert!(matches!(with_flags(&ordinary, MADE_STALE), Err(DecodeError::Header)), "none has begun");
        assert!(matches!(with_flags(&ordinary, 8), Err(DecodeError::UnknownFlags(8))));
    }
}

#[test]
fn an_envelope_is_described_by_its_beginning() {
    for format in [Format::Bincode, Format::Json] {
        let payload = Payload::new(compressible(), &config(Algorithm::Lz4), true);
        let (_, envelope) = encode(&payload, attributes(), format);
        let beginning = &envelope[..envelope.len() - payload.stored().len()];
        let Described { attributes: said, text_bytes } = describe(beginning).unwrap();
        let expected = attributes();
        assert_eq!((said.version, said.created_at_ms), (expected.version, expected.created_at_ms));
        assert_eq!((said.expires_at_ms, said.tags), (expected.expires_at_ms, expected.tags));
        assert_eq!(text_bytes, compressible().len() as u64);
        assert!(describe(&beginning[..beginning.len() - 1]).is_err(), "without all of its seal");
    }
}

#[test]
fn compresses_only_what_is_allowed_long_enough_and_gets_smaller() {
    for algorithm in [Algorithm::Lz4, Algorithm::Zstd] {
        let kept = |text: Bytes, allowed| Payload::new(text, &config(algorithm), allowed).compression();
        assert_eq!(kept(compressible(), true), Some(algorithm));
        assert_eq!(kept(compressible(), false), None);
        assert_eq!(kept(Bytes::from("\"".to_owned() + &"a".repeat(61) + "\""), true), None, "63 bytes");
        assert_eq!(kept(Bytes::from("\"".to_owned() + &"a".repeat(62) + "\""), true), Some(algorithm), "64 bytes");
        let noise: Vec<u8> = (0u64..64).flat_map(|i| xxh3_64(&i.to_le_bytes()).to_le_bytes()).collect();
        assert_eq!(kept(Bytes::from(noise), true), None, "does not get smaller");
    }
}

#[test]
fn a_text_over_the_reader_s_limit_is_refused() {
    let text = compressible();
    for algorithm in [Algorithm::Lz4, Algorithm::Zstd] {
        let (_, envelope) =
            encode(&Payload::new(text.clone(), &config(algorithm), true), attributes(), Format::Bincode);
        assert!(decode(&envelope, text.len()).is_ok());
        assert_eq!(decode(&envelope, text.len() - 1), Err(DecodeError::TooLarge(text.len() as u64)));
    }
}

#[test]
fn a_decompression_bomb_is_not_inflated() {
    let zeros = vec![0; 4 * MAX];
    for (code, bomb) in [(1, lz4_flex::block::compress(&zeros)), (2, zstd::bulk::compress(&zeros, 9).unwrap())] {
        let honest = forged(zeros.len() as u64, code, &bomb, xxh3_128(&zeros));
        assert_eq!(decode(&honest, MAX), Err(DecodeError::TooLarge(zeros.len() as u64)));
        let lying = forged(100, code, &bomb, xxh3_128(&zeros));
        assert_eq!(decode(&lying, MAX), Err(DecodeError::Compression));
        let absurd = forged(u64::MAX, code, &bomb, xxh3_128(&zeros));
        assert_eq!(decode(&absurd, MAX), Err(DecodeError::TooLarge(u64::MAX)));
    }
}

#[test]
fn names_what_is_wrong() {
    let (_, good) =
        encode(&Payload::new(Bytes::from_static(b"{}"), &config(Algorithm::Lz4), true), attributes(), Format::Json);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        decode(&Bytes::from(bytes), MAX).unwrap_err()
    };
    assert_eq!(decode(&Bytes::new(), MAX), Err(DecodeError::NotAnEnvelope));
    assert_eq!(with(0, b'X'), DecodeError::NotAnEnvelope);
    assert_eq!(with(2, 2), DecodeError::UnknownVersion(2));
    assert_eq!(with(3, 2), DecodeError::UnknownFormat(2));
    assert_eq!(with(4, 3), DecodeError::UnknownCompression(3));
    assert_eq!(with(5, 8), DecodeError::UnknownFlags(8));
    assert_eq!(with(9, 1), DecodeError::Header);
    assert_eq!(with(20, b'X'), DecodeError::Seal);
    assert_eq!(with(good.len() - 1, b'X'), DecodeError::Checksum);
    assert_eq!(decode(&good.slice(..good.len() - 1), MAX), Err(DecodeError::Length));
    assert_eq!(decode(&good.slice(..30), MAX), Err(DecodeError::Truncated));
    let not_utf8 = forged(1, 0, b"\xff", xxh3_128(b"\xff"));
    assert_eq!(decode(&not_utf8, MAX), Err(DecodeError::Utf8));
}

#[test]
fn nothing_can_be_appended_not_even_what_zstd_skips() {
    let (_, envelope) =
        encode(&Payload::new(compressible(), &config(Algorithm::Zstd), true), attributes(), Format::Bincode);
    let skippable_frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    let longer = Bytes::from([&envelope[..], &skippable_frame].concat());
    assert_eq!(decode(&longer, MAX), Err(DecodeError::Length));
}

#[test]
fn the_json_header_can_be_read_by_hand() {
    let (entry, envelope) =
        encode(&Payload::new(Bytes::from_static(b"{}"), &config(Algorithm::Lz4), true), attributes(), Format::Json);
    let text = String::from_utf8_lossy(&envelope);
    assert!(text.contains(r#""tags":["customer","aktiv ✓"]"#), "{text}");
    assert!(text.contains(&format!(r#""checksum":{}"#, entry.etag())), "{text}");
}

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Bincode), Just(Format::Json)]
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), ("[ -~]{0,12}", 0usize..400).prop_map(|(part, times)| part.repeat(times))]
}

prop_compose! {
    fn any_attributes()(
        version in any::<u64>(),
        created_at_ms in any::<i64>(),
        expires_at_ms in any::<i64>(),
        ttl_seconds in any::<u32>(),
        sliding in prop::option::of((any::<u32>(), any::<i64>())),
        (grace_seconds, made_stale) in prop_oneof![Just((0, false)), (1u32.., any::<bool>())],
        tags in prop::collection::vec(".{1,32}", 0..=crate::MAX_TAGS),
        levels in 0u8..8,
    ) -> Attributes {
        Attributes {
            version: Version(version),
            created_at_ms,
            expires_at_ms,
            ttl_seconds,
            sliding: sliding.map(|(idle_seconds, latest_ms)| Sliding { idle_seconds, latest_ms }),
            grace_seconds,
            made_stale,
            tags: tags.into_iter().map(Arc::from).collect(),
            levels: Levels::from_bits(levels),
        }
    }
}

prop_compose! {
    fn any_payload()(
        text in texts(),
        algorithm in prop_oneof![Just(Algorithm::Lz4), Just(Algorithm::Zstd)],
        level in 1u8..=9,
        threshold_bytes in 0usize..2048,
        allowed in any::<bool>(),
    ) -> Payload {
        Payload::new(Bytes::from(text), &CompressionConfig { algorithm, level, threshold_bytes }, allowed)
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(payload in any_payload(), attributes in any_attributes(), format in formats()) {
        let (entry, envelope) = encode(&payload, attributes, format);
        prop_assert_eq!(decode(&envelope, payload.text().len()).unwrap(), entry);
    }

    #[test]
    fn a_changed_envelope_is_refused(
        payload in any_payload(),
        attributes in any_attributes(),
        format in formats(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let (_, envelope) = encode(&payload, attributes, format);
        let mut bytes = envelope.to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(decode(&Bytes::from(bytes), MAX).is_err());
    }

    #[test]
    fn a_cut_or_extended_envelope_is_refused(
        payload in any_payload(),
        attributes in any_attributes(),
        format in formats(),
        at in any::<prop::sample::Index>(),
        extra in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let (_, envelope) = encode(&payload, attributes, format);
        prop_assert!(decode(&envelope.slice(..at.index(envelope.len())), MAX).is_err());
        let longer = [&envelope[..], &extra].concat();
        prop_assert!(decode(&Bytes::from(longer), MAX).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode(&Bytes::from(bytes.clone()), MAX);
        let _ = decode(&Bytes::from([b"ST\x01\x00\x01\x00", &bytes[..]].concat()), MAX);
    }

    #[test]
    fn no_sealed_header_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..256), format in formats()) {
        let _ = [0, SLIDES, HAS_GRACE, SLIDES | HAS_GRACE].map(|flags| Header::read(format, &bytes, flags));
    }

    #[test]
    fn no_sealed_payload_makes_it_panic(
        payload in prop::collection::vec(any::<u8>(), 0..512),
        raw_len in 0u64..100_000,
        compression in 0u8..3,
        checksum in any::<u128>(),
    ) {
        prop_assert!(decode(&forged(raw_len, compression, &payload, checksum), MAX).is_err());
    }

    #[test]
    fn no_damage_of_a_compressed_payload_makes_it_panic(
        text in texts(),
        zstd in any::<bool>(),
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let text = format!("{text}.");
        let mut bytes =
            if zstd { zstd::bulk::compress(text.as_bytes(), 3).unwrap() } else { lz4_flex::block::compress(text.as_bytes()) };
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let forged = forged(text.len() as u64, 1 + u8::from(zstd), &bytes, xxh3_128(text.as_bytes()));
        if let Ok(entry) = decode(&forged, MAX) {
            prop_assert_eq!(entry.json(), text);
        }
    }
}
