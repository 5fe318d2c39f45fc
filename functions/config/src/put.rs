//! PUT: changes some fields of the configuration, for the whole fleet.

use crate::{request, version};
use serde::Serialize;
use std::ops::Not;
use strata_api::{
    Answer, Call, Response, Timestamp,
    body::Body,
    http::{StatusCode, header},
};
use strata_cache::Configured;

#[derive(Serialize)]
struct Answered {
    success: bool,
    message: &'static str,
    updated_fields: Vec<&'static str>,
    updated_at: Timestamp,
    /// Always false: containers go by every change while they run.
    restart_required: bool,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
}

/// Changes the fields that the request's body names.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let expected = version::expected(&call.event.headers)?;
    let body = Body::new(call.event.body.take(), call.event.is_base64_encoded)?;
    let assignments = request::read(&body)?;
    let configured = call.cache.configure(&assignments, expected.as_deref()).await?;
    call.trace.degraded = configured.degraded;
    let response = Response::json(StatusCode::OK, &answered(&configured, call.cache.clock().now_ms()))?;
    Ok(response.header(header::ETAG, version::etag(configured.version)))
}

fn answered(configured: &Configured, now_ms: i64) -> Answered {
    Answered {
        success: true,
        message: "Cache configuration updated successfully",
        updated_fields: configured.changed.iter().map(|field| field.path).collect(),
        updated_at: Timestamp::floor(if configured.version == 0 { now_ms } else { configured.updated_at_ms }),
        restart_required: false,
        degraded: configured.degraded,
    }
}
