//! The same seed is the same run: in one process, and in another.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use strata_simulator::run;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=12;

#[test]
fn the_same_seed_has_the_same_digest() {
    let first: Vec<u64> = SEEDS.map(|seed| run(seed).digest).collect();
    // The other way round: what came before makes no difference.
    let mut again: Vec<u64> = SEEDS.rev().map(|seed| run(seed).digest).collect();
    again.reverse();
    assert_eq!(first, again);
    let output = Command::new(env!("CARGO_BIN_EXE_simulate"))
        .env("FIRST", SEEDS.start().to_string())
        .env("SEEDS", SEEDS.count().to_string())
        .env("THREADS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let told = text.lines().filter_map(|line| line.split_once(" digest ")?.1.get(..16));
    let elsewhere: Vec<u64> = told.map(|hex| u64::from_str_radix(hex, 16).unwrap()).collect();
    assert_eq!(first, elsewhere);
}
