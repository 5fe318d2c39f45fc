//! GET: the invalidations that are open, and those that can be undone, or recently could.

use serde::Serialize;
use std::sync::Arc;
use strata_api::{
    Answer, ApiError, Call, Principal, Query, Response, Timestamp,
    cursor::{CursorOf, misplaced},
    http::StatusCode,
};
use strata_cache::ListedInvalidation;

/// Invalidations of one answer when the request does not say, and the most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;
/// Longest name of an invalidation.
const MAX_ID_BYTES: usize = 128;

#[derive(Serialize)]
struct Answered<'a> {
    invalidations: Vec<Line<'a>>,
    /// What to give as `cursor` for those that come after these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    invalidation_id: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    created_at: Timestamp,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalidated_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<u64>,
}

/// Answers with a page of them, the newest first.
pub async fn handle(call: Call<'_>) -> Answer {
    let (after, limit) = read(&call)?;
    let may = |listed: &ListedInvalidation| may_see(&call.principal, listed);
    let page = call.cache.invalidations(after.as_deref(), limit, &may).await?;
    let cursors = cursors(&call.principal);
    let answered = Answered {
        invalidations: page.invalidations.iter().map(Line::of).collect(),
        next: page.next.map(|next| cursors.seal(&next)),
    };
    Response::json(StatusCode::OK, &answered)
}

fn read(call: &Call<'_>) -> Result<(Option<String>, usize), ApiError> {
    let mut query = Query::of(&call.event, &["limit", "cursor"]);
    let limit = query.count("limit", MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
    let after = query.optional("cursor", |cursor| cursors(&call.principal).open(cursor));
    query.finish()?;
    match after {
        Some(after) if after.is_empty() || after.len() > MAX_ID_BYTES => Err(misplaced().into()),
        after => Ok((after, limit)),
    }
}

fn cursors(principal: &Principal) -> CursorOf {
    CursorOf::list("invalidations", principal, &[])
}

/// Whether all that an invalidation may mean lies inside of the prefixes that the caller's token is limited to. One by keys
/// that have nothing in common is known to whoever made it.
pub fn may_see(principal: &Principal, listed: &ListedInvalidation) -> bool {
    let may_touch = |prefix: &String| principal.reaches(prefix);
    let is_own = || {
        let by_same = listed.by.as_deref() == Some(&principal.subject);
        by_same && listed.account.as_deref() == Some(&principal.account())
    };
    listed.meant.within.iter().all(may_touch) || (listed.meant.kind() == "keys" && is_own())
}

impl Line<'_> {
    fn of(listed: &ListedInvalidation) -> Line<'_> {
        Line {
            invalidation_id: &listed.id,
            kind: listed.meant.kind(),
            key: listed.meant.key.as_deref(),
            pattern: listed.meant.pattern.as_deref(),
            tags: listed.meant.tags.as_deref(),
            keys_count: listed.meant.keys_count,
            by: listed.by.as_deref(),
            reason: listed.reason.as_deref(),
            mode: listed.makes_stale.then_some("stale"),
            created_at: Timestamp::floor(listed.created_ms),
            state: listed.state.name(),
            undo_until: listed.until_ms.map(Timestamp::floor),
            invalidated_count: listed.matched,
            restored: listed.undone.map(|undone| undone.restored),
        }
    }
}
