//! POST: undoes an invalidation or a DELETE.

use crate::list::may_see;
use serde::{Serialize, de::IgnoredAny};
use std::collections::HashMap;
use strata_api::{
    Answer, ApiError, Call, Event, Principal, Problem, Query, Response, Scope, Timestamp, body::Body, http::StatusCode,
};
use strata_cache::{ListedInvalidation, Undo};

/// The path parameter.
const ID: &str = "invalidation_id";
/// No name is as long; and no longer one fits into a key of the control table.
const MAX_ID_BYTES: usize = 128;

#[derive(Serialize)]
struct Answered<'a> {
    success: bool,
    message: &'static str,
    invalidation_id: &'a str,
    restored: u64,
    overwritten: u64,
    expired: u64,
    #[serde(skip_serializing_if = "is_zero")]
    level2_only: u64,
    undone_at: Timestamp,
}

/// Undoes the invalidation that the path names.
pub async fn handle(mut call: Call<'_>) -> Answer {
    call.seen()?;
    Query::none(&call.event, &[])?;
    no_body(&mut call.event)?;
    let id = call.event.path_parameter(ID).ok_or(Problem::new(ID, "is required"))??;
    if id.len() > MAX_ID_BYTES {
        return Err(ApiError::Undo(strata_cache::UndoRefusal::Unknown));
    }
    let may = |listed: &ListedInvalidation| may_undo(&call.principal, listed);
    let undone = call.cache.undo(&Undo { id: &id, by: &call.principal.subject, may: &may }).await?;
    call.saw(undone.position);
    let answered = Answered {
        success: true,
        message: "Invalidation undone",
        invalidation_id: &id,
        restored: undone.restored,
        overwritten: undone.overwritten,
        expired: undone.expired,
        level2_only: undone.level2_only,
        undone_at: Timestamp::floor(undone.at_ms),
    };
    Response::json(StatusCode::OK, &answered)
}

/// Refuses a body that says something: the path says all there is to say, and it would be ignored.
fn no_body(event: &mut Event) -> Result<(), ApiError> {
    if event.body.as_deref().is_none_or(str::is_empty) {
        return Ok(());
    }
    let body = Body::of(event)?;
    match serde_json::from_str::<HashMap<String, IgnoredAny>>(body.as_str()) {
        Ok(fields) if fields.is_empty() => Ok(()),
        _ => Err(Problem::new("body", "must be empty or {}").into()),
    }
}

/// Whether the caller has made an invalidation, by that API key, or is an administrator; and may touch what it meant.
fn may_undo(principal: &Principal, listed: &ListedInvalidation) -> bool {
    let is_own = listed.account.as_deref() == Some(&principal.account());
    (is_own || principal.require(Scope::Admin).is_ok()) && may_see(principal, listed)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
