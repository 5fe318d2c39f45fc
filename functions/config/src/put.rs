//! PUT: changes some fields of the configuration, for the whole fleet.

use crate::{request, version, warnings};
use serde::Serialize;
use std::ops::Not;
use strata_api::{
    Answer, Call, Query, Response, Timestamp,
    body::Body,
    http::{StatusCode, header},
};
use strata_cache::Configured;

#[derive(Serialize)]
struct Answered<'a> {
    success: bool,
    message: &'static str,
    updated_fields: Vec<&'a str>,
    updated_at: Timestamp,
    /// Always false: containers go by every change while they run.
    restart_required: bool,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
    /// What switching a level does to the cache.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// Changes the fields that the request's body names. The configuration is everybody's, so a token that is limited to
/// key prefixes may not.
pub async fn handle(mut call: Call<'_>) -> Answer {
    call.principal.may_touch_all()?;
    Query::none(&call.event, &request::sections())?;
    let expected = version::expected(&call.event.headers)?;
    let body = Body::of(&mut call.event)?;
    let assignments = request::read(&body)?;
    let configured = call.cache.configure(&assignments, &call.principal.subject, expected.as_deref()).await?;
    call.trace.degraded = configured.degraded;
    call.trace.configured(&call.principal, &configured);
    let response = Response::json(StatusCode::OK, &answered(&configured, call.cache.clock().now_ms()))?;
    Ok(response.header(header::ETAG, version::etag(configured.version)))
}

fn answered(configured: &Configured, now_ms: i64) -> Answered<'_> {
    Answered {
        success: true,
        message: "Cache configuration updated successfully",
        updated_fields: configured.changed.iter().map(|change| change.field.as_ref()).collect(),
        updated_at: Timestamp::floor(if configured.version == 0 { now_ms } else { configured.updated_at_ms }),
        restart_required: false,
        degraded: configured.degraded,
        warnings: warnings::of(&configured.changed),
    }
}
