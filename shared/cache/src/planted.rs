//! Mistakes planted in the real code, so that it can be shown that the history checker finds them.
//!
//! A checker that reports nothing proves nothing unless it is known to find faults. Each [`Bug`] is a mistake that
//! somebody could make, in the very place where it would be made; nothing else differs. Only a build with the feature
//! `planted`, which is never deployed, asks the environment which one to make. In any other build every switch is
//! constantly off and every script is unchanged.
//!
//! The same build can be made to panic at certain places, once each time a test asks for it, and to move its wall clock.

/// A mistake, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "planted"), expect(dead_code, reason = "those of the scripts are made by the feature only"))]
pub(crate) enum Bug {
    /// A promotion overwrites any copy without comparing versions.
    PromotionByPlainSet,
    /// A promotion does not check the journal afterwards.
    PromotionNotChecked,
    /// A read of L3 is certified by a sync that came after it.
    AsOfTakenAfterRead,
    /// L1 is filled with a value that a later mutation has replaced.
    StaleFillOfMemory,
    /// A copy in L2 is trusted whatever the recent changes say of its key.
    RecentChangesIgnored,
    /// A sync that leaves a gap after the last one is treated as if it left none.
    GapNotNoticed,
    /// A key counts as unchanged although the invalidation index has a later record of it.
    InvalidationIndexIgnored,
    /// L1 is trusted for as long as it holds a copy.
    CoherenceWindowIgnored,
    /// L1 is trusted for as long as Redis cannot be asked.
    MemoryTrustedWithoutRedis,
    /// Expiry is left to mini-moka's clock.
    ExpiryLeftToMemory,
    /// A mutation is acknowledged once Redis has it.
    AcknowledgedWithoutL3,
    /// L3 keeps whichever write comes last.
    L3VersionNotCompared,
    /// A tombstone carries no version.
    TombstoneWithoutVersion,
    /// A version drawn without Redis is ahead of its time.
    TimeAheadOfRedis,
    /// A mutation that Redis could not be told of leaves no outage note.
    OutageNoteNotLeft,
    /// The end of a generation of notes is not announced in the journal.
    GenerationNotAnnounced,
    /// Outage notes are read with a short time limit, and no answer counts as no notes.
    NoAnswerTakenForNoNotes,
    /// The age of a sync is judged by the wall clock alone.
    WallClockBelieved,
    /// A pattern matches bytes instead of characters, as Redis' own glob does.
    PatternOfBytes,
    /// Every key with a pattern's literal prefix counts as a match.
    PrefixTakenForPattern,
    /// An invalidation is closed before all of its matches are removed.
    InvalidationClosedEarly,
    /// A copy that an open invalidation has not reached yet is returned.
    OpenInvalidationIgnored,
    /// The set of open invalidations is taken for the one already known.
    OpenSetTakenForKnown,
    /// A DELETE, or a PUT into other levels, leaves the copy in L2.
    OlderCopyLeft,
    /// When a value replaces another, its tags are not added to the index of L2.
    IndexLeftOnOverwrite,
    /// Another server does not begin a new epoch.
    EpochNotBegun,
    /// A replica that was promoted is mistaken for a primary that was given slots.
    FailoverTakenForMove,
    /// A copy's tags are not looked up among the invalidated ones.
    TagMissed,
    /// Copies that a sync had no time to check count as good.
    UncheckedCopiesTrusted,
    /// After a panic the container goes on with a half-applied state.
    PanicIgnored,
    /// A PATCH is written as a PUT of the value it has read.
    PatchTakenForPut,
    /// L1 answers a batch, however long ago the last sync was.
    BatchNotSynced,
    /// Of the keys that an invalidation names, one is left out.
    KeyLeftOut,
    /// A fill is stored whatever the journal and the outage notes say.
    FillNotFenced,
    /// A later invalidation leaves a tombstone the value that it keeps for an undo.
    TombstoneNotStripped,
    /// An invalidation passes over rows whose value has expired.
    GracePassedOver,
    /// A value that keeps its tags takes their index rows for those of the value that it replaces.
    KeptTagRowsDropped,
    /// A value that keeps its tags takes the place of any other, whatever tags that has.
    OtherTagsKept,
}

/// A place at which an operation can be made to panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The sync delta has been received, and none of it applied to L1.
    DeltaUnapplied,
    /// A copy goes into L1.
    Fill,
    /// The replies to a sync's piggybacked commands are applied.
    Piggybacked,
}

/// Whether this mistake is to be made.
#[cfg(not(feature = "planted"))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

/// The text of a script, as it was written.
#[cfg(not(feature = "planted"))]
pub(crate) const fn script(text: &'static str) -> &'static str {
    text
}

/// Panics if a test wants that.
#[cfg(not(feature = "planted"))]
pub(crate) const fn panic_at(_: Panic) {}

/// How far the wall clock has been moved forward (or back, if negative), in ms.
#[cfg(not(feature = "planted"))]
pub(crate) const fn step_ms() -> i64 {
    0
}

#[cfg(feature = "planted")]
pub(crate) use switch::{panic_at, planted, script, step_ms};

#[cfg(feature = "planted")]
mod switch {
    use super::{Bug, Panic};
    use std::{
        fs,
        path::PathBuf,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
    };

    const DELTAS_PER_PANIC: u64 = 10;

    /// The name of the mistake to make; empty or not set for none.
    #[expect(clippy::disallowed_methods, reason = "no setting: it is never deployed")]
    static WANTED: LazyLock<String> = LazyLock::new(|| std::env::var("STRATA_PLANTED").unwrap_or_default());

    /// The folder in which a test says what else is to happen to this container. It is named after the container: the last
    /// part of its log stream's name.
    #[expect(clippy::disallowed_methods, reason = "no setting: it is never deployed")]
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let stream = std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default();
        let container = stream.rsplit(']').next().unwrap_or_default().to_owned();
        Some(PathBuf::from(std::env::var_os("STRATA_PLANTED_FOLDER")?).join(container))
    });

    /// How many sync deltas have come, for the mistake that panics at some of them.
    static DELTAS: AtomicU64 = AtomicU64::new(0);

    /// Panics if there is a file named after the place, and removes that file.
    pub(crate) fn panic_at(place: Panic) {
        let file = FOLDER.as_ref().map(|folder| folder.join(format!("{place:?}")));
        let by_mistake = place == Panic::DeltaUnapplied && planted(Bug::PanicIgnored);
        let now_and_then = by_mistake && DELTAS.fetch_add(1, Relaxed) % DELTAS_PER_PANIC == DELTAS_PER_PANIC - 1;
        if now_and_then || file.is_some_and(|file| fs::remove_file(file).is_ok()) {
            panic!("planted: {place:?}");
        }
    }

    /// What the file `clock` says, in ms; 0 without one.
    pub(crate) fn step_ms() -> i64 {
        let text = FOLDER.as_ref().and_then(|folder| fs::read_to_string(folder.join("clock")).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// Each mistake in a script: the text it replaces, which stands in one script only, and what with.
    const IN_SCRIPTS: [(Bug, &str, &str); 5] = [
        (Bug::PromotionByPlainSet, "if old and not distrusted and not passed then", "if false then"),
        (
            Bug::IndexLeftOnOverwrite,
            "note(tagged, set, 0, hash .. key)",
            "if old then break end note(tagged, set, 0, hash .. key)",
        ),
        (Bug::EpochNotBegun, "is_another or not meta[2] or is_lost", "not meta[2] or is_lost"),
        (
            Bug::FailoverTakenForMove,
            "or not have_slots_only_moved(before,",
            "or false and not have_slots_only_moved(before,",
        ),
        (Bug::OpenSetTakenForKnown, "local is_known = set == ARGV[10]", "local is_known = true"),
    ];

    /// Whether this mistake is to be made.
    pub(crate) fn planted(bug: Bug) -> bool {
        !WANTED.is_empty() && *WANTED == format!("{bug:?}")
    }

    /// The text of a script, with the mistake that is to be made in it.
    pub(crate) fn script(text: &'static str) -> &'static str {
        let change = IN_SCRIPTS.iter().find(|(bug, from, _)| planted(*bug) && text.contains(from));
        change.map_or(text, |(_, from, to)| text.replace(from, to).leak())
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "a test")]
    fn every_mistake_of_a_script_has_its_place() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/redis/lua")).unwrap();
        let scripts: Vec<_> = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        for (bug, from, _) in IN_SCRIPTS {
            let places: usize = scripts.iter().map(|script| script.matches(from).count()).sum();
            assert_eq!(places, 1, "{bug:?}");
        }
    }
}
