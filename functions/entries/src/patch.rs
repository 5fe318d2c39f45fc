//! PATCH: changes the time to live or the tags of the current value, which is not sent again.

use crate::{address, conditions, patch_request};
use serde::Serialize;
use std::{ops::Not, sync::Arc};
use strata_api::{
    Answer, ApiError, Call, Response, Timestamp,
    body::Body,
    fill,
    http::{StatusCode, header},
};
use strata_cache::{Key, Level, Patched};

#[derive(Serialize)]
struct Answered<'a> {
    success: bool,
    message: &'static str,
    key: &'a str,
    changed: bool,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
}

#[derive(Serialize)]
struct Metadata<'a> {
    /// Absent where nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    levels_stored: Option<Vec<&'static str>>,
    ttl_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_seconds: Option<u32>,
    tags: &'a [Arc<str>],
    size_bytes: usize,
    compressed: bool,
    serialization_format: &'static str,
    expires_at: Timestamp,
    created_at: Timestamp,
}

/// Changes the entry of the request's key as the request's body says.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key(&mut call)?;
    call.seen()?;
    fill::none(&call.event.headers)?;
    let condition = conditions::of_put(&call.event.headers)?;
    let body = Body::of(&mut call.event)?;
    let mut patch = patch_request::read(&body, condition)?;
    patch.by = std::mem::take(&mut call.principal.subject);
    patch.api_key = std::mem::take(&mut call.principal.api_key);
    let Some(patched) = call.cache.patch(&key, &patch).await? else {
        let searched = call.cache.config().enabled().without(Level::L1);
        return Err(ApiError::KeyNotFound { key, searched, cache_status: None });
    };
    call.trace.degraded = patched.degraded;
    call.saw(patched.position);
    let response = Response::json(StatusCode::OK, &answered(&key, &patched))?;
    Ok(response.header(header::ETAG, patched.entry.etag()))
}

fn answered<'a>(key: &'a Key, patched: &'a Patched) -> Answered<'a> {
    let entry = &patched.entry;
    let metadata = Metadata {
        levels_stored: patched.changed.then(|| patched.levels.names()),
        ttl_seconds: entry.ttl_seconds,
        idle_seconds: entry.sliding.map(|sliding| sliding.idle_seconds),
        grace_seconds: (entry.grace_seconds > 0).then_some(entry.grace_seconds),
        tags: &entry.tags,
        size_bytes: entry.text.len(),
        compressed: entry.compression.is_some(),
        serialization_format: entry.format.name(),
        expires_at: Timestamp::ceil(entry.expires_at_ms),
        created_at: Timestamp::ceil(entry.created_at_ms),
    };
    Answered {
        success: true,
        message: if patched.changed { "Cache entry updated successfully" } else { "Cache entry left as it was" },
        key: key.as_str(),
        changed: patched.changed,
        metadata,
        degraded: patched.degraded,
    }
}
