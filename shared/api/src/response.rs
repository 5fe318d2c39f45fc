//! What a function answers, and how it is written into Lambda's answer.
//!
//! There the body is a JSON string. It is escaped piece by piece from where it lies, so that a value goes from the
//! bytes L1 shares into the answer without a copy of its own.

use crate::{answer_size::escaped_bytes, error::ApiError};
use lambda_http::http::{HeaderName, StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::{borrow::Cow, fmt, sync::Arc};
use strata_cache::Entry;

/// As many headers as most answers have, so that there is room for them at once.
const USUAL_HEADERS: usize = 10;

/// What a handler answers.
pub type Answer = Result<Response, ApiError>;

/// The answer to one request.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    headers: Vec<(HeaderName, Cow<'static, str>)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Empty,
    Text(String),
    Woven(Woven),
}

/// A JSON text with the values of entries in between, which are not copied into it.
#[derive(Debug, Default)]
pub struct Woven {
    text: String,
    /// Where in the text each value stands.
    values: Vec<(usize, Arc<Entry>)>,
}

impl Woven {
    /// The text so far, but for the values, to be gone on with.
    pub fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Goes on with the value of an entry.
    pub fn value(&mut self, entry: Arc<Entry>) {
        self.values.push((self.text.len(), entry));
    }

    /// Goes on with a text and the values in it.
    pub fn append(&mut self, other: Woven) {
        let before = self.text.len();
        self.text.push_str(&other.text);
        self.values.extend(other.values.into_iter().map(|(at, entry)| (before + at, entry)));
    }

    /// Bytes of it inside a JSON string, as an answer has it.
    pub fn escaped_bytes(&self) -> usize {
        let values = self.values.iter().map(|(_, entry)| entry.json());
        values.chain([self.text.as_str()]).map(escaped_bytes).sum()
    }

    /// At most so many bytes are those, told at a glance: no byte of JSON text needs more than one backslash.
    pub fn most_escaped_bytes(&self) -> usize {
        let values: usize = self.values.iter().map(|(_, entry)| entry.text.len()).sum();
        2 * (values + self.text.len())
    }
}

impl fmt::Display for Woven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = 0;
        for (at, entry) in &self.values {
            f.write_str(&self.text[written..*at])?;
            f.write_str(entry.json())?;
            written = *at;
        }
        f.write_str(&self.text[written..])
    }
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Response {
        let mut headers = Vec::with_capacity(USUAL_HEADERS);
        headers.push((header::CACHE_CONTROL, Cow::Borrowed("no-store")));
        Response { status, headers, body: Body::Empty }
    }

    /// An answer whose body is `body` as JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
        Ok(Response::with_body(status, Body::Text(serde_json::to_string(body)?)))
    }

    /// An answer whose body is that text, which is JSON.
    pub fn woven(status: StatusCode, body: Woven) -> Response {
        Response::with_body(status, Body::Woven(body))
    }

    fn with_body(status: StatusCode, body: Body) -> Response {
        let response = Response { body, ..Response::empty(status) };
        response.header(header::CONTENT_TYPE, "application/json")
    }

    /// The answer with one more header. `value` must be visible ASCII.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<Cow<'static, str>>) -> Response {
        self.headers.push((name, value.into()));
        self
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Empty => Ok(()),
            Body::Text(text) => f.write_str(text),
            Body::Woven(woven) => woven.fmt(f),
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Headers as the gateway wants them.
struct Headers<'a>(&'a [(HeaderName, Cow<'static, str>)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name.as_str(), value)))
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        answer.serialize_entry("statusCode", &self.status.as_u16())?;
        answer.serialize_entry("headers", &Headers(&self.headers))?;
        answer.serialize_entry("body", &self.body)?;
        answer.serialize_entry("isBase64Encoded", &false)?;
        answer.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answer_size::{MAX_ANSWER_BYTES, answer_bytes};
    use bytes::Bytes;
    use serde_json::{Value, json};
    use strata_cache::{Levels, Version, config::Format};

    fn entry(text: &str) -> Arc<Entry> {
        Arc::new(Entry {
            text: Bytes::copy_from_slice(text.as_bytes()),
            created_at_ms: 0,
            expires_at_ms: 1,
            ttl_seconds: 1,
            sliding: None,
            grace_seconds: 0,
            made_stale: false,
            tags: Arc::default(),
            levels: Levels::ALL,
            version: Version::ZERO,
            checksum: 0,
            compression: None,
            stored_bytes: text.len(),
            format: Format::Bincode,
        })
    }

    fn around(before: &str, value: &str, after: &str) -> Woven {
        let mut woven = Woven::default();
        woven.text().push_str(before);
        woven.value(entry(value));
        woven.text().push_str(after);
        woven
    }

    #[test]
    fn texts_and_values_keep_their_order() {
        let mut woven = around("[", "1", ",");
        woven.append(around("", "\"\\n\"", ","));
        woven.append(around("\"x\",", "3", "]"));
        assert_eq!(woven.to_string(), "[1,\"\\n\",\"x\",3]");
        let answer = serde_json::to_string(&woven.to_string()).unwrap();
        assert_eq!(woven.escaped_bytes() + 2, answer.len());
        assert!(woven.most_escaped_bytes() >= woven.escaped_bytes());
    }

    #[test]
    fn a_value_arrives_byte_for_byte() {
        let value = "{\"b\":1.0e+2, \"a\":\"\\u0041\\n\u{1F600}\",\t\"b\":[\n]}";
        let response = Response::woven(StatusCode::OK, around("{\"value\":", value, "}"));
        let answer: Value = serde_json::from_slice(&serde_json::to_vec(&response).unwrap()).unwrap();
        assert_eq!(answer["body"].as_str().unwrap(), format!("{{\"value\":{value}}}"));
    }

    #[test]
    fn an_empty_answer_has_no_content_type() {
        let answer = serde_json::to_value(Response::empty(StatusCode::NOT_MODIFIED)).unwrap();
        let expected = json!({"statusCode": 304, "headers": {"cache-control": "no-store"}, "body": "",
            "isBase64Encoded": false});
        assert_eq!(answer, expected);
    }

    #[test]
    fn the_room_kept_is_enough_for_the_rest_of_an_answer() {
        let key = serde_json::to_string(&"\"".repeat(strata_cache::key::MAX_KEY_BYTES)).unwrap();
        let value = format!("\"{}\"", "\\\"".repeat(1000));
        let metadata = "\"".repeat(700);
        let response = Response::woven(StatusCode::OK, around(&key, &value, &metadata))
            .header(crate::CACHE_STATUS, "x".repeat(500))
            .header(header::ETAG, "x".repeat(100))
            .header(crate::position::CACHE_POSITION, "x".repeat(32));
        assert!(serde_json::to_vec(&response).unwrap().len() < answer_bytes(&value));
        assert!(answer_bytes(&value) < MAX_ANSWER_BYTES);
    }
}
