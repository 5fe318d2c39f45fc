//! Mistakes planted in the real code, so that it can be shown that the history checker finds them.
//!
//! A checker that finds nothing says nothing unless it is known to find what is wrong. Each [`Bug`] is a mistake that
//! somebody could make, at the very place where it would be made; nothing else differs. Only a build with the feature
//! `planted`, which nothing that is deployed has, asks the environment which one to make. In any other build every
//! switch is a constant no and every script is the one that was written.
//!
//! The same build can be made to panic at some places, once each time a test asks for it, and to put its wall clock back.

/// A mistake, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "planted"), expect(dead_code, reason = "those of the scripts are made by the feature only"))]
pub(crate) enum Bug {
    /// A promotion writes its copy over any other and looks no further.
    PromotionByPlainSet,
    /// A promotion is not followed by a look into the journal.
    PromotionNotChecked,
    /// What was read from L3 is certified by a sync after the read.
    StampTakenAfterRead,
    /// Own L1 is filled with what has been overtaken.
    FilledThoughCovered,
    /// A copy in L2 is trusted whatever the window of recent changes has of its key.
    LedgerNotAsked,
    /// A sync that does not follow on the last one is taken for one that does.
    GapNotNoticed,
    /// A key of which the index has a later record counts as untouched.
    IndexNotHeeded,
    /// L1 is trusted for as long as it holds a copy.
    WindowNotKept,
    /// L1 is trusted for as long as Redis cannot be asked.
    MemoryTrustedWithoutRedis,
    /// Expiry is left to the clock of the memory.
    ExpiryLeftToMemory,
    /// A mutation is acknowledged when Redis has it.
    AcknowledgedWithoutL3,
    /// L3 takes whatever comes last.
    L3VersionNotCompared,
    /// A tombstone does not say what it is newer than.
    TombstoneWithoutVersion,
    /// A version that is taken without Redis is ahead of its time.
    TimeAheadOfRedis,
    /// Nobody is told of what was done while Redis was out of reach.
    NoteNotLeft,
    /// Nobody is told that a generation of notes has ended.
    GenerationEndedUnheard,
    /// Outage notes are read in haste, and no answer is taken for no notes.
    NotesTakenForNone,
    /// Windows are judged by the wall clock alone.
    WallClockBelieved,
    /// A pattern means bytes where it should mean characters, as Redis' own glob does.
    PatternOfBytes,
    /// What begins like the matches is taken for one.
    PrefixTakenForPattern,
    /// An invalidation ends before it has removed what it means.
    BarrierClosedEarly,
    /// A row that an invalidation has not come to yet is returned.
    BarrierNotHeeded,
    /// What is open is taken for what was open before.
    OpenTakenForKnown,
    /// A DELETE, or a PUT into other levels, leaves the copy in L2.
    OlderCopyLeft,
    /// The tags of a value that replaces another do not go into the index of L2.
    IndexLeftOnOverwrite,
    /// Another server is taken for the one before.
    EpochNotBegun,
    /// A replica that was promoted is taken for one that was given slots.
    FailoverTakenForMove,
    /// The tags of a copy are not looked for among those that were invalidated.
    TagMissed,
    /// What a sync had no time to look over counts as good.
    RestForgotten,
    /// What a panic has left half done is gone on with.
    PanicPassedOver,
    /// A PATCH is a PUT of what it has read.
    PatchTakenForPut,
    /// L1 answers a batch, however long ago the last sync was.
    BatchNotSynced,
    /// Of keys that are invalidated by name one is not meant.
    KeyLeftOut,
    /// A fill is stored whatever the journal and the notes say.
    FillNotFenced,
    /// An invalidation leaves a tombstone the value that it keeps.
    KeptNotStripped,
    /// A value that keeps its tags takes their index rows for those of the value that it replaces.
    KeptTagRowsDropped,
}

/// A place at which an operation can be made to panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panic {
    /// The journal's delta is known, and L1 has applied none of it.
    DeltaUnapplied,
    /// A copy goes into L1.
    Fill,
    /// The replies to what rode along with a sync are applied.
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

/// Panics when that is wanted.
#[cfg(not(feature = "planted"))]
pub(crate) const fn panic_at(_: Panic) {}

/// By how much the wall clock was put on or back, in ms.
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

    const NEWS_TO_A_PANIC: u64 = 10;

    /// The name of the mistake to make; empty or not set for none.
    #[expect(clippy::disallowed_methods, reason = "no setting: nothing that is deployed has it")]
    static WANTED: LazyLock<String> = LazyLock::new(|| std::env::var("STRATA_PLANTED").unwrap_or_default());

    /// The folder in which a test leaves what else is to happen to this container: a folder in it with the container's name,
    /// as it is at the end of that of its log stream.
    #[expect(clippy::disallowed_methods, reason = "no setting: nothing that is deployed has it")]
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let stream = std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default();
        let container = stream.rsplit(']').next().unwrap_or_default().to_owned();
        Some(PathBuf::from(std::env::var_os("STRATA_PLANTED_FOLDER")?).join(container))
    });

    /// How often a delta of the journal came, for the mistake that is about a panic then.
    static NEWS: AtomicU64 = AtomicU64::new(0);

    /// Panics when there is a file with the place's name, which is gone then.
    pub(crate) fn panic_at(place: Panic) {
        let file = FOLDER.as_ref().map(|folder| folder.join(format!("{place:?}")));
        let by_mistake = place == Panic::DeltaUnapplied && planted(Bug::PanicPassedOver);
        let now_and_then = by_mistake && NEWS.fetch_add(1, Relaxed) % NEWS_TO_A_PANIC == NEWS_TO_A_PANIC - 1;
        if now_and_then || file.is_some_and(|file| fs::remove_file(file).is_ok()) {
            panic!("planted: {place:?}");
        }
    }

    /// What the file `clock` says, in ms; 0 without one.
    pub(crate) fn step_ms() -> i64 {
        let text = FOLDER.as_ref().and_then(|folder| fs::read_to_string(folder.join("clock")).ok());
        text.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
    }

    /// What a mistake puts in the place of a text that one script has.
    const IN_SCRIPTS: [(Bug, &str, &str); 5] = [
        (Bug::PromotionByPlainSet, "if old and not distrusted and not passed then", "if false then"),
        (
            Bug::IndexLeftOnOverwrite,
            "note(tagged.rows, set, 0, hash .. key)",
            "if old then break end note(tagged.rows, set, 0, hash .. key)",
        ),
        (Bug::EpochNotBegun, "is_another or not meta[2] or is_lost", "not meta[2] or is_lost"),
        (
            Bug::FailoverTakenForMove,
            "or not have_slots_only_moved(before,",
            "or false and not have_slots_only_moved(before,",
        ),
        (Bug::OpenTakenForKnown, "local is_known = set == ARGV[10]", "local is_known = true"),
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
