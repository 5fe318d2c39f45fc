//! DELETE: cancels a warm job. What it has loaded stays.

use crate::{job, report};
use strata_api::{Answer, ApiError, Call, Problem, Query};

/// Cancels the job and answers with what is known of it then. One that has ended stays as it ended.
pub async fn handle(call: Call<'_>) -> Answer {
    Query::none(&call.event, &[])?;
    let found = job::find(&call).await?;
    if found.warm.is_none() {
        let why = "must be that of a warm job; a removal goes on, as what it removes is invalidated already";
        return Err(Problem::new(job::ID, why).into());
    }
    let cancelled = call.cache.cancel(&found.id).await?;
    report::answer(&cancelled.ok_or(ApiError::JobNotFound(found.id))?)
}
