//! GET: who changed what lately, and why.

use serde::Serialize;
use std::sync::Arc;
use strata_api::{Answer, ApiError, Call, Event, Principal, Query, Response, Timestamp, http::StatusCode};
use strata_cache::{Mutation, Pattern, Position, config::FieldChange};

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

#[derive(Serialize)]
struct Line<'a> {
    position: String,
    at: Timestamp,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#match: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    except_tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [FieldChange]>,
}

/// Answers with the mutations after `since`, oldest first; without `since`, with the newest.
pub async fn handle(call: Call<'_>) -> Answer {
    let (since, limit) = read(&call.event)?;
    let is_seen = |mutation: &Mutation| may_see(&call.principal, mutation);
    let is_confined = call.principal.may_touch_all().is_err();
    let page = call.cache.history(since, limit, is_confined.then_some(&is_seen)).await?;
    let next = page.next.map(|position| position.to_string());
    Response::json(StatusCode::OK, &Answered { mutations: page.mutations.iter().map(line).collect(), next })
}

/// Whether the mutation lies inside the prefixes of the caller's token. What others did by tag has no prefix, and the
/// configuration is no matter of tokens that have one.
fn may_see(principal: &Principal, mutation: &Mutation) -> bool {
    if let Some(keys) = &mutation.keys {
        return keys.iter().all(|key| principal.may_touch_prefix(key).is_ok());
    }
    match (&mutation.key, &mutation.pattern) {
        (Some(key), _) => principal.may_touch_prefix(key).is_ok(),
        (None, Some(pattern)) => {
            Pattern::new(pattern).is_ok_and(|pattern| principal.may_touch_prefix(pattern.prefix()).is_ok())
        }
        (None, None) if mutation.changes.is_some() => principal.may_touch_all().is_ok(),
        (None, None) => principal.prefixes().is_none() || mutation.by.as_ref() == Some(&principal.subject),
    }
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

fn line(mutation: &Mutation) -> Line<'_> {
    Line {
        position: mutation.position.to_string(),
        at: Timestamp::floor(mutation.at_ms),
        kind: &mutation.kind,
        key: mutation.key.as_deref(),
        pattern: mutation.pattern.as_deref(),
        tags: mutation.tags.as_deref(),
        r#match: mutation.all_tags.then_some("all"),
        keys: mutation.keys.as_deref(),
        except_tags: mutation.except_tags.as_deref(),
        levels: mutation.levels.map(|levels| levels.names()),
        by: mutation.by.as_deref(),
        reason: mutation.reason.as_deref(),
        matched_count: mutation.matched,
        changes: mutation.changes.as_deref(),
    }
}
