//! Why a read of a key is answered the way it is, here and now: what every level has, and what caused that.
//!
//! `facts` holds what every level said, `past` what the journal still knows of the key; `judge` derives a verdict and a
//! reason from both without any I/O, so that the reasons can be tested one by one.

pub(crate) mod facts;
mod judge;
mod levels;
pub(crate) mod past;
#[cfg(test)]
mod tests;

use self::facts::Facts;
use crate::{
    level::Level,
    outcome::Mutation,
    version::{Position, Version},
};
use std::sync::Arc;

/// What a read finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The newest value.
    Hit,
    /// A copy that is not, or cannot be shown to be, the newest value: a read returns it only within the window. Or the
    /// newest value in its grace: only a read that accepts expired values returns it.
    Stale,
    /// Nothing.
    Miss,
}

impl Verdict {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Hit => "hit",
            Verdict::Stale => "stale",
            Verdict::Miss => "miss",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// Why a read does not return the newest value, or a level does not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $doc] $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$variant),*];

            /// Its name in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reason::$variant => $name,)*
                }
            }
        }
    };
}

reasons! {
    NeverStored = "never_stored", "Nothing was stored for as long as is known.";
    Expired = "expired", "Its time to live is over.";
    Deleted = "deleted", "It was deleted.";
    InvalidatedByPattern = "invalidated_by_pattern", "An invalidation meant its key by a pattern.";
    InvalidatedByTag = "invalidated_by_tag", "An invalidation meant one of its tags.";
    InvalidatedByKey = "invalidated_by_key", "An invalidation named its key.";
    Overwritten = "overwritten", "A newer value was stored.";
    HiddenByOpenInvalidation = "hidden_by_open_invalidation", "An invalidation means it that has not removed it yet.";
    UnconfirmedCopy = "unconfirmed_copy", "There is a copy that the source of truth has to confirm.";
    JournalGap = "journal_gap", "There is a copy from before what is known of the journal.";
    LevelUnavailable = "level_unavailable", "A level that is needed for an answer cannot be reached.";
    LevelDisabled = "level_disabled", "The level is switched off, or was, since the value was stored.";
    OtherLevels = "other_levels", "Its PUT named other levels.";
    EvictedHere = "evicted_here", "The level may have it and has not: evicted, lost, or never brought here.";
    Unknown = "unknown", "What did it is longer ago than is known.";
}

/// How a read is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prediction {
    /// With a value, by this level.
    Found(Level),
    /// With nothing.
    Absent,
    /// With an error, because no level can say.
    Unavailable,
}

/// What is known of a key.
#[derive(Debug, Clone)]
pub struct Explained {
    /// What a read finds in this container.
    pub verdict: Verdict,
    /// Why it does not find the newest value; `None` if it does.
    pub reason: Option<Reason>,
    /// How it is answered.
    pub prediction: Prediction,
    /// The mutation that caused it, if it is still known.
    pub cause: Option<Mutation>,
    /// If nothing has happened to the key: since when that is known, in milliseconds since the Unix epoch.
    pub known_since_ms: Option<i64>,
    /// Until when the newest value, which has expired, is available to readers who accept it, in milliseconds since the Unix
    /// epoch.
    pub stale_until_ms: Option<i64>,
    /// What each level has, nearest first.
    pub levels: [LevelFacts; 3],
    /// The name of this container in its reports to the fleet.
    pub container: String,
    /// Δ, in milliseconds.
    pub window_ms: u64,
    /// When this container last read the journal, in milliseconds since the Unix epoch; `None` before the first time.
    pub synced_ms: Option<i64>,
}

/// What one level has of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelFacts {
    /// Which level.
    pub level: Level,
    /// Whether a read may return what it has.
    pub trusted: bool,
    /// Why it may not, or why there is nothing.
    pub reason: Option<Reason>,
    /// What it has, or what is left of it.
    pub copy: Option<CopyFacts>,
}

/// What a level says of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFacts {
    /// The mutation that it comes from, or that removed it.
    pub version: Version,
    /// The position of the journal at which it was the newest; `None` in the level that decides.
    pub as_of: Option<Position>,
    /// When it expires, in milliseconds since the Unix epoch; `None` of what is no value.
    pub expires_at_ms: Option<i64>,
    /// Its tags.
    pub tags: Vec<Arc<str>>,
}

/// How long a row of L3 stays at least, in ms; `KEEP_SECONDS` of `dynamo/schema.rs`.
const ROW_KEPT_MS: i64 = 3_600_000;

/// Judges; the container speaks for itself.
pub(crate) fn judge(facts: &Facts<'_>, container: String, window_ms: u64, synced_ms: Option<i64>) -> Explained {
    let newest = facts.newest();
    let (verdict, prediction, (reason, cause)) = facts.verdict(&newest);
    let never = reason == Some(Reason::NeverStored);
    let known_since_ms = facts.past.known_since_ms(facts.source_of_truth, facts.now_ms, ROW_KEPT_MS).filter(|_| never);
    let levels = levels::of(facts, &newest, prediction);
    let stale_until_ms = facts.in_grace_until_ms();
    Explained {
        verdict,
        reason,
        prediction,
        cause,
        known_since_ms,
        stale_until_ms,
        levels,
        container,
        window_ms,
        synced_ms,
    }
}
