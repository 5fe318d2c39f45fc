//! What is known of jobs: of one, of one as soon as it is further, and of those of an account.

use crate::tiered::TieredCache;
use crate::{
    dynamo::JobRecord,
    job::{Job, JobState},
    outcome::{CacheError, Jobs},
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::time::Duration;

/// Jobs of a page that are read at once.
const READ_AT_ONCE: usize = 10;

impl TieredCache {
    /// What is known of a job; `None` where there is none of that name, or it has been over for a week.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, CacheError> {
        Ok(self.store.job(id).await?.map(|record| record.job))
    }

    /// The job when it is further than `seen`, or after `time`; at once when it is over, or as many wait on behalf of
    /// `account`, or in all, as may.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn job_further_than(&self, seen: Job, account: &str, time: Duration) -> Result<Option<Job>, CacheError> {
        if seen.is_over() || time.is_zero() {
            return Ok(Some(seen));
        }
        let Some(waiting) = self.wait_on_behalf_of(account, time).await? else { return Ok(Some(seen)) };
        let mut further = Ok(Some(()));
        while waiting.goes_on().await {
            further =
                self.store.job_state(&seen.id).await.map(|state| state.filter(|now| !is_same(now, &seen)).map(drop));
            if !matches!(further, Ok(None)) {
                break;
            }
        }
        waiting.end().await;
        further?;
        self.job(&seen.id).await
    }

    /// A page of the jobs of an account, of one state or of all, after where another page ended: those that are not over,
    /// then those that are, the last that ended first. Of one state it may have fewer than `most`, and another one follow.
    ///
    /// # Errors
    /// When DynamoDB cannot be reached.
    pub async fn jobs(
        &self,
        account: &str,
        state: Option<JobState>,
        after: Option<&str>,
        most: usize,
    ) -> Result<Jobs, CacheError> {
        let (ids, next) = self.store.jobs_of(account, state, after, most).await?;
        let read =
            stream::iter(ids.into_iter().map(|id| async move { self.store.job(&id).await })).buffered(READ_AT_ONCE);
        let records: Vec<Option<JobRecord>> = read.try_collect().await?;
        let jobs = records.into_iter().flatten().map(|record| record.job);
        Ok(Jobs { jobs: jobs.filter(|job| state.is_none_or(|state| state == job.state)).collect(), next })
    }
}

fn is_same(now: &JobRecord, seen: &Job) -> bool {
    (now.job.state, now.job.counters) == (seen.state, seen.counters)
}
