//! Jobs: work that is larger than one request, done in slices by whichever runner is called.
//!
//! A job is an item of the control table. Writing it in state [`Ready`](JobState::Ready) calls a runner, through the
//! table's stream; a slice that ends with work left does so again. A runner works on the job whose turn it is. A slice may
//! run twice, even at the same time, or be cut off anywhere: it can be repeated, and its checkpoint says where to
//! continue.

use crate::{selector::Selector, warm::Warm};
use std::collections::BTreeMap;

/// The kind of those that remove what an invalidation means.
pub(crate) const REMOVAL: &str = "removal";
/// The kind of those that load entries.
pub(crate) const WARM: &str = "warm";

/// What is known of a job. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// What it does: `removal` or `warm`.
    pub kind: String,
    /// How far it has come.
    pub state: JobState,
    /// What it has done.
    pub counters: Counters,
    /// When it was accepted.
    pub created_ms: i64,
    /// When it was last heard of.
    pub updated_ms: i64,
    /// When it was scheduled to begin.
    pub run_at_ms: i64,
    /// When a runner first worked on it.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub finished_ms: Option<i64>,
    /// What a warm job was expected to take.
    pub estimate: Option<Estimate>,
    /// Why its last slice was cut short, if it was; of a job that failed, why.
    pub error: Option<String>,
    /// The failed keys, by reason.
    pub errors: BTreeMap<String, u64>,
    /// What it is to load, of a warm job.
    pub warm: Option<Warm>,
    /// What it is to remove, of a removal.
    pub removes: Option<Selector>,
}

/// What was expected of a job when it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Keys to load: a lower bound if there was no time to count them all.
    pub keys: u64,
    /// When it should be done, in milliseconds since the Unix epoch.
    pub completion_ms: i64,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its scheduled time.
    Scheduled,
    /// It waits for a runner.
    Ready,
    /// A runner works on it.
    Running,
    /// It is done.
    Done,
    /// It was cancelled.
    Cancelled,
    /// It failed for good.
    Failed,
}

/// What a job has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Keys done: for a removal, the keys removed, each counted once by every slice that found it; for a warm job, the keys
    /// that L2 has now.
    pub done: u64,
    /// Keys without a live entry.
    pub missing: u64,
    /// Keys that failed.
    pub failed: u64,
}

/// How one slice of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slice {
    /// The job is done, or was given up.
    Done,
    /// There is work left, and another runner has been called through the table's stream.
    Continues,
    /// A level it needs is unreachable: maintenance calls a runner again.
    Parked,
    /// Another runner has taken it over, or it was cancelled.
    NotDue,
}

/// What one call did for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worked {
    /// The job's name.
    pub job: String,
    /// How its slice ended.
    pub ended: Slice,
}

impl Job {
    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Cancelled | JobState::Failed)
    }

    /// Keys that are still expected; `None` if there was no estimate.
    pub fn remaining(&self) -> Option<u64> {
        let Counters { done, missing, failed } = self.counters;
        let expected = self.estimate?.keys;
        Some(if self.is_over() { 0 } else { expected.saturating_sub(done + missing + failed) })
    }
}

impl JobState {
    /// Every state.
    pub const ALL: [JobState; 6] = [
        JobState::Scheduled,
        JobState::Ready,
        JobState::Running,
        JobState::Done,
        JobState::Cancelled,
        JobState::Failed,
    ];

    /// The state's name, as it is stored and reported.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Scheduled => "scheduled",
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
            JobState::Failed => "failed",
        }
    }

    /// The state of that name; `None` for one that this release does not know.
    pub fn named(name: &str) -> Option<JobState> {
        JobState::ALL.into_iter().find(|state| state.name() == name)
    }
}
