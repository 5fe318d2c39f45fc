//! GET: the progress of a job, now or as soon as there is more.

use crate::{job, query::Query, report};
use std::time::Duration;
use strata_api::{Answer, ApiError, Call};

/// Longest time to wait, in seconds: with what the rest takes it is less than API Gateway waits.
const MAX_WAIT_SECONDS: u64 = 20;

/// Answers with what is known of the job; with `wait`, when it is further than now, or after so many seconds.
pub async fn handle(call: Call<'_>) -> Answer {
    let wait = Query::of(&call.event, &["wait"])?.number("wait", 0..=MAX_WAIT_SECONDS)?.unwrap_or_default();
    let found = job::find(&call).await?;
    if wait == 0 {
        return report::answer(&found);
    }
    let id = found.id.clone();
    let account = call.principal.account();
    let further = call.cache.job_further_than(found, &account, Duration::from_secs(wait)).await?;
    report::answer(&further.ok_or(ApiError::JobNotFound(id))?)
}
