//! GET: who changed what lately, and why.

use serde::Serialize;
use strata_api::{
    Answer, ApiError, Call, Event, Query, Response,
    http::StatusCode,
    mutation::{Line, may_see},
};
use strata_cache::{Mutation, Position};

/// Mutations of one answer when the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// No position is as late as this: the year 5138, in ms.
const LATEST_MS: u64 = 100_000_000_000_000;
/// Most mutations of one answer.
const MAX_LIMIT: usize = 1000;

#[derive(Serialize)]
struct Answered<'a> {
    mutations: Vec<Line<'a>>,
    /// What to give as `since` for the ones that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Answers with the mutations after `since`, oldest first; without `since`, with the newest.
pub async fn handle(call: Call<'_>) -> Answer {
    let (since, limit) = read(&call.event)?;
    let is_seen = |mutation: &Mutation| may_see(&call.principal, mutation);
    let is_confined = call.principal.may_touch_all().is_err();
    let page = call.cache.history(since, limit, is_confined.then_some(&is_seen)).await?;
    let next = page.next.map(|position| position.to_string());
    Response::json(StatusCode::OK, &Answered { mutations: page.mutations.iter().map(Line::of).collect(), next })
}

fn read(event: &Event) -> Result<(Option<Position>, usize), ApiError> {
    let mut query = Query::of(event, &["since", "limit"]);
    let since = query.optional("since", |text| {
        Position::parse(text)
            .filter(|since| since.ms < LATEST_MS)
            .ok_or("must be a position as this operation answers it, like 1700000000000-0")
    });
    let limit = query.count("limit", MAX_LIMIT);
    query.finish()?;
    Ok((since, limit.unwrap_or(DEFAULT_LIMIT)))
}
