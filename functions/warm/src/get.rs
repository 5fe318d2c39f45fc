//! GET: how far a job is.

use crate::{job, report};
use strata_api::{Answer, Call};

/// Answers with what is known of the job.
pub async fn handle(call: Call<'_>) -> Answer {
    report::answer(&job::find(&call).await?)
}
