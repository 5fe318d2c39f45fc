//! DELETE: removes the entry from every level; `404` when none had a live copy.

use crate::{address, conditions};
use serde::Serialize;
use std::ops::Not;
use strata_api::{Answer, ApiError, Call, Response, Timestamp, http::StatusCode};
use strata_cache::{Deleted, Key};

#[derive(Serialize)]
pub(crate) struct Answered<'a> {
    success: bool,
    message: &'static str,
    key: &'a str,
    deleted_from_levels: Vec<&'static str>,
    deleted_at: Timestamp,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
}

/// Deletes the entry of the request's key.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key(&mut call)?;
    call.seen()?;
    conditions::none(&call.event.headers)?;
    let deleted = call.cache.delete(&key, &call.principal.subject).await?;
    call.trace.degraded = deleted.degraded;
    call.saw(deleted.position);
    Response::json(StatusCode::OK, &answered(&key, &deleted, call.cache.clock().now_ms())?)
}

/// What is answered at `now_ms`.
pub(crate) fn answered<'a>(key: &'a Key, deleted: &Deleted, now_ms: i64) -> Result<Answered<'a>, ApiError> {
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
    })
}
