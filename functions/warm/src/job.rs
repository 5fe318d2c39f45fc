//! The job that a path names.

use strata_api::{ApiError, Call, Principal, Problem};
use strata_cache::Job;

/// The path parameter.
pub const ID: &str = "job_id";

/// No job's name is as long; and no longer one fits into a key of the control table.
const MAX_ID_BYTES: usize = 128;

/// The job that the path of `call` names, which the caller may see.
pub async fn find(call: &Call<'_>) -> Result<Job, ApiError> {
    let id = call.event.path_parameter(ID).ok_or(Problem::new(ID, "is required"))??;
    let found = if id.len() > MAX_ID_BYTES { None } else { call.cache.job(&id).await? };
    let job = found.ok_or(ApiError::JobNotFound(id))?;
    if may_see(&call.principal, &job) { Ok(job) } else { Err(ApiError::JobForbidden) }
}

/// Whether all that a job touches lies inside of the prefixes that the caller's token is limited to. Of a removal it is
/// not known what that is.
fn may_see(principal: &Principal, job: &Job) -> bool {
    let Some(warm) = &job.warm else { return principal.prefixes().is_none() };
    let keys = warm.keys.iter().map(|key| key.as_str());
    let mut prefixes = keys.chain(warm.patterns.iter().map(|pattern| pattern.prefix()));
    prefixes.all(|prefix| principal.may_touch_prefix(prefix).is_ok())
}
