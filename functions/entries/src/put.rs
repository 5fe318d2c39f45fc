//! PUT: stores a value, under a condition if the request has one.

use crate::{address, conditions, put_request};
use serde::Serialize;
use std::ops::Not;
use strata_api::{
    Answer, Call, Response, Timestamp,
    body::Body,
    http::{StatusCode, header},
};
use strata_cache::{Key, Stored};

#[derive(Serialize)]
pub(crate) struct Answered<'a> {
    success: bool,
    message: &'static str,
    key: &'a str,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Not::not")]
    degraded: bool,
}

#[derive(Serialize)]
struct Metadata {
    levels_stored: Vec<&'static str>,
    size_bytes: usize,
    compressed: bool,
    compression_ratio: f64,
    serialization_format: &'static str,
    expires_at: Timestamp,
    created_at: Timestamp,
}

/// Stores the value of the request's body under its key.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key(&mut call)?;
    call.seen()?;
    let condition = conditions::of_put(&call.event.headers)?;
    let fill = conditions::fill_of_put(&call.event.headers, &condition, &call.principal)?;
    let body = Body::of(&mut call.event)?;
    let mut put = put_request::read(&body, condition)?;
    put.fill = fill;
    put.by = std::mem::take(&mut call.principal.subject);
    put.api_key = std::mem::take(&mut call.principal.api_key);
    drop(body);
    let stored = call.cache.put(&key, put).await?;
    call.trace.degraded = stored.degraded;
    call.saw(stored.position);
    let response = Response::json(status(&stored), &answered(&key, &stored))?;
    Ok(response.header(header::ETAG, stored.entry.etag()))
}

pub(crate) fn status(stored: &Stored) -> StatusCode {
    if stored.created { StatusCode::CREATED } else { StatusCode::OK }
}

/// What is answered.
pub(crate) fn answered<'a>(key: &'a Key, stored: &Stored) -> Answered<'a> {
    let entry = &stored.entry;
    let metadata = Metadata {
        levels_stored: stored.levels.names(),
        size_bytes: entry.text.len(),
        compressed: entry.compression.is_some(),
        compression_ratio: entry.compression_ratio(),
        serialization_format: entry.format.name(),
        expires_at: Timestamp::ceil(entry.expires_at_ms),
        created_at: Timestamp::ceil(entry.created_at_ms),
    };
    Answered {
        success: true,
        message: "Cache entry set successfully",
        key: key.as_str(),
        metadata,
        degraded: stored.degraded,
    }
}
