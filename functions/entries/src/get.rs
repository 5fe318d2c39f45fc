//! GET: the entry with its metadata, `304` when the caller has the value already, `404` when there is none. Whoever takes
//! what has expired is given that marked.

use crate::{address, cache_status};
use serde::Serialize;
use std::ops::Not;
use strata_api::{
    Answer, ApiError, CACHE_STATUS, Call, FILL_TOKEN, FillOffer, Response, Scope, Timestamp, Woven, cache_control,
    etag::{self, Tags},
    fill,
    http::{StatusCode, header},
};
use strata_cache::{Hit, Key, Lease, Read};

#[derive(Serialize)]
struct Metadata {
    level: &'static str,
    created_at: Timestamp,
    last_accessed: Timestamp,
    access_count: u64,
    ttl_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_seconds: Option<u32>,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Not::not")]
    stale: bool,
    size_bytes: usize,
    compressed: bool,
    serialization_format: &'static str,
}

/// Answers with the entry of the request's key.
pub async fn handle(mut call: Call<'_>) -> Answer {
    let key = address::key(&mut call)?;
    let if_match = etag::if_match(&call.event.headers)?;
    let if_none_match = etag::if_none_match(&call.event.headers)?;
    let lease = lease(&call)?;
    let read = Read { at_least: call.seen()?, ..cache_control::read(&call.event.headers)? };
    let (found, fill) = match &lease {
        Some(lease) => call.cache.get_or_lease(&key, read, lease).await?,
        None => (call.cache.get(&key, read).await?, None),
    };
    let Some(hit) = found.hit else {
        let (searched, cache_status) = (found.path.searched(), cache_status::of(&found.path, None, false));
        return Err(match fill {
            Some(fill) => {
                ApiError::KeyToFill { key, searched, cache_status, fill: fill::offer(&fill, &call.principal) }
            }
            None => ApiError::KeyNotFound { key, searched, cache_status: Some(cache_status) },
        });
    };
    call.trace.level = Some(hit.level);
    call.saw(hit.position);
    let now_ms = call.cache.clock().now_ms();
    let offer = fill.map(|fill| fill::offer(&fill, &call.principal));
    let etag = hit.entry.etag();
    let response = match is_wanted(&etag, if_match.as_ref(), if_none_match.as_ref())? {
        true => found_response(&key, &hit, offer.as_ref())?,
        false => Response::empty(StatusCode::NOT_MODIFIED),
    };
    let cache_status = cache_status::of(&found.path, Some(seconds_left(&hit, now_ms)), hit.stale);
    let response = response.header(header::ETAG, etag).header(CACHE_STATUS, cache_status);
    let response = if hit.stale { response.header(header::AGE, age(&hit, now_ms).to_string()) } else { response };
    Ok(match offer {
        Some(FillOffer::Granted { token, .. }) => response.header(FILL_TOKEN, token),
        _ => response,
    })
}

/// The lease that the request asks for. Whoever takes one keeps others from loading, and so must be allowed to write.
fn lease(call: &Call<'_>) -> Result<Option<Lease>, ApiError> {
    if call.event.http_method == "HEAD" {
        fill::none(&call.event.headers)?;
    }
    let lease = fill::lease(&call.event.headers, &call.principal)?;
    if lease.is_some() {
        call.principal.require(Scope::Write)?;
    }
    Ok(lease)
}

/// How long the entry has to live; less than nothing where it has expired.
pub(crate) fn seconds_left(hit: &Hit, now_ms: i64) -> i64 {
    let left_ms = hit.entry.expires_at_ms.saturating_sub(now_ms);
    if hit.stale { left_ms.min(-1).div_euclid(1000) } else { left_ms.max(0) / 1000 }
}

/// How many seconds ago the value was put.
pub(crate) fn age(hit: &Hit, now_ms: i64) -> i64 {
    now_ms.saturating_sub(hit.entry.created_at_ms).max(0) / 1000
}

/// Whether a caller who sends these conditions wants the value of that tag, and does not have it already.
pub(crate) fn is_wanted(etag: &str, if_match: Option<&Tags>, if_none_match: Option<&Tags>) -> Result<bool, ApiError> {
    if if_match.is_some_and(|tags| !tags.strongly_match(etag)) {
        return Err(ApiError::PreconditionFailed);
    }
    Ok(if_none_match.is_none_or(|tags| !tags.weakly_match(etag)))
}

/// The whole entry. Its value goes into the answer from the memory that L1 shares.
fn found_response(key: &Key, hit: &Hit, offer: Option<&FillOffer>) -> Answer {
    let mut body = Woven::default();
    body.text().push('{');
    weave(&mut body, key, hit)?;
    if let Some(offer) = offer {
        body.text().push_str(r#","fill":"#);
        append(body.text(), &offer.to_json())?;
    }
    body.text().push('}');
    Ok(Response::woven(StatusCode::OK, body))
}

/// Goes on with the members of the object that is the answer.
pub(crate) fn weave(body: &mut Woven, key: &Key, hit: &Hit) -> Result<(), serde_json::Error> {
    body.text().push_str(r#""found":true,"key":"#);
    append(body.text(), key.as_str())?;
    body.text().push_str(r#","value":"#);
    body.value(hit.entry.clone());
    body.text().push_str(r#","metadata":"#);
    append(body.text(), &metadata(hit))
}

/// Goes on with something as JSON.
pub(crate) fn append(text: &mut String, part: &(impl Serialize + ?Sized)) -> Result<(), serde_json::Error> {
    text.push_str(&serde_json::to_string(part)?);
    Ok(())
}

fn metadata(hit: &Hit) -> Metadata {
    let entry = &hit.entry;
    Metadata {
        level: hit.level.name(),
        created_at: Timestamp::ceil(entry.created_at_ms),
        last_accessed: Timestamp::ceil(hit.last_accessed_ms),
        access_count: hit.access_count,
        ttl_seconds: entry.ttl_seconds,
        idle_seconds: entry.sliding.map(|sliding| sliding.idle_seconds),
        grace_seconds: (entry.grace_seconds > 0).then_some(entry.grace_seconds),
        expires_at: Timestamp::ceil(entry.expires_at_ms),
        stale: hit.stale,
        size_bytes: entry.text.len(),
        compressed: entry.compression.is_some(),
        serialization_format: entry.format.name(),
    }
}
