//! Mistakes planted in the real code, so that it can be shown that the history checker finds them.
//!
//! A checker that finds nothing says nothing unless it is known to find what is wrong. Each [`Bug`] is a mistake that
//! somebody could make, at the very place where it would be made; nothing else differs. Only a build with the feature
//! `planted`, which nothing that is deployed has, asks the environment which one to make. In any other build every
//! switch is a constant no and every script is the one that was written.

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
    /// A copy in L2 is trusted whatever the ledger has of its key.
    LedgerNotAsked,
    /// A sync that does not follow on the last one is taken for one that does.
    GapNotNoticed,
    /// L1 is trusted for as long as it holds a copy.
    WindowNotKept,
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

#[cfg(feature = "planted")]
pub(crate) use switch::{planted, script};

#[cfg(feature = "planted")]
mod switch {
    use super::Bug;
    use std::sync::LazyLock;

    /// The name of the mistake to make; empty or not set for none.
    #[expect(clippy::disallowed_methods, reason = "no setting: nothing that is deployed has it")]
    static WANTED: LazyLock<String> = LazyLock::new(|| std::env::var("STRATA_PLANTED").unwrap_or_default());

    /// What a mistake puts in the place of a text that one script has.
    const IN_SCRIPTS: [(Bug, &str, &str); 4] = [
        (Bug::PromotionByPlainSet, "if old[1] and not distrusted and not passed then", "if false then"),
        (
            Bug::IndexLeftOnOverwrite,
            "tagged[tag] = tagged[tag] or {}",
            "if old[1] then break end tagged[tag] = tagged[tag] or {}",
        ),
        (Bug::OpenTakenForKnown, "local is_known = set == ARGV[7]", "local is_known = true"),
        (Bug::EpochNotBegun, "meta[1] ~= identity or not meta[2] or is_lost", "not meta[2] or is_lost"),
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
