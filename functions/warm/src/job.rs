//! The job that a path names.

use strata_api::{ApiError, Call, Principal, Problem, Scope};
use strata_cache::Job;

/// The path parameter.
pub const ID: &str = "job_id";

/// Longer than any job's name, and the longest that fits into a key of the control table.
const MAX_ID_BYTES: usize = 128;

/// The job that the path of `call` names, which the caller may see.
pub async fn find(call: &Call<'_>) -> Result<Job, ApiError> {
    let id = call.event.path_parameter(ID).ok_or(Problem::new(ID, "is required"))??;
    let found = if id.len() > MAX_ID_BYTES { None } else { call.cache.job(&id).await? };
    // One that the caller may not see is missing: that it is there is none of its business either.
    found.filter(|job| may_see(&call.principal, job)).ok_or(ApiError::JobNotFound(id))
}

/// Whether a job is of no other API key than the caller's, unless that is an administrator, and all that it touches lies
/// inside the prefixes that the caller's token is limited to.
pub fn may_see(principal: &Principal, job: &Job) -> bool {
    let is_own = job.account.as_ref().is_none_or(|account| *account == principal.account());
    if !is_own && principal.require(Scope::Admin).is_err() {
        return false;
    }
    let may_touch = |prefix: &str| principal.reaches(prefix);
    match (&job.warm, &job.removes) {
        (Some(warm), _) => {
            warm.keys.iter().all(|key| may_touch(key.as_str()))
                && warm.patterns.iter().all(|pattern| may_touch(pattern.prefix()))
        }
        (None, Some(selector)) => selector.lies_within(may_touch),
        // It is of a later release.
        (None, None) => principal.prefixes().is_none(),
    }
}
