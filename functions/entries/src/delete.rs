//! DELETE: removes the entry from every level; `404` when none had a live copy.

use crate::{address, conditions};
use serde::Serialize;
use std::ops::Not;
use strata_api::{Answer, ApiError, Call, Event, Query, Response, Timestamp, http::StatusCode};
use strata_cache::{Deleted, Key, undo::MOST_SECONDS};

/// What says for how long it can be undone.
pub(crate) const UNDO_SECONDS: &str = "undo_seconds";

#[derive(Serialize)]
pub(crate) struct Answered<'a> {
    success: bool,
    message: &'static str,
    key: &'a str,
    deleted_from_levels: Vec<&'static str>,
    deleted_at: Timestamp,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalidation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_until: Option<Timestamp>,
}

/// Deletes the entry of the request's key.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key_beside(&mut call, &[UNDO_SECONDS])?;
    call.seen()?;
    conditions::none(&call.event.headers)?;
    let undo_seconds = undo_seconds(&call.event)?;
    let (by, account) = (&call.principal.subject, call.principal.account());
    let deleted = call.cache.delete_undoably(&key, by, &account, undo_seconds).await?;
    call.trace.degraded = deleted.degraded;
    call.saw(deleted.position);
    Response::json(StatusCode::OK, &answered(&key, &deleted, call.cache.clock().now_ms())?)
}

/// What is answered at `now_ms`.
pub(crate) fn answered<'a>(key: &'a Key, deleted: &'a Deleted, now_ms: i64) -> Result<Answered<'a>, ApiError> {
    if deleted.levels.is_empty() {
        let (key, searched) = (key.clone(), deleted.path.searched());
        return Err(ApiError::KeyNotFound { key, searched, cache_status: None });
    }
    Ok(Answered {
        success: true,
        message: "Cache entry deleted successfully",
        key: key.as_str(),
        deleted_from_levels: deleted.levels.names(),
        deleted_at: Timestamp::floor(now_ms),
        degraded: deleted.degraded,
        invalidation_id: deleted.undo.as_ref().map(|undo| &*undo.id),
        undo_until: deleted.undo.as_ref().map(|undo| Timestamp::floor(undo.until_ms)),
    })
}

/// For how long it can be undone, where the request says so.
fn undo_seconds(event: &Event) -> Result<Option<u32>, ApiError> {
    let mut query = Query::of(event, &["key", UNDO_SECONDS]);
    let seconds = query.optional(UNDO_SECONDS, seconds);
    query.finish()?;
    Ok(seconds)
}

/// Reads for how long.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MOST_SECONDS);
    seconds.ok_or_else(|| format!("must be an integer from 0 to {MOST_SECONDS}"))
}
