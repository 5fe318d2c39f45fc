//! POST: invalidates every entry that a pattern, tags or keys select.

use crate::request;
use serde::Serialize;
use std::{ops::Not, sync::Arc};
use strata_api::{Answer, Call, Query, Response, Scope, Timestamp, body::Body, http::StatusCode};
use strata_cache::{Reclaim, Selector};

#[derive(Serialize)]
struct Answered<'a> {
    success: bool,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#match: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    except_tags: Option<&'a [Arc<str>]>,
    invalidated_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_count: Option<u64>,
    levels_affected: Vec<&'static str>,
    invalidated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    reclaim: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalidation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_until: Option<Timestamp>,
}

/// Invalidates what the request's body means.
pub async fn handle(mut call: Call<'_>) -> Answer {
    call.seen()?;
    Query::none(&call.event, &request::FIELDS)?;
    let body = Body::of(&mut call.event)?;
    let request = request::read(&body, &call.principal)?;
    let done = call.cache.invalidate(&request).await?;
    call.trace.degraded = done.degraded;
    call.saw(done.position);
    let (of, except_tags) = match &request.selector {
        Selector::Except { of, tags } => (&**of, Some(&tags[..])),
        of => (of, None),
    };
    let (pattern, tags) = said(of);
    let (reclaim, job_id) = match done.reclaim {
        Reclaim::Complete => ("complete", None),
        Reclaim::InProgress { job } => ("in_progress", job),
    };
    let answered = Answered {
        success: true,
        message: if request.dry_run {
            "Dry run: nothing was invalidated"
        } else {
            "Cache entries invalidated successfully"
        },
        pattern,
        tags,
        r#match: matches!(of, Selector::AllTags { .. }).then_some("all"),
        except_tags,
        invalidated_count: done.matched - done.stale,
        stale_count: request.stale_seconds.map(|_| done.stale),
        levels_affected: done.levels.names(),
        invalidated_at: Timestamp::floor(call.cache.clock().now_ms()),
        reason: request.reason.as_deref(),
        reclaim,
        job_id,
        dry_run: request.dry_run,
        // Keys are what a token reads, so one that may only write is told their number.
        sample_keys: (request.dry_run && call.principal.require(Scope::Read).is_ok()).then_some(done.samples),
        degraded: done.degraded,
        invalidation_id: done.undo.as_ref().map(|undo| &*undo.id),
        undo_until: done.undo.as_ref().map(|undo| Timestamp::floor(undo.until_ms)),
    };
    Response::json(StatusCode::OK, &answered)
}

/// What the answer repeats of the request. Keys it does not repeat: there may be 256 KB of them.
fn said(selector: &Selector) -> (Option<&str>, Option<&[Arc<str>]>) {
    match selector {
        Selector::Pattern(pattern) => (Some(pattern.as_str()), None),
        Selector::Tags { any: tags, .. } | Selector::AllTags { all: tags, .. } => (None, Some(tags)),
        Selector::Keys(_) | Selector::Except { .. } => (None, None),
    }
}
