//! The simulator finds what is wrong: mistakes planted in the real code (`shared/cache/src/planted.rs`), each hunted through
//! the seeds until one shows it. What nothing was planted in is run by `seeds.rs`, at the same seeds.
//!
//! `make planted` builds the binary; `BUG=name` hunts one mistake only, and `SEEDS=n` for longer.

#![allow(clippy::unwrap_used)]

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::Mutex,
};
use strata_simulator::run;

/// How many seeds a mistake may take to be found.
const SEEDS: &str = "48";
/// Processes at a time.
const PROCESSES: usize = 2;

/// Every mistake that a simulated world can show.
const HUNTED: [&str; 34] = [
    "GenerationEndedUnheard",
    "GapNotNoticed",
    "IndexNotHeeded",
    "KeptNotStripped",
    "TimeAheadOfRedis",
    "PromotionByPlainSet",
    "PromotionNotChecked",
    "StampTakenAfterRead",
    "FilledThoughCovered",
    "LedgerNotAsked",
    "WindowNotKept",
    "MemoryTrustedWithoutRedis",
    "ExpiryLeftToMemory",
    "AcknowledgedWithoutL3",
    "L3VersionNotCompared",
    "TombstoneWithoutVersion",
    "NoteNotLeft",
    "NotesTakenForNone",
    "WallClockBelieved",
    "PatternOfBytes",
    "PrefixTakenForPattern",
    "BarrierClosedEarly",
    "BarrierNotHeeded",
    "OpenTakenForKnown",
    "OlderCopyLeft",
    "IndexLeftOnOverwrite",
    "EpochNotBegun",
    "TagMissed",
    "RestForgotten",
    "PanicPassedOver",
    "PatchTakenForPut",
    "BatchNotSynced",
    "KeyLeftOut",
    "FillNotFenced",
];
/// Those that none can show, and why.
const ELSEWHERE: [(&str, &str); 1] =
    [("FailoverTakenForMove", "it takes a cluster whose slots move; here is one server")];

fn simulate(mistake: &str, first: &str, seeds: &str) -> (ExitStatus, String) {
    let own = std::env::current_exe().unwrap();
    let binary: PathBuf = own.ancestors().nth(3).unwrap().join("planted/simulate");
    assert!(binary.is_file(), "there is no {}: make planted", binary.display());
    let run = Command::new(binary)
        .envs([("FIRST", first), ("SEEDS", seeds), ("THREADS", "1"), ("STOP", "1"), ("STRATA_PLANTED", mistake)])
        .output()
        .unwrap();
    (run.status, String::from_utf8(run.stdout).unwrap())
}

#[test]
fn every_planted_mistake_is_found() {
    let wanted = std::env::var("BUG").ok();
    let seeds = std::env::var("SEEDS").unwrap_or_else(|_| SEEDS.to_owned());
    let hunted = HUNTED.iter().filter(|mistake| wanted.as_deref().is_none_or(|wanted| wanted == **mistake));
    let (hunted, missed) = (Mutex::new(hunted), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..PROCESSES {
            scope.spawn(|| {
                loop {
                    let Some(mistake) = hunted.lock().unwrap().next() else { return };
                    let (status, told) = simulate(mistake, "1", &seeds);
                    let found = told.lines().find(|line| line.starts_with("wrong after"));
                    eprintln!("{mistake}: {}", found.unwrap_or("not found"));
                    if wanted.is_some() {
                        eprintln!("{told}");
                    }
                    if found.is_none() || status.code() != Some(1) {
                        missed.lock().unwrap().push(*mistake);
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

#[test]
fn a_build_that_makes_no_mistake_does_what_any_other_does() {
    let (_, told) = simulate("", "2", "1");
    let (_, digest) = told.split_once(" digest ").unwrap();
    let own = format!("{:016x}", run(2).digest);
    assert_eq!(&digest[..16], own, "two builds of the same code; if the one with mistakes is older: make planted");
}

#[test]
fn every_mistake_is_hunted_or_cannot_show() {
    let code = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/cache/src/planted.rs");
    let code = std::fs::read_to_string(code).unwrap();
    let (_, rest) = code.split_once("enum Bug {").unwrap();
    let (list, _) = rest.split_once("\n}").unwrap();
    let mut planted: Vec<&str> = list.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    planted.retain(|line| !line.starts_with("//"));
    let mut known: Vec<&str> = HUNTED.into_iter().chain(ELSEWHERE.map(|(mistake, _)| mistake)).collect();
    planted.sort_unstable();
    known.sort_unstable();
    assert_eq!(planted, known);
}
