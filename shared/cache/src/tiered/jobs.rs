//! Running jobs: a slice at a time, by whoever was called, each under a lease that is renewed by its checkpoints.

use super::{TieredCache, removal, sweep::Pace};
use crate::{
    dynamo::{JobRecord, L3Error},
    job::{Job, JobState, Slice},
    level::Level,
    outcome::CacheError,
};
use std::time::Duration;

/// Who has not been heard of for so long works on a job no more, in ms. A slice is heard of at each checkpoint.
pub(super) const SILENCE_MS: i64 = 30_000;
/// How long a slice works between two checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(5);
/// How much longer than its time a slice may take to finish the page it is at.
pub(super) const GRACE: Duration = Duration::from_secs(20);

/// The right to work on a job.
pub(super) struct Lease {
    pub(super) record: JobRecord,
    owner: String,
}

/// Why a slice ends before its time.
pub(super) enum Halt {
    /// Somebody else has the job now.
    Lost,
    /// A level is out of reach, or the job cannot be understood.
    Failed(CacheError),
}

impl From<CacheError> for Halt {
    fn from(error: CacheError) -> Halt {
        Halt::Failed(error)
    }
}

impl From<L3Error> for Halt {
    fn from(error: L3Error) -> Halt {
        Halt::Failed(CacheError::unavailable(Level::L3, error))
    }
}

impl TieredCache {
    /// What is known of a job; `None` where there is none of that name, or it has been done for a week.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, CacheError> {
        let found = self.store.job(id).await.map_err(|error| CacheError::unavailable(Level::L3, error))?;
        Ok(found.map(|record| record.job))
    }

    /// Works on a job for about `time`, or a deployment's slice if that is less. May be called any number of times, also
    /// at once.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached; the job is left to whoever is called next.
    pub async fn run_job(&self, id: &str, time: Duration) -> Result<Slice, CacheError> {
        let pace = Pace::of(time.min(self.slice), GRACE);
        let owner = format!("{:016x}", fastrand::u64(..));
        let silent_since_ms = self.clock.now_ms() - SILENCE_MS;
        let taken = self.store.take_job(id, &owner, silent_since_ms).await;
        let Some(record) = taken.map_err(|error| CacheError::unavailable(Level::L3, error))? else {
            return Ok(Slice::NotDue);
        };
        let mut lease = Lease { record, owner };
        match self.work(&mut lease, pace).await {
            Ok(slice) => Ok(slice),
            Err(Halt::Lost) => Ok(Slice::NotDue),
            Err(Halt::Failed(error)) => self.park(lease, error).await,
        }
    }

    async fn work(&self, lease: &mut Lease, pace: Pace) -> Result<Slice, Halt> {
        loop {
            let part = pace.at_most(CHECKPOINT);
            let done = match lease.record.job.kind.as_str() {
                removal::KIND => self.caught_up().await?.removal_part(lease, part).await?,
                _ => return Err(Halt::Failed(CacheError::unavailable(Level::L3, "a job of a later release"))),
            };
            if done {
                return self.conclude(lease).await;
            }
            if pace.is_over() {
                self.save(lease, JobState::Ready).await?;
                return Ok(Slice::Continues);
            }
            self.save(lease, JobState::Running).await?;
        }
    }

    async fn conclude(&self, lease: &Lease) -> Result<Slice, Halt> {
        if !self.store.finish_job(&lease.record, &lease.owner).await? {
            return Err(Halt::Lost);
        }
        if lease.record.job.kind == removal::KIND {
            self.view().lift(&lease.record).await;
        }
        Ok(Slice::Done)
    }

    /// Writes a checkpoint down, and leaves the job in `state`.
    async fn save(&self, lease: &mut Lease, state: JobState) -> Result<(), Halt> {
        lease.record.job.state = state;
        lease.record.job.error = None;
        if self.store.save_job(&lease.record, &lease.owner).await? { Ok(()) } else { Err(Halt::Lost) }
    }

    /// Leaves a job, that cannot go on now, to maintenance.
    async fn park(&self, mut lease: Lease, error: CacheError) -> Result<Slice, CacheError> {
        tracing::warn!(job = lease.record.job.id, cause = %error.chain(), "a job is left to maintenance");
        lease.record.job.state = JobState::Scheduled;
        lease.record.job.error = Some(error.to_string());
        lease.record.run_at_ms = self.clock.now_ms();
        let saved = self.store.save_job(&lease.record, &lease.owner).await;
        saved.map_err(|error| CacheError::unavailable(Level::L3, error))?;
        Ok(Slice::Parked)
    }
}
