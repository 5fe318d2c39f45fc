//! What callers ask of the cache and what they are told.

use crate::{
    cache_position::CachePosition,
    config::{FieldChange, Refusal},
    entry::Entry,
    job::Job,
    level::{Level, Levels},
    selector::Selector,
    undo::{UndoHandle, UndoRefusal},
    version::Position,
};
use std::{fmt, sync::Arc};

pub use crate::read::Read;

/// What a read found, and where it looked.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The live value, if there is one; or an expired one, if the reader accepts that.
    pub hit: Option<Hit>,
    /// What each level did.
    pub path: Path,
}

/// A value and the level that answered.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The value.
    pub entry: Arc<Entry>,
    /// The level that answered.
    pub level: Level,
    /// Reads of this value by the fleet as of the last sync, and by this container since, this one included.
    pub access_count: u64,
    /// When it was last read before this read, or else created, in milliseconds since the Unix epoch.
    pub last_accessed_ms: i64,
    /// It has expired, and is returned because the reader [accepts that](Read::max_stale).
    pub stale: bool,
    /// For [`Read::at_least`], so that later reads return nothing older.
    pub position: CachePosition,
}

/// What each level did for one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path {
    /// L1.
    pub l1: Step,
    /// L2.
    pub l2: Step,
    /// L3.
    pub l3: Step,
}

/// What one level did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// It was not needed.
    #[default]
    Unasked,
    /// It is switched off.
    Disabled,
    /// It answered with a live value, or took the write.
    Hit,
    /// It has no copy.
    Miss,
    /// It has a copy that could not be trusted.
    Stale,
    /// It could not be reached in time, or was skipped because it recently could not.
    Unavailable,
}

impl Path {
    /// The steps by level, nearest first.
    pub fn steps(&self) -> [(Level, Step); 3] {
        [(Level::L1, self.l1), (Level::L2, self.l2), (Level::L3, self.l3)]
    }

    /// The levels that were searched: those that answered, with a value or without.
    pub fn searched(&self) -> Levels {
        self.steps()
            .into_iter()
            .filter(|(_, step)| matches!(step, Step::Hit | Step::Miss | Step::Stale))
            .map(|(level, _)| level)
            .collect()
    }
}

/// What a PUT did.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The entry as stored.
    pub entry: Arc<Entry>,
    /// No live value was replaced in an enabled shared level or in this container's L1.
    pub created: bool,
    /// The levels that hold it now.
    pub levels: Levels,
    /// Redis was not reachable: other containers may return the previous value for up to Λ (10 s) instead of Δ.
    pub degraded: bool,
    /// For [`Read::at_least`], so that reads in other containers know of it at once.
    pub position: CachePosition,
    /// What each level did.
    pub path: Path,
}

/// What a DELETE did.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// The levels where a live copy was. Empty: there was nothing to delete.
    pub levels: Levels,
    /// As in [`Stored::degraded`].
    pub degraded: bool,
    /// For [`Read::at_least`], so that reads in other containers know of it at once.
    pub position: CachePosition,
    /// What each level did.
    pub path: Path,
    /// How to undo it, if that is possible.
    pub undo: Option<UndoHandle>,
}

/// What to invalidate.
#[derive(Debug, Clone)]
pub struct Invalidate {
    /// Which entries.
    pub selector: Selector,
    /// In which levels; those that are switched off are skipped.
    pub levels: Levels,
    /// Why, for the journal.
    pub reason: Option<String>,
    /// Who, for the journal.
    pub by: Option<String>,
    /// The account, such as an API key, that the job counts for which removes what this call cannot; `None` for nobody's.
    pub account: Option<String>,
    /// Count only, and remove nothing.
    pub dry_run: bool,
    /// Remove nothing when more keys than this match.
    pub max_affected: Option<u64>,
    /// For how long it can be undone, in seconds, up to [`undo::MOST_SECONDS`](crate::undo::MOST_SECONDS); `None` for what
    /// the configuration says, if undo is possible at all.
    pub undo_seconds: Option<u32>,
}

/// What an invalidation did.
#[derive(Debug, Clone)]
pub struct Invalidated {
    /// Distinct keys with a live value in the requested levels.
    pub matched: u64,
    /// The levels where one was.
    pub levels: Levels,
    /// Up to twenty of the keys, in order.
    pub samples: Vec<String>,
    /// As in [`Stored::degraded`].
    pub degraded: bool,
    /// For [`Read::at_least`], so that reads in other containers know of it at once.
    pub position: CachePosition,
    /// Whether all of it has been removed; the rest is hidden.
    pub reclaim: Reclaim,
    /// How it can be undone, where it can.
    pub undo: Option<UndoHandle>,
}

impl Invalidated {
    /// Adds what an invalidation of other keys did.
    pub(crate) fn add(&mut self, other: Invalidated) {
        self.matched += other.matched;
        self.levels = self.levels.or(other.levels);
        self.degraded |= other.degraded;
        self.position = self.position.and(other.position);
        if self.reclaim == Reclaim::Complete {
            self.reclaim = other.reclaim;
        }
        self.undo = self.undo.take().or(other.undo);
    }
}

/// How far the removal of what was invalidated has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reclaim {
    /// Everything has been removed.
    Complete,
    /// The rest is removed later; [`Invalidated::matched`] counts what was found so far.
    InProgress {
        /// The job that does it; `None` if the first container that reaches Redis does it.
        job: Option<String>,
    },
}

/// A warm job that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warming {
    /// The job.
    pub job: Job,
    /// Whether this request created it, rather than an earlier one of the same name.
    pub is_new: bool,
}

/// A page of jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jobs {
    /// Unfinished ones, then finished ones, most recently ended first.
    pub jobs: Vec<Job>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// What maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// Jobs that a runner was called for, because they were due, or their runner had died or never came.
    pub jobs_woken: u64,
    /// Invalidations whose container had died, and which have become jobs.
    pub invalidations_adopted: u64,
    /// Invalidations that can no longer be undone, and whose kept values were deleted.
    pub invalidations_tidied: u64,
    /// Outage notes deleted because an epoch has replaced them.
    pub notes_dropped: u64,
    /// Members removed from the indexes of L2 because their copies were gone.
    pub members_swept: u64,
    /// The sweep of the indexes was completed.
    pub sweep_finished: bool,
    /// The census of L3 was completed and published.
    pub census_finished: bool,
}

/// What an update of the configuration did.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Version of the configuration now.
    pub version: u64,
    /// When it was last changed, in milliseconds since the Unix epoch; 0 if never.
    pub updated_at_ms: i64,
    /// The fields whose value changed, in the order of the document.
    pub changed: Vec<FieldChange>,
    /// Redis could not be told: other containers follow within 10 s instead of Δ.
    pub degraded: bool,
}

/// A mutation, as recorded in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Its position in the journal.
    pub position: Position,
    /// When it was recorded, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// `put`, `delete`, `invalidate`, `undo` or `config`.
    pub kind: String,
    /// The key, of a put or delete.
    pub key: Option<String>,
    /// The pattern, of an invalidation by pattern.
    pub pattern: Option<String>,
    /// The tags, of an invalidation by tags.
    pub tags: Option<Vec<Arc<str>>>,
    /// Whether an entry had to have all of the tags rather than one.
    pub all_tags: bool,
    /// The keys, of an invalidation by keys.
    pub keys: Option<Vec<Arc<str>>>,
    /// The tags whose entries were spared, of an invalidation that named some.
    pub except_tags: Option<Vec<Arc<str>>>,
    /// The levels, of an invalidation.
    pub levels: Option<Levels>,
    /// Who asked for it.
    pub by: Option<String>,
    /// Why, of an invalidation that gave a reason.
    pub reason: Option<String>,
    /// Matching keys, of an invalidation that has ended.
    pub matched: Option<u64>,
    /// What was changed, of an update of the configuration.
    pub changes: Option<Vec<FieldChange>>,
}

/// Why an operation was not done, or cannot be known to have been done. Its text contains no secrets and no values.
///
/// Only after [`Unavailable`](CacheError::Unavailable) and [`Contended`](CacheError::Contended) may a mutation have happened.
#[derive(Debug)]
pub enum CacheError {
    /// A level that is needed for a correct answer cannot be reached. A mutation may have happened.
    Unavailable {
        /// The level.
        level: Level,
        /// For the log.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The condition of a PUT, or of an update of the configuration, does not hold.
    PreconditionFailed,
    /// The value is over the size limit.
    TooLarge {
        /// Bytes of its JSON text.
        size_bytes: usize,
        /// The most there may be.
        max_bytes: usize,
    },
    /// The PUT names a level that is switched off.
    Disabled(Level),
    /// Something has touched the key since the miss that the PUT's token is from, or that cannot be ruled out. Nothing
    /// changed.
    LeaseLost,
    /// Fields of the request, the configuration or a warm job that have values they may not have.
    Refused(Vec<Refusal>),
    /// More keys match than were allowed; nothing was removed.
    TooMany {
        /// How many.
        matched: u64,
    },
    /// There is more to count than one call has time for.
    OutOfTime,
    /// An account has reached a quota.
    OverQuota {
        /// Which quota.
        quota: &'static str,
        /// How much the account has.
        used: u64,
        /// How much it may have.
        limit: u64,
    },
    /// The name given to a job belongs to another job that does something else.
    OtherJob,
    /// Other mutations of the same key kept overtaking this one. Nothing was acknowledged; it may have happened.
    Contended,
    /// An undo was refused.
    Undo(UndoRefusal),
}

impl CacheError {
    /// The operation could not be done for want of `level`.
    pub(crate) fn unavailable(level: Level, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CacheError {
        CacheError::Unavailable { level, cause: cause.into() }
    }
}

impl CacheError {
    /// The error with its causes, for the log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CacheError::Unavailable { level, .. } => write!(f, "{level} is not available"),
            CacheError::PreconditionFailed => f.write_str("the precondition does not hold"),
            CacheError::TooLarge { size_bytes, max_bytes } => write!(f, "{size_bytes} bytes, of at most {max_bytes}"),
            CacheError::LeaseLost => f.write_str("the key was touched since the miss"),
            CacheError::Disabled(level) => write!(f, "{level} is switched off"),
            CacheError::Refused(refusals) => write!(f, "{} values are refused", refusals.len()),
            CacheError::TooMany { matched } => write!(f, "{matched} keys match"),
            CacheError::OutOfTime => f.write_str("there is more to count than one request has time for"),
            CacheError::OverQuota { quota, used, limit } => write!(f, "{used} of {limit} {quota}"),
            CacheError::OtherJob => f.write_str("another job has that name"),
            CacheError::Contended => f.write_str("other mutations of the key kept overtaking this one"),
            CacheError::Undo(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for CacheError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            CacheError::Unavailable { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}
