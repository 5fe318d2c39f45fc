//! Running jobs: a slice at a time, by the runner that was called, each under a lease that its checkpoints renew.
//!
//! A call does not name a job: the [queue](crate::tiered::jobs::turns) decides which one is worked on, so that calling often
//! does not mean being served often. There is at least one call for each waiting job; a call that finds none ends.

pub(crate) mod lookup;
pub(crate) mod turns;
pub(crate) mod wake;

use crate::tiered::{TieredCache, invalidate::sweep::Pace, jobs::turns::Turns};
use crate::{
    chance,
    dynamo::{JobRecord, L3Error, Place},
    job::{JobState, REMOVAL, Slice, WARM, Worked},
    level::Level,
    outcome::CacheError,
};
use std::time::Duration;
use tokio::time::Instant;

/// Who has not been heard of for so long works on a job no more, in ms. A slice is heard of at each checkpoint.
pub(crate) const SILENCE_MS: i64 = 30_000;
/// How long a slice works between two checkpoints, which is how often its progress is seen.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// How long it works before it is looked whether others wait for a turn: a few checkpoints.
const LOOK: Duration = Duration::from_secs(3);
/// How much longer than its time a slice may take to finish the page it is at.
pub(crate) const GRACE: Duration = Duration::from_secs(20);
/// How often a part that failed is begun again at once, and how long before the first time; twice as long each time.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(200);
/// A warm job that has not come to its end so long after it was due is given up, in ms: a day.
const WARM_LIFE_MS: i64 = 86_400_000;

/// The right to work on a job.
pub(crate) struct Lease {
    pub(crate) record: JobRecord,
    pub(crate) owner: String,
    place: Place,
}

/// Why a slice ends before its time.
pub(crate) enum Halt {
    /// Somebody else has the job now, or it was cancelled.
    Lost,
    /// It makes no sense to go on.
    GivenUp(&'static str),
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
        Halt::Failed(error.into())
    }
}

impl TieredCache {
    /// Works on the job whose turn it is, for about `time`, or until others have waited long enough for theirs; `None` when
    /// none waits. May be called any number of times, also at once.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached; the job is left to whoever is called next.
    pub async fn run_next(&self, time: Duration) -> Result<Option<Worked>, CacheError> {
        let Some(mut lease) = self.take_turn(time).await? else { return Ok(None) };
        let (job, pace) = (lease.place.job.clone(), Pace::of(time, GRACE));
        let ended = match self.work(&mut lease, pace).await {
            Ok(slice) => slice,
            Err(Halt::Lost) => Slice::NotDue,
            Err(Halt::GivenUp(why)) => self.give_up(lease, why).await?,
            Err(Halt::Failed(error)) => self.reschedule(lease, error).await?,
        };
        Ok(Some(Worked { job, ended }))
    }

    /// How long one call is to go on with jobs.
    pub fn slice(&self) -> Duration {
        self.slice
    }

    /// Takes the job whose turn it is; where others are faster, the next one.
    async fn take_turn(&self, time: Duration) -> Result<Option<Lease>, CacheError> {
        let line = self.store.line().await?;
        let (now_ms, owner) = (self.clock.now_ms(), chance::name());
        let longest = i64::try_from((time + GRACE).as_millis()).unwrap_or(i64::MAX - now_ms - SILENCE_MS);
        let bounds = (now_ms - SILENCE_MS, now_ms + longest + SILENCE_MS);
        for place in Turns::of(&line, now_ms).in_order() {
            if let Some(record) = self.store.take_job(place, &owner, bounds).await? {
                if let Err(error) = self.store.note_turn(&place.account).await {
                    tracing::debug!(%error, "an account may have another turn too soon");
                }
                return Ok(Some(Lease { record, owner, place: place.clone() }));
            }
        }
        Ok(None)
    }

    async fn work(&self, lease: &mut Lease, pace: Pace) -> Result<Slice, Halt> {
        let (mut failures, mut looked) = (0, Instant::now());
        loop {
            match self.part(lease, pace.at_most(CHECKPOINT)).await {
                Ok(true) => return self.conclude(lease).await,
                Ok(false) => failures = 0,
                Err(Halt::Failed(error)) if failures < TRIES && !pace.is_over() => {
                    tracing::debug!(cause = %error.chain(), "a part of a job is begun again");
                    tokio::time::sleep(PAUSE * 2_u32.pow(failures)).await;
                    failures += 1;
                }
                Err(halt) => return Err(halt),
            }
            let yields = looked.elapsed() >= LOOK && {
                looked = Instant::now();
                Turns::of(&self.store.line().await?, self.clock.now_ms()).should_yield(&lease.place)
            };
            if yields || pace.is_over() {
                self.save(lease, JobState::Ready).await?;
                return Ok(Slice::Continues);
            }
            self.save(lease, JobState::Running).await?;
        }
    }

    /// Goes on with a job until the next checkpoint; returns whether nothing is left.
    async fn part(&self, lease: &mut Lease, pace: Pace) -> Result<bool, Halt> {
        match lease.record.job.kind.as_str() {
            REMOVAL => self.caught_up().await?.removal_part(lease, pace).await,
            WARM if self.is_out_of_date(lease) => Err(Halt::GivenUp("it came to no end within a day")),
            WARM => self.caught_up().await?.warm_part(lease, pace).await,
            _ => Err(CacheError::unavailable(Level::L3, "a job of a later release").into()),
        }
    }

    fn is_out_of_date(&self, lease: &Lease) -> bool {
        self.clock.now_ms().saturating_sub(lease.record.job.run_at_ms) > WARM_LIFE_MS
    }

    async fn conclude(&self, lease: &mut Lease) -> Result<Slice, Halt> {
        if lease.record.job.kind == WARM {
            self.view().warmed(lease).await?;
        }
        lease.record.job.state = JobState::Done;
        lease.record.job.error = None;
        if !self.store.end_job(&lease.record, &lease.owner).await? {
            return Err(Halt::Lost);
        }
        if lease.record.job.kind == REMOVAL {
            self.view().close_rest(&lease.record).await;
        }
        Ok(Slice::Done)
    }

    /// Ends a job that cannot come to its end.
    async fn give_up(&self, mut lease: Lease, why: &str) -> Result<Slice, CacheError> {
        tracing::warn!(job = lease.record.job.id, why, "a job is given up");
        lease.record.job.state = JobState::Failed;
        lease.record.job.error = Some(why.to_owned());
        let ended = self.store.end_job(&lease.record, &lease.owner).await?;
        Ok(if ended { Slice::Done } else { Slice::NotDue })
    }

    /// Writes a checkpoint down, and leaves the job in `state`.
    async fn save(&self, lease: &mut Lease, state: JobState) -> Result<(), Halt> {
        lease.record.job.state = state;
        lease.record.job.error = None;
        if self.store.save_job(&lease.record, &lease.owner).await? { Ok(()) } else { Err(Halt::Lost) }
    }

    /// Leaves a job, that cannot go on now, to maintenance.
    async fn reschedule(&self, mut lease: Lease, error: CacheError) -> Result<Slice, CacheError> {
        tracing::warn!(job = lease.record.job.id, cause = %error.chain(), "a job is left to maintenance");
        // This container may sleep for long after this.
        if let Err(down) = self.view().undo_all_unfinished().await {
            tracing::debug!(%down, "what a warm job wrote may be left to be undone");
        }
        lease.record.job.state = JobState::Scheduled;
        lease.record.job.error = Some(error.to_string());
        self.store.save_job(&lease.record, &lease.owner).await?;
        Ok(Slice::Parked)
    }
}
