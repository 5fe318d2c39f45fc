//! Removal jobs: what an invalidation has no time to remove, behind an open invalidation that hides all of it
//! meanwhile.
//!
//! The open invalidation stands in Redis, as an open record, and in the control table until the job is done. A part of
//! the removal counts for the record under which it was done only: when Redis has lost the record, what was removed may
//! have been promoted again since, so that the record is put back with the same version and the removal begins anew.

use crate::tiered::{
    invalidate::act::Act,
    invalidate::match_counter::MatchCounter,
    invalidate::sweep::{Pace, Sweep},
    jobs::{Halt, Lease},
    view::View,
};
use crate::{
    dynamo::{Creation, JobRecord, NewJob, RemovedCounts, removal_slot},
    job::{Counters, REMOVAL},
    level::Level,
    outcome::CacheError,
    scan_checkpoint::ScanCheckpoint,
    selector::{Invalidation, WrittenInvalidation},
    version::Position,
};
use serde::{Deserialize, Serialize};

/// What an invalidation leaves to a job.
pub(crate) struct Handover<'a> {
    pub written: &'a WrittenInvalidation,
    /// Where its record stands, if Redis has it.
    pub at: Option<Position>,
    pub scan_checkpoint: ScanCheckpoint,
    /// Keys removed already.
    pub done: u64,
    /// On whose account it goes on. It is never refused for what that has unfinished: what has begun must be ended.
    pub account: Option<&'a str>,
}

/// How far a removal has come.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// Where the record stood under which it has come so far.
    at: Option<String>,
    #[serde(rename = "frontier")]
    scan_checkpoint: ScanCheckpoint,
    /// What the job itself has removed.
    #[serde(default)]
    removed: RemovedCounts,
}

impl View<'_> {
    /// Makes a job of the rest of a removal; returns its name. From then on the open invalidation outlives Redis.
    ///
    /// # Errors
    /// Also when too many are unfinished: then its record stays open, and maintenance makes a job of it later.
    pub(crate) async fn leave_to_job(&self, rest: Handover<'_>) -> Result<String, CacheError> {
        let id = job_of(rest.written);
        let body = rest.written.to_json();
        if !self.store.bulletin().await?.has_room_for(&body) {
            return Err(CacheError::unavailable(Level::L3, "too many invalidations are unfinished"));
        }
        let at = rest.at.map(|at| at.to_string());
        let progress = Progress { at, scan_checkpoint: rest.scan_checkpoint, removed: RemovedCounts::default() };
        let progress = progress.to_json();
        let counters = Counters { done: rest.done, ..Counters::default() };
        let slot = removal_slot(&id);
        let account = rest.account.map(|account| (account, slot.as_str()));
        let ready = NewJob::ready(&id, REMOVAL, &body);
        let new = NewJob { progress: &progress, counters, open_invalidation: Some(&body), account, ..ready };
        if self.store.create_job(&new).await? != Creation::Made {
            // The repetition of a request whose answer was lost; or, of the same version, another invalidation.
            let current = self.store.job(&id).await?;
            if current.is_none_or(|current| current.body != body) {
                return Err(CacheError::Contended);
            }
        }
        Ok(id)
    }

    /// Makes a job of an invalidation whose container is gone; where that job is done already, closes it.
    pub(crate) async fn adopt(&self, abandoned: &Invalidation) -> Result<bool, CacheError> {
        let written = abandoned.written();
        let (id, body) = (job_of(&written), written.to_json());
        if !self.store.bulletin().await?.has_room_for(&body) {
            return Ok(false);
        }
        let new = NewJob { open_invalidation: Some(&body), ..NewJob::ready(&id, REMOVAL, &body) };
        if self.store.create_job(&new).await? == Creation::Made {
            return Ok(true);
        }
        let record = self.store.job(&id).await?;
        if record.is_some_and(|record| record.job.is_over()) {
            self.close(abandoned, 0).await?;
        }
        Ok(false)
    }

    /// Goes on with a removal; returns whether nothing is left.
    pub(crate) async fn removal_part(&self, lease: &mut Lease, pace: Pace) -> Result<bool, Halt> {
        let written = read(&lease.record)?;
        let mut progress: Progress = serde_json::from_str(&lease.record.progress).unwrap_or_default();
        let at = self.ensure_open(&written, &lease.record.body).await?;
        if progress.at != at {
            progress = Progress { at, scan_checkpoint: ScanCheckpoint::default(), ..progress };
        }
        let counter = MatchCounter::of(written.levels().and(self.setup.config.enabled()));
        let meant = written.clone().recorded_at(Position::ZERO).ok_or_else(not_understood)?;
        let own = match &written.undo {
            Some(undo) => Some(self.versions_of(&undo.id).await?),
            None => None,
        };
        let act = Act::Remove(written.version);
        let (keep, end) = (own.as_deref(), written.end());
        let sweep = Sweep { keep, end, ..Sweep::new(&meant.selector, act, &counter) };
        let swept = self.sweep(sweep, &mut progress.scan_checkpoint, pace).await;
        lease.record.job.counters.done += counter.count();
        progress.removed.add(counter.removed());
        lease.record.progress = progress.to_json();
        // Done only if the record has stood all the time.
        Ok(swept? && self.ensure_open(&written, &lease.record.body).await? == progress.at)
    }

    /// Closes the record of a removal that is done. What fails here leaves a record that hides nothing any more, and
    /// maintenance closes it.
    pub(crate) async fn close_rest(&self, record: &JobRecord) {
        let Ok(written) = read(record) else { return };
        let progress: Progress = serde_json::from_str(&record.progress).unwrap_or_default();
        self.note_removed(written.undo.as_ref(), progress.removed, true).await;
        let Some(at) = self.knowledge().open_at(written.version) else { return };
        let Some(done) = written.recorded_at(at) else { return };
        if let Err(error) = self.close(&done, record.job.counters.done).await {
            tracing::warn!(%error, "the record of a removal that is done stays open");
        }
    }
}

impl Progress {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}

/// The name of the job that does the rest of an invalidation: always the same, so that it is made once.
fn job_of(written: &WrittenInvalidation) -> String {
    format!("{REMOVAL}-{:x}", written.version.0)
}

fn read(record: &JobRecord) -> Result<WrittenInvalidation, CacheError> {
    serde_json::from_str(&record.body).map_err(|_| not_understood())
}

fn not_understood() -> CacheError {
    CacheError::unavailable(Level::L3, "a removal of a later release")
}
