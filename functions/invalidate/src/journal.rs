//! GET: who recently changed what, and why.

use serde::Serialize;
use std::time::Duration;
use strata_api::{
    Answer, ApiError, Call, Principal, Query, Response,
    http::StatusCode,
    mutation::{Line, may_see},
};
use strata_cache::{HistoryQuery, Key, Mutation, MutationFilter, Position, Within, key::MAX_KEY_BYTES};

/// Mutations of one answer when the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// No position is as late as this: the year 5138, in ms.
const LATEST_MS: u64 = 100_000_000_000_000;
/// Most mutations of one answer.
const MAX_LIMIT: usize = 1000;
/// Longest time to wait, in seconds: with what the rest takes it is less than API Gateway waits.
const MAX_WAIT_SECONDS: u64 = 20;
/// The kinds there are.
const KINDS: [&str; 5] = ["put", "delete", "invalidate", "undo", "config"];
/// Longest subject that a token may have, in bytes.
const MAX_SUBJECT_BYTES: usize = 256;

#[derive(Serialize)]
struct Answered<'a> {
    mutations: Vec<Line<'a>>,
    /// What to give as `since` for the ones that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What is older was not searched.
    #[serde(skip_serializing_if = "Option::is_none")]
    searched_since: Option<String>,
}

/// Answers with the mutations after `since`, oldest first; without `since`, with the newest. With `wait`, as soon as there
/// are any.
pub async fn handle(call: Call<'_>) -> Answer {
    let (query, wait) = read(&call)?;
    let is_seen = |mutation: &Mutation| may_see(&call.principal, mutation);
    let is_confined = call.principal.may_touch_all().is_err();
    let account = call.principal.account();
    let page = call.cache.history_within(&query, is_confined.then_some(&is_seen), &account, wait).await?;
    let answered = Answered {
        mutations: page.mutations.iter().map(Line::of).collect(),
        next: page.next.map(|position| position.to_string()),
        searched_since: page.searched_since.map(|position| position.to_string()),
    };
    Response::json(StatusCode::OK, &answered)
}

fn read(call: &Call<'_>) -> Result<(HistoryQuery, Duration), ApiError> {
    let mut query = Query::of(&call.event, &["since", "limit", "key", "prefix", "kind", "by", "wait"]);
    let since = query.optional("since", |text| {
        Position::parse(text)
            .filter(|since| since.ms < LATEST_MS)
            .ok_or("must be a position as this operation answers it, like 1700000000000-0")
    });
    let limit = query.count("limit", MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let wait = query.optional("wait", |text| {
        let seconds = text.parse().ok().filter(|seconds| *seconds <= MAX_WAIT_SECONDS);
        let seconds = seconds.ok_or_else(|| format!("must be an integer from 0 to {MAX_WAIT_SECONDS}"))?;
        match call.event.query.contains_key("since") {
            true => Ok(Duration::from_secs(seconds)),
            false => Err("needs since: without it the newest are answered at once".to_owned()),
        }
    });
    let filter = filter(&mut query);
    query.finish()?;
    within(&filter, &call.principal)?;
    Ok((HistoryQuery { since, limit, filter }, wait.unwrap_or_default()))
}

fn filter(query: &mut Query<'_>) -> MutationFilter {
    MutationFilter {
        key: query.optional("key", |text| Key::new(text).map_err(|error| error.to_string())),
        prefix: query.optional("prefix", |text| {
            let fits = text.len() <= MAX_KEY_BYTES && !text.contains(char::is_control);
            let problem = || format!("must have at most {MAX_KEY_BYTES} bytes and no control characters");
            fits.then(|| text.to_owned()).ok_or_else(problem)
        }),
        kind: query.optional("kind", |text| {
            let known = KINDS.contains(&text).then(|| text.to_owned());
            known.ok_or_else(|| format!("must be one of {}", KINDS.join(", ")))
        }),
        by: query.optional("by", |text| {
            let fits = (1..=MAX_SUBJECT_BYTES).contains(&text.len());
            fits.then(|| text.to_owned()).ok_or_else(|| format!("must have 1 to {MAX_SUBJECT_BYTES} bytes"))
        }),
    }
}

/// Refuses what lies outside of the prefixes of the caller's token, as other operations do.
fn within(filter: &MutationFilter, principal: &Principal) -> Result<(), ApiError> {
    if let Some(key) = &filter.key {
        principal.may_touch(key)?;
    }
    let prefix = filter.prefix.as_deref().unwrap_or_default();
    match Within::of(prefix, principal.prefixes().as_deref()) {
        None if filter.prefix.is_some() => Err(ApiError::PrefixForbidden(prefix.to_owned())),
        _ => Ok(()),
    }
}
