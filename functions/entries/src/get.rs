//! GET: the entry with its metadata, `304` when the caller has the value already, `404` when there is none.

use crate::{address, cache_status};
use serde::Serialize;
use strata_api::{
    Answer, ApiError, CACHE_STATUS, Call, Response, Scope, Timestamp, Woven,
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
    expires_at: Timestamp,
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
    let read = Read { no_cache: call.event.headers.no_cache(), at_least: call.seen()? };
    let (found, fill) = match &lease {
        Some(lease) => call.cache.get_or_lease(&key, read, lease).await?,
        None => (call.cache.get(&key, read).await?, None),
    };
    let Some(hit) = found.hit else {
        let (searched, cache_status) = (found.path.searched(), cache_status::of(&found.path, None));
        return Err(match fill {
            Some(fill) => {
                ApiError::KeyToFill { key, searched, cache_status, fill: fill::offer(&fill, &call.principal) }
            }
            None => ApiError::KeyNotFound { key, searched, cache_status: Some(cache_status) },
        });
    };
    call.trace.level = Some(hit.level);
    call.saw(hit.position);
    let left = seconds_left(&hit, call.cache.clock().now_ms());
    let etag = hit.entry.etag();
    let response = match is_wanted(&etag, if_match.as_ref(), if_none_match.as_ref())? {
        true => found_response(&key, &hit)?,
        false => Response::empty(StatusCode::NOT_MODIFIED),
    };
    let response = response.header(header::ETAG, etag);
    Ok(response.header(CACHE_STATUS, cache_status::of(&found.path, Some(left))))
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

/// How long the entry has to live.
pub(crate) fn seconds_left(hit: &Hit, now_ms: i64) -> i64 {
    (hit.entry.expires_at_ms - now_ms).max(0) / 1000
}

/// Whether a caller who sends these conditions wants the value of that tag, and does not have it already.
pub(crate) fn is_wanted(etag: &str, if_match: Option<&Tags>, if_none_match: Option<&Tags>) -> Result<bool, ApiError> {
    if if_match.is_some_and(|tags| !tags.strongly_match(etag)) {
        return Err(ApiError::PreconditionFailed);
    }
    Ok(if_none_match.is_none_or(|tags| !tags.weakly_match(etag)))
}

/// The whole entry. Its value goes into the answer from the memory that L1 shares.
fn found_response(key: &Key, hit: &Hit) -> Answer {
    let mut body = Woven::default();
    body.text().push('{');
    weave(&mut body, key, hit)?;
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
        expires_at: Timestamp::ceil(entry.expires_at_ms),
        size_bytes: entry.text.len(),
        compressed: entry.compression.is_some(),
        serialization_format: entry.format.name(),
    }
}
