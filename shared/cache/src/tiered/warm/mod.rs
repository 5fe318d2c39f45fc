//! Accepting, reporting and cancelling warm jobs. They are run by [`crate::tiered::warm::run`].

pub(crate) mod load;
pub(crate) mod prefetch;
pub(crate) mod prefetch_queue;
pub(crate) mod run;

use crate::tiered::{
    TieredCache,
    invalidate::act::Act,
    invalidate::match_counter::MatchCounter,
    invalidate::sweep::{Pace, Sweep},
    view::View,
};
use crate::{
    chance,
    dynamo::{Creation, Held, JobRecord, NewJob, any_slot},
    job::{Estimate, Job, JobState, WARM},
    level::{Level, Levels},
    outcome::{CacheError, Warming},
    scan_checkpoint::ScanCheckpoint,
    selector::Selector,
    warm::{Strategy, Warm},
};
use futures_util::future::try_join;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Stands before the random or hashed part of a warm job's name.
const NAME: &str = "warm_job_";
/// The quota of an account's jobs that are not over, by name.
const UNFINISHED_JOBS: &str = "unfinished_jobs";
/// How often a slot is looked for that others take in that moment.
const TRIES: usize = 5;
/// How long the keys that patterns mean are counted before a job is accepted, and how much longer the last page may take.
const COUNTING: Duration = Duration::from_millis(400);
const COUNTING_GRACE: Duration = Duration::from_secs(5);
/// How many keys a second a job loads, where none has been measured yet.
const UNMEASURED_RATE: u64 = 1000;
/// How long the control table's stream takes to call somebody, in ms.
const CALL_MS: i64 = 1000;
/// How long maintenance may take to come to a scheduled job, in ms: it runs every minute.
const SCHEDULE_MS: i64 = 60_000;

impl TieredCache {
    /// Accepts a warm job. `name` is what makes a repetition of the request the same job, such as the caller and the key
    /// that the caller gave it; without one it is a job of its own.
    ///
    /// # Errors
    /// When it is [too much](Warm::excess) for one job, its account has as many unfinished as it may, DynamoDB cannot be
    /// reached, or a job of that name has other things to do.
    pub async fn warm(&self, warm: Warm, name: Option<&str>) -> Result<Warming, CacheError> {
        let warm = warm.each_once();
        if let Some(refusal) = warm.excess() {
            return Err(CacheError::Refused(vec![refusal]));
        }
        let id = name.map_or_else(unforeseen, named);
        let (accepted, held) = try_join(self.accepted(&id, &warm), self.held(&warm)).await?;
        if let Some(job) = accepted {
            return Ok(Warming { job, is_new: false });
        }
        // Before anything is counted for it.
        self.slot_of(&held)?;
        let estimate = self.caught_up().await?.estimate(&warm).await?;
        let is_new = self.accept(&id, &warm, estimate, held).await?;
        let job = self.accepted(&id, &warm).await?.ok_or(CacheError::Contended)?;
        Ok(Warming { job, is_new })
    }

    /// Writes a job down in a free slot of its account; returns whether there was none of that name.
    async fn accept(&self, id: &str, warm: &Warm, estimate: Estimate, mut held: Held) -> Result<bool, CacheError> {
        let body = warm.to_json();
        let is_scheduled = warm.strategy == Strategy::Scheduled;
        for _ in 0..TRIES {
            let slot = self.slot_of(&held)?;
            let new = NewJob {
                state: if is_scheduled { JobState::Scheduled } else { JobState::Ready },
                run_at_ms: warm.run_at_ms.filter(|_| is_scheduled).unwrap_or_default(),
                estimate: Some(estimate),
                account: warm.account.as_deref().map(|account| (account, slot.as_str())),
                ..NewJob::ready(id, WARM, &body)
            };
            match self.store.create_job(&new).await? {
                Creation::Made => return Ok(true),
                Creation::Exists => return Ok(false),
                Creation::SlotTaken => held = self.held(warm).await?,
            }
        }
        Err(CacheError::Contended)
    }

    /// What the account of a job has unfinished, where that is bounded.
    async fn held(&self, warm: &Warm) -> Result<Held, CacheError> {
        match (&warm.account, self.jobs_per_account) {
            (Some(account), most @ 1..) => Ok(self.store.held_jobs(account, most).await?),
            _ => Ok(Held::default()),
        }
    }

    /// A slot for one more job.
    fn slot_of(&self, held: &Held) -> Result<String, CacheError> {
        match self.jobs_per_account {
            0 => Ok(any_slot()),
            most => held.free_slot(most).ok_or(CacheError::OverQuota {
                quota: UNFINISHED_JOBS,
                used: held.count() as u64,
                limit: most as u64,
            }),
        }
    }

    /// The job of that name, which has exactly this to do, whoever asked for it.
    async fn accepted(&self, id: &str, warm: &Warm) -> Result<Option<Job>, CacheError> {
        match self.store.job(id).await? {
            Some(JobRecord { job, .. }) => {
                let asked = |other: &Warm| Warm { by: warm.by.clone(), account: warm.account.clone(), ..other.clone() };
                let same = job.warm.as_ref().is_some_and(|other| *warm == asked(other));
                if same { Ok(Some(job)) } else { Err(CacheError::OtherJob) }
            }
            None => Ok(None),
        }
    }

    /// Cancels a warm job: what works on it stops after the batches that are under way. Returns the job as it is then;
    /// one that has ended, or is no warm job, stays as it was.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn cancel(&self, id: &str) -> Result<Option<Job>, CacheError> {
        let found = self.store.job(id).await?;
        match found {
            Some(record) if record.job.kind == WARM && !record.job.is_over() => {
                self.store.cancel_job(&record).await?;
                self.job(id).await
            }
            other => Ok(other.map(|record| record.job)),
        }
    }
}

impl View<'_> {
    /// How much a job has to load, as far as there is time to count it, and when it will have done so.
    async fn estimate(&self, warm: &Warm) -> Result<Estimate, CacheError> {
        let level = if self.uses(Level::L3) { Level::L3 } else { Level::L2 };
        let counter = MatchCounter::of(Levels::NONE.with(level));
        let pace = Pace::of(COUNTING, COUNTING_GRACE);
        for pattern in &warm.patterns {
            let selector = Selector::Pattern(pattern.clone());
            let sweep = Sweep::new(&selector, Act::Look, &counter);
            if !self.sweep(sweep, &mut ScanCheckpoint::default(), pace).await? || pace.is_over() {
                break;
            }
        }
        let matching = warm.keys.iter().filter(|key| warm.patterns.iter().any(|pattern| pattern.matches(key.as_str())));
        let keys = counter.count() + (warm.keys.len() - matching.count()) as u64;
        let rate = self.store.warm_rate().await?.unwrap_or(UNMEASURED_RATE).max(1);
        let takes_ms = i64::try_from(keys.saturating_mul(1000).div_ceil(rate)).unwrap_or(i64::MAX);
        Ok(Estimate { keys, completion_ms: self.called_ms(warm).saturating_add(takes_ms) })
    }

    /// When somebody will have been called for a job.
    fn called_ms(&self, warm: &Warm) -> i64 {
        let now_ms = self.clock.now_ms();
        match warm.strategy {
            Strategy::Scheduled => warm.run_at_ms.unwrap_or(now_ms).max(now_ms).saturating_add(SCHEDULE_MS),
            Strategy::Eager | Strategy::Lazy => now_ms + CALL_MS,
        }
    }
}

/// A name that nobody can foretell.
fn unforeseen() -> String {
    format!("{NAME}{:032x}", chance::unforeseen())
}

/// The name of the job for a name that callers chose: of fixed length, and no name tells another.
fn named(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(16).fold(NAME.to_owned(), |id, byte| id + &format!("{byte:02x}"))
}
