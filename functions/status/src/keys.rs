//! GET `/cache/keys`: the live entries by key, page by page, without their values.

use crate::request::{self, MAX_PAGE};
use serde::Serialize;
use std::sync::Arc;
use strata_api::{
    Answer, ApiError, Call, CursorOf, Principal, Query, Response, Timestamp, answer_size, cursor, http::StatusCode,
};
use strata_cache::{List, Listed, Mark, Within, key::MAX_KEY_BYTES};

/// Bytes of an answer that entries may take, escaped as Lambda's answer has them: 6 MB with the head of it, and a cursor.
const MOST_BYTES: usize = answer_size::MAX_ANSWER_BYTES - 16 * 1024;

#[derive(Serialize)]
struct Answered<'a> {
    keys: Vec<Line<'a>>,
    /// What to give as `cursor` for the ones that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    tags: &'a [Arc<str>],
    levels: Vec<&'static str>,
}

/// Answers with a page of the entries that the request means and the caller may touch.
pub async fn handle(call: Call<'_>) -> Answer {
    let (list, cursor) = read(&call)?;
    let page = call.cache.list(&list).await?;
    let fitting = fitting(&page.found)?;
    let next = match page.found[..fitting].last().filter(|_| fitting < page.found.len()) {
        Some(last) => Some(Mark::behind(&last.key)),
        None => page.next,
    };
    let next = next.map(|next| cursor.seal(next.as_str()));
    Response::json(StatusCode::OK, &Answered { keys: page.found[..fitting].iter().map(line).collect(), next })
}

/// What is asked for, and what its cursors belong to.
fn read(call: &Call<'_>) -> Result<(List, CursorOf), ApiError> {
    let mut query = Query::of(&call.event, &["prefix", "tag", "limit", "cursor"]);
    let prefix = query.optional("prefix", |text| request::prefix(text, MAX_KEY_BYTES)).unwrap_or_default();
    let tag = query.optional("tag", request::tag);
    let limit = query.count("limit", MAX_PAGE);
    let cursor = CursorOf::list("keys", &call.principal, &[&prefix, tag.as_deref().unwrap_or_default()]);
    let from = query.optional("cursor", |text| cursor.open(text)).map(Mark::read);
    query.finish()?;
    let within = within(&prefix, &call.principal)?;
    if from.as_ref().is_some_and(|from| !within.has(from)) {
        return Err(cursor::misplaced().into());
    }
    Ok((List { within, tag, from, limit: limit.unwrap_or(request::DEFAULT_PAGE) }, cursor))
}

/// The keys that begin with `prefix` and that the caller may touch: a token with prefixes lists its own, without being told
/// which they are.
fn within(prefix: &str, principal: &Principal) -> Result<Within, ApiError> {
    Within::of(prefix, principal.prefixes().as_deref()).ok_or_else(|| ApiError::PrefixForbidden(prefix.to_owned()))
}

/// How many of these entries, one at least, an answer can carry.
fn fitting(entries: &[Listed]) -> Result<usize, ApiError> {
    let mut bytes = 0;
    for (number, entry) in entries.iter().enumerate() {
        bytes += answer_size::escaped_bytes(&serde_json::to_string(&line(entry))?) + 1;
        if bytes > MOST_BYTES {
            return Ok(number.max(1));
        }
    }
    Ok(entries.len())
}

fn line(entry: &Listed) -> Line<'_> {
    Line {
        key: &entry.key,
        expires_at: Timestamp::ceil(entry.expires_at_ms),
        size_bytes: entry.size_bytes,
        created_at: entry.created_at_ms.map(Timestamp::ceil),
        tags: &entry.tags,
        levels: entry.levels.names(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use strata_cache::{Levels, MAX_TAG_BYTES, MAX_TAGS};

    #[test]
    fn an_answer_carries_no_more_than_lambda_does() {
        let tags: Vec<Arc<str>> = vec!["\"".repeat(MAX_TAG_BYTES).into(); MAX_TAGS];
        let entry = Listed {
            key: "\\".repeat(MAX_KEY_BYTES),
            expires_at_ms: 1,
            created_at_ms: Some(1),
            size_bytes: Some(1),
            tags,
            levels: Levels::ALL,
        };
        let entries = vec![entry; MAX_PAGE];
        let fitting = fitting(&entries).unwrap();
        assert!((100..MAX_PAGE).contains(&fitting), "{fitting}");
        let keys = entries[..fitting].iter().map(line).collect();
        let answer = Response::json(StatusCode::OK, &Answered { keys, next: Some("n".repeat(1024)) }).unwrap();
        assert!(serde_json::to_string(&answer).unwrap().len() <= answer_size::MAX_ANSWER_BYTES);
    }
}
