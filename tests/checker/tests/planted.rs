//! The checker finds what is wrong: mistakes planted in the real code (`shared/cache/src/planted.rs`), each hunted until
//! the first violation that nothing explains, and the same runs of the same binaries without any.
//!
//! `make planted` builds the binaries; `BUG=name` hunts one mistake only.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use strata_checker::report::describe;
use strata_checker::soak::hunt;
use strata_checker::{Fault, PLANTED, Setup, Verdict};
use strata_stack::repository;

/// Δ of every stack: most reads come after it.
const WINDOW: Duration = Duration::from_millis(300);
/// What takes longer than a busy machine keeps a container from its answer is no outage.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most mistakes show in what the faults themselves do; a few clients are enough besides, for several stacks at a time.
const CLIENTS: usize = 2;
/// How many seeds a mistake may take to be found.
const BUDGET: std::ops::RangeInclusive<u64> = 1..=40;
/// Seeds on which a build without a mistake must be clean, for every list of faults.
const CLEAN: std::ops::RangeInclusive<u64> = 1..=2;
/// Stacks at a time; they wait more than they work.
const STACKS: usize = 7;

/// Every mistake, and what fails while it is looked for; some once for each thing that can fail. Those that take long come
/// first.
const HUNTS: [(&str, &[Fault]); 44] = [
    ("PromotionByPlainSet", &[Fault::HistoryOutlived]),
    ("PromotionNotChecked", &[Fault::HistoryOutlived]),
    ("OlderCopyLeft", &[Fault::HistoryOutlived]),
    ("IndexLeftOnOverwrite", &[Fault::HistoryOutlived]),
    ("FailoverTakenForMove", &[Fault::SlotsMoved]),
    ("NoAnswerTakenForNoNotes", &[Fault::L3SlowForLong]),
    ("NoAnswerTakenForNoNotes", &[Fault::L3SickForLong]),
    ("OpenInvalidationIgnored", &[Fault::ManyOpen]),
    ("OutageNoteNotLeft", &[Fault::RedisFull]),
    ("OutageNoteNotLeft", &[Fault::RedisLacksReplicas]),
    ("GapNotNoticed", &[Fault::JournalBusy]),
    ("MemoryTrustedWithoutRedis", &[Fault::RedisNarrow]),
    ("OutageNoteNotLeft", &[Fault::OneCutOff]),
    ("GenerationNotAnnounced", &[Fault::ManyNotes]),
    ("WallClockBelieved", &[Fault::ClockSetBack]),
    ("InvalidationIndexIgnored", &[Fault::JournalBusy]),
    ("TimeAheadOfRedis", &[Fault::OneCutOff]),
    ("AsOfTakenAfterRead", &[Fault::PromotionsSlow]),
    ("StaleFillOfMemory", &[Fault::PromotionsSlow]),
    ("RecentChangesIgnored", &[Fault::PromotionsSlow]),
    ("GapNotNoticed", &[Fault::JournalTrimmed]),
    ("InvalidationIndexIgnored", &[Fault::JournalTrimmed]),
    ("CoherenceWindowIgnored", &[Fault::ContainerRests]),
    ("BatchNotSynced", &[Fault::ContainerRests]),
    ("TagMissed", &[Fault::ContainerRests]),
    ("UncheckedCopiesTrusted", &[Fault::ContainerRests]),
    ("PanicIgnored", &[Fault::ContainerRests]),
    ("ExpiryLeftToMemory", &[Fault::ContainerRests]),
    ("AcknowledgedWithoutL3", &[Fault::RedisEmptied]),
    ("L3VersionNotCompared", &[Fault::WritesLate]),
    ("TombstoneWithoutVersion", &[Fault::WritesLate]),
    ("PatchTakenForPut", &[Fault::PatchesSlow]),
    ("FillNotFenced", &[Fault::FillsSlow]),
    ("TombstoneNotStripped", &[Fault::UndosRaced]),
    ("GracePassedOver", &[Fault::LivesEnded]),
    ("KeptTagRowsDropped", &[Fault::TagsRaced]),
    ("OtherTagsKept", &[Fault::TagsRaced]),
    ("KeyLeftOut", &[Fault::InvalidationsSlow]),
    ("PatternOfBytes", &[Fault::InvalidationsSlow]),
    ("PrefixTakenForPattern", &[Fault::InvalidationsSlow]),
    ("InvalidationClosedEarly", &[Fault::InvalidationsSlow]),
    ("OpenInvalidationIgnored", &[Fault::InvalidationsSlow]),
    ("OpenSetTakenForKnown", &[Fault::InvalidationsSlow]),
    ("EpochNotBegun", &[Fault::ReplicaPromoted]),
];

/// What came of looking for something.
struct Hunted {
    planted: Option<&'static str>,
    found: Option<Verdict>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_mistake_is_found_and_nothing_else() {
    let wanted = std::env::var("BUG").ok();
    let hunts = HUNTS.iter().filter(|(bug, _)| wanted.as_deref().is_none_or(|wanted| wanted == *bug));
    let hunts: Vec<(Option<&'static str>, &'static [Fault])> =
        hunts.flat_map(|&(bug, faults)| [(Some(bug), faults), (None, faults)]).collect();
    let hunted = hunt_all(without_repetitions(hunts)).await;
    let missed = hunted.iter().filter(|hunted| hunted.planted.is_some() && hunted.found.is_none());
    let missed: Vec<_> = missed.filter_map(|hunted| hunted.planted).collect();
    let clean = hunted.iter().filter(|hunted| hunted.planted.is_none()).filter_map(|hunted| hunted.found.as_ref());
    let unclean: Vec<String> = clean.map(describe).collect();
    assert!(unclean.is_empty(), "nothing was planted: {}", unclean.join("\n"));
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// Each list of faults once without a mistake.
fn without_repetitions<T: PartialEq>(hunts: Vec<T>) -> Vec<T> {
    hunts.into_iter().fold(Vec::new(), |mut kept, hunt| {
        if !kept.contains(&hunt) {
            kept.push(hunt);
        }
        kept
    })
}

async fn hunt_all(hunts: Vec<(Option<&'static str>, &'static [Fault])>) -> Vec<Hunted> {
    let (hunts, hunted) = (Mutex::new(hunts.into_iter()), Mutex::new(Vec::new()));
    let workers = (0..STACKS).map(|_| async {
        loop {
            let next = hunts.lock().unwrap().next();
            let Some((planted, faults)) = next else { return };
            let found = look_for(planted, faults).await;
            hunted.lock().unwrap().push(Hunted { planted, found });
        }
    });
    join_all(workers).await;
    hunted.into_inner().unwrap()
}

async fn look_for(planted: Option<&str>, faults: &[Fault]) -> Option<Verdict> {
    let setup = Setup {
        binaries: Some(binaries()),
        patience: PATIENCE,
        clients: CLIENTS,
        planted: planted.map(str::to_owned),
        faults: faults.to_vec(),
        warming: false,
        ..Setup::keeping(WINDOW)
    };
    let long = faults.contains(&Fault::HistoryOutlived);
    let seeds = match planted {
        Some(_) if !long => BUDGET,
        None if !long => CLEAN,
        _ => 1..=1,
    };
    let began = std::time::Instant::now();
    let found = hunt(&setup, seeds).await;
    let rules = found.iter().flat_map(Verdict::unexplained).next().map(|violation| violation.rule);
    let seed = found.as_ref().map(|verdict| verdict.seed);
    eprintln!("{planted:?} under {faults:?}: {rules:?}, seed {seed:?}, {:?}", began.elapsed());
    found
}

/// The binaries with the mistakes in them.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).unwrap();
    let folder = target.join("planted");
    assert!(folder.join("entries").is_file(), "{} has no binaries: make planted", folder.display());
    folder
}

#[test]
fn every_mistake_is_hunted() {
    let code = std::fs::read_to_string(repository().join("shared/cache/src/planted.rs")).unwrap();
    let (_, rest) = code.split_once("enum Bug {").unwrap();
    let (list, _) = rest.split_once("\n}").unwrap();
    let mut bugs: Vec<&str> = list.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    let mut hunted: Vec<&str> = HUNTS.iter().map(|(bug, _)| *bug).collect();
    bugs.retain(|line| !line.starts_with("//"));
    bugs.sort_unstable();
    hunted.sort_unstable();
    hunted.dedup();
    assert_eq!(bugs, hunted);
}

#[test]
fn ordinary_binaries_know_of_no_mistakes() {
    let knows = |binary: PathBuf| {
        let bytes = std::fs::read(&binary).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes())
    };
    let ordinary = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf();
    for function in ["entries", "invalidate"] {
        assert!(!knows(ordinary.join(function)), "{function} was built with the feature `planted`");
        assert!(knows(binaries().join(function)), "{function} was built without the feature `planted`: make planted");
    }
}
