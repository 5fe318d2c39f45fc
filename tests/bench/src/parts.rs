//! Pieces of the library, each beside the crate that does its main work, alone.

use crate::{
    corpus, maps,
    pair::Pair,
    report::{Row, Section, Unit},
    samples::{ZSTD_LEVEL, seal},
    stats::in_turns,
};
use std::hint::black_box;
use strata_cache::{codec::decode, config::Algorithm};

/// Times all pairs.
pub fn measure() -> Section {
    let row = |pair: Pair| {
        let (strata, baseline) = in_turns(pair.ours, pair.theirs);
        let row = Row::new(format!("{} / {}", pair.name, pair.baseline), Unit::Microseconds, strata).beside(baseline);
        match pair.baseline {
            "lz4_flex" | "zstd" => row.aim("≤ 1.1×"),
            "mini-moka get" | "mini-moka insert" => row.aim("≤ +0.15 µs"),
            _ => row,
        }
    };
    Section {
        title: "Parts of the library".into(),
        baseline: "the crate that does the main work, alone; it neither checks nor keeps what a cache must".into(),
        rows: all().into_iter().map(row).collect(),
    }
}

/// All pairs.
pub fn all() -> Vec<Pair> {
    let kinds = [None, Some(Algorithm::Lz4), Some(Algorithm::Zstd)];
    let sized = corpus::SIZES.into_iter().flat_map(|size| kinds.map(|kind| (size, kind)));
    let mut pairs: Vec<Pair> = sized.flat_map(|(size, kind)| [encoding(size, kind), decoding(size, kind)]).collect();
    pairs.extend(maps::all());
    pairs
}

fn encoding(size: usize, kind: Option<Algorithm>) -> Pair {
    let text = corpus::text(size);
    let raw = text.clone();
    Pair::new(
        name("encode", size, kind),
        baseline(kind),
        move || {
            black_box(seal(black_box(&text), kind));
        },
        move || {
            black_box(compress(black_box(&raw), kind));
        },
    )
}

fn decoding(size: usize, kind: Option<Algorithm>) -> Pair {
    let text = corpus::text(size);
    let (_, envelope) = seal(&text, kind);
    let (stored, raw_len) = (compress(&text, kind), text.len());
    Pair::new(
        name("decode", size, kind),
        baseline(kind),
        move || {
            black_box(decode(black_box(&envelope), raw_len).expect("what was encoded can be decoded"));
        },
        move || {
            black_box(decompress(black_box(&stored), raw_len, kind));
        },
    )
}

fn name(what: &str, size: usize, kind: Option<Algorithm>) -> String {
    let kind = match kind {
        None => "not compressed",
        Some(Algorithm::Lz4) => "lz4",
        Some(Algorithm::Zstd) => "zstd",
    };
    format!("{what} {} KiB, {kind}", size >> 10)
}

const fn baseline(kind: Option<Algorithm>) -> &'static str {
    match kind {
        None => "one copy of the text",
        Some(Algorithm::Lz4) => "lz4_flex",
        Some(Algorithm::Zstd) => "zstd",
    }
}

fn compress(text: &[u8], kind: Option<Algorithm>) -> Vec<u8> {
    match kind {
        None => text.to_vec(),
        Some(Algorithm::Lz4) => lz4_flex::block::compress(text),
        Some(Algorithm::Zstd) => zstd::bulk::compress(text, i32::from(ZSTD_LEVEL)).expect("zstd compresses text"),
    }
}

fn decompress(stored: &[u8], raw_len: usize, kind: Option<Algorithm>) -> Vec<u8> {
    match kind {
        None => stored.to_vec(),
        Some(Algorithm::Lz4) => lz4_flex::block::decompress(stored, raw_len).expect("it was compressed just now"),
        Some(Algorithm::Zstd) => zstd::bulk::decompress(stored, raw_len).expect("it was compressed just now"),
    }
}
