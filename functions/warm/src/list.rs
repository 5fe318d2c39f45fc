//! GET without a job: those of the caller's API key.

use crate::{job::may_see, query::Query, report::Report};
use serde::Serialize;
use strata_api::{Answer, ApiError, Call, Event, Problem, Response, http::StatusCode};
use strata_cache::{Job, JobState};

/// Jobs of one answer when the request does not say, and the most.
const DEFAULT_LIMIT: u64 = 20;
const MAX_LIMIT: u64 = 50;
/// Longer than any position in the list.
const MAX_AFTER_BYTES: usize = 160;

#[derive(Serialize)]
struct Answered<'a> {
    jobs: Vec<Report<'a>>,
    /// What to give as `after` for those that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What is asked for.
struct Asked<'a> {
    state: Option<JobState>,
    after: Option<&'a str>,
    limit: usize,
}

/// Answers with the jobs of the caller's API key that its token may see.
pub async fn handle(call: Call<'_>) -> Answer {
    let Asked { state, after, limit } = read(&call.event)?;
    let page = call.cache.jobs(&call.principal.account(), state, after, limit).await?;
    let seen: Vec<&Job> = page.jobs.iter().filter(|job| may_see(&call.principal, job)).collect();
    let jobs = seen.into_iter().map(Report::of).collect();
    Response::json(StatusCode::OK, &Answered { jobs, next: page.next })
}

fn read(event: &Event) -> Result<Asked<'_>, ApiError> {
    let query = Query::of(event, &["state", "after", "limit"])?;
    let state = query.one("state")?.map(|name| {
        let names = JobState::ALL.map(JobState::name).join(", ");
        JobState::named(name).ok_or_else(|| Problem::new("state", format!("must be one of {names}")))
    });
    let state = state.transpose()?;
    let after = query.one("after")?;
    if after.is_some_and(|after| !is_position(after, state)) {
        return Err(Problem::new("after", "must be the next of an answer to the same question").into());
    }
    let limit = query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    Ok(Asked { state, after, limit: usize::try_from(limit).unwrap_or(usize::MAX) })
}

/// Whether a page of the jobs in that state can end there: with `~` those that are not over, with a time those that are.
fn is_position(after: &str, state: Option<JobState>) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let (unfinished, rest) = match after.strip_prefix('~') {
        Some(slot) => (true, Some(slot)),
        None => (
            false,
            after
                .split_once('.')
                .filter(|(at, _)| at.len() == 13 && at.bytes().all(|byte| byte.is_ascii_digit()))
                .map(|(_, job)| job),
        ),
    };
    let fits = match state {
        None => true,
        Some(JobState::Done | JobState::Cancelled | JobState::Failed) => !unfinished,
        Some(JobState::Scheduled | JobState::Ready | JobState::Running) => unfinished,
    };
    fits && after.len() <= MAX_AFTER_BYTES && rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_one_of_the_same_list() {
        let over = "1700000000000.warm_job_0a";
        for (after, all, ready, done) in [
            ("~0007", true, true, false),
            ("~rremoval-1f", true, true, false),
            (over, true, false, true),
            ("", false, false, false),
            ("~", false, false, false),
            ("17.warm_job_0a", false, false, false),
            ("+700000000000.x", false, false, false),
            ("1700000000000.", false, false, false),
            ("~a#b", false, false, false),
        ] {
            let states = [None, Some(JobState::Ready), Some(JobState::Done)];
            assert_eq!(states.map(|state| is_position(after, state)), [all, ready, done], "{after}");
        }
        assert!(!is_position(&format!("~{}", "0".repeat(200)), None));
    }
}
