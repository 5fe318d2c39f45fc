//! What a batch answers: a result for each operation, as far as they fit one answer.
//!
//! What was changed must be told, so the results of mutations come first; those of reads get the room that is left, in
//! their order.

use crate::{
    batch::Outcome,
    batch_request::{Ask, Operation},
    cache_status, delete,
    get::{age, append, is_wanted, seconds_left, weave},
    put,
};
use serde::Serialize;
use strata_api::{
    Answer, ApiError, Call, Response, Woven, answer_size::MAX_ANSWER_BYTES, etag::Tags, http::StatusCode,
};
use strata_cache::{Attempt, Key, Lookup, Mutated};

/// Room for all of an answer but the results: headers, and the numbers of what is unprocessed. As much is left of what a
/// PUT keeps free beside a value for all else that its result has, so that the first value always fits.
const REST_BYTES: usize = 4 * 1024;

/// The result of one operation.
struct OperationResult {
    text: Woven,
    /// Of a read, which can be made again.
    is_read: bool,
}

/// The answer to a batch of these operations, of which that came.
pub(crate) fn of(call: &mut Call<'_>, operations: &[Operation], outcomes: Vec<Outcome>) -> Answer {
    let mut results = Vec::with_capacity(operations.len());
    for (operation, outcome) in operations.iter().zip(outcomes) {
        results.push(result(call, operation, outcome)?);
    }
    let mut body = Woven::default();
    body.text().push_str(r#"{"results":["#);
    let mut unprocessed = Vec::new();
    let mut is_first = true;
    for (at, result) in fitting(results).into_iter().enumerate() {
        let Some(result) = result else {
            unprocessed.push(at);
            continue;
        };
        if !is_first {
            body.text().push(',');
        }
        is_first = false;
        body.append(result.text);
    }
    body.text().push_str(r#"],"unprocessed":"#);
    append(body.text(), &unprocessed)?;
    body.text().push('}');
    Ok(Response::woven(StatusCode::OK, body))
}

/// The results less those of reads that do not fit one answer with the others.
fn fitting(results: Vec<Option<OperationResult>>) -> Vec<Option<OperationResult>> {
    let mut left = MAX_ANSWER_BYTES - REST_BYTES;
    let most: usize = results.iter().flatten().map(|result| result.text.most_escaped_bytes()).sum();
    if most <= left {
        return results;
    }
    let mutations = results.iter().flatten().filter(|result| !result.is_read);
    left = left.saturating_sub(mutations.map(OperationResult::bytes).sum());
    let mut fits = |result: &OperationResult| {
        let rest = if result.is_read { left.checked_sub(result.bytes()) } else { Some(left) };
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    results.into_iter().map(|result| result.filter(&mut fits)).collect()
}

impl OperationResult {
    /// Bytes in the answer, with a comma.
    fn bytes(&self) -> usize {
        self.text.escaped_bytes() + 1
    }
}

/// The result of an operation; `None` when it was not made.
fn result(call: &mut Call<'_>, operation: &Operation, outcome: Outcome) -> Result<Option<OperationResult>, ApiError> {
    let key = &operation.key;
    let is_read = operation.ask.is_read();
    let text = match outcome {
        Outcome::Read(None) | Outcome::Mutated(Attempt::NotBegun) => return Ok(None),
        Outcome::Read(Some(found)) => match found.map_err(ApiError::from) {
            Ok(lookup) => {
                lookup.hit.iter().for_each(|hit| call.saw(hit.position));
                read(call, operation, &lookup)
            }
            Err(error) => Err(error),
        },
        Outcome::Mutated(Attempt::Ended(ended)) => match ended.map_err(ApiError::from) {
            Ok(mutated) => mutation(call, key, &mutated),
            Err(error) => Err(error),
        },
        Outcome::Mutated(Attempt::Unanswered) => Err(ApiError::Unanswered),
        Outcome::Refused(error) => Err(error),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => failure(call, key, &error)?,
    };
    Ok(Some(OperationResult { text, is_read }))
}

fn read(call: &Call<'_>, operation: &Operation, found: &Lookup) -> Result<Woven, ApiError> {
    let key = &operation.key;
    let (if_match, if_none_match): (Option<&Tags>, Option<&Tags>) = match &operation.ask {
        Ask::Get { if_match, if_none_match } => (if_match.as_ref(), if_none_match.as_ref()),
        _ => (None, None),
    };
    let Some(hit) = &found.hit else {
        return Err(ApiError::KeyNotFound { key: key.clone(), searched: found.path.searched(), cache_status: None });
    };
    let etag = hit.entry.etag();
    let mut text = Woven::default();
    if is_wanted(&etag, if_match, if_none_match)? {
        text.text().push_str(r#"{"status":200,"#);
        weave(&mut text, key, hit)?;
    } else {
        text.text().push_str(r#"{"status":304,"key":"#);
        append(text.text(), key.as_str())?;
    }
    text.text().push_str(r#","etag":"#);
    append(text.text(), &etag)?;
    text.text().push_str(r#","cache_status":"#);
    let now_ms = call.cache.clock().now_ms();
    append(text.text(), &cache_status::of(&found.path, Some(seconds_left(hit, now_ms)), hit.stale))?;
    if hit.stale {
        text.text().push_str(r#","age":"#);
        append(text.text(), &age(hit, now_ms))?;
    }
    text.text().push('}');
    Ok(text)
}

fn mutation(call: &mut Call<'_>, key: &Key, mutated: &Mutated) -> Result<Woven, ApiError> {
    let mut text = Woven::default();
    match mutated {
        Mutated::Stored(stored) => {
            call.trace.degraded |= stored.degraded;
            call.saw(stored.position);
            let (status, etag) = (put::status(stored), Some(stored.entry.etag()));
            write_result(text.text(), status, &put::answered(key, stored), etag)?;
        }
        Mutated::Deleted(deleted) => {
            call.trace.degraded |= deleted.degraded;
            call.saw(deleted.position);
            let body = delete::answered(key, deleted, call.cache.clock().now_ms())?;
            write_result(text.text(), StatusCode::OK, &body, None)?;
        }
    }
    Ok(text)
}

/// The result of an operation that failed so. What the client is not told goes into the log, of one of them.
fn failure(call: &mut Call<'_>, key: &Key, error: &ApiError) -> Result<Woven, ApiError> {
    let (status, _) = error.class();
    if status.is_server_error() {
        call.trace.failed(error);
    }
    let mut text = Woven::default();
    text.text().push_str(r#"{"key":"#);
    append(text.text(), key.as_str())?;
    text.text().push_str(r#","status":"#);
    append(text.text(), &status.as_u16())?;
    text.text().push_str(r#","error":"#);
    append(text.text(), &error.body(call.request_id, call.cache.clock().now_ms()))?;
    text.text().push('}');
    Ok(text)
}

/// Goes on with a result: the status, the members of the body that the operation alone would have, and the value's tag.
fn write_result(
    text: &mut String,
    status: StatusCode,
    body: &impl Serialize,
    etag: Option<String>,
) -> Result<(), serde_json::Error> {
    text.push_str(r#"{"status":"#);
    append(text, &status.as_u16())?;
    text.push(',');
    let body = serde_json::to_string(body)?;
    let members = body.strip_prefix('{').and_then(|body| body.strip_suffix('}'));
    text.push_str(members.expect("an answer is an object"));
    if let Some(etag) = etag {
        text.push_str(r#","etag":"#);
        append(text, &etag)?;
    }
    text.push('}');
    Ok(())
}
