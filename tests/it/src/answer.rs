//! An answer, and what tests ask of it. Every question fails with the request and the whole answer.

use bytes::Bytes;
use hyper::{HeaderMap, header::HeaderName};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use std::fmt;

/// Most bytes of a body that are shown when an assertion fails.
const SHOWN_BYTES: usize = 2000;

/// The answer to one request.
pub struct Answer {
    what: String,
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn new(what: String, status: u16, headers: HeaderMap, body: Bytes) -> Answer {
        Answer { what, status, headers, body }
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The answer, which must be an error of this status and code in the contract's shape.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Answer {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        let body = answer.json();
        assert_eq!(members(&body), ["error"], "{answer:?}");
        let error = &body["error"];
        assert_eq!(members(error), ["code", "details", "message", "request_id", "timestamp"], "{answer:?}");
        assert_eq!(error["code"], code, "{answer:?}");
        assert!(error["details"].is_object(), "{answer:?}");
        for field in ["message", "request_id", "timestamp"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {answer:?}");
        }
        answer
    }

    /// The details of an error.
    #[track_caller]
    pub fn details(&self) -> Value {
        self.json()["error"]["details"].take()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON text of the body's `value`, byte for byte.
    #[track_caller]
    pub fn value(&self) -> &str {
        #[derive(Deserialize)]
        struct Found<'a> {
            #[serde(borrow)]
            value: &'a RawValue,
        }
        let found: Found<'_> = serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        found.value.get()
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The names of its headers, in lower case.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.keys().map(HeaderName::as_str)
    }

    /// The container that answered.
    #[track_caller]
    pub fn container(&self) -> &str {
        self.header("x-strata-container").unwrap_or_else(|| panic!("no container answered: {self:?}"))
    }

    /// The level a GET was answered from.
    #[track_caller]
    pub fn level(&self) -> String {
        self.json()["metadata"]["level"].as_str().unwrap_or_else(|| panic!("no level: {self:?}")).to_owned()
    }

    /// What `Cache-Status` says of a level; empty when it does not mention it.
    #[track_caller]
    pub fn cache_status(&self, level: &str) -> &str {
        let list = self.header("cache-status").unwrap_or_else(|| panic!("no Cache-Status: {self:?}"));
        let members = list.split(", ").map(|member| member.split_once("; ").unwrap_or((member, "")));
        members.into_iter().find(|(name, _)| *name == level).map_or("", |(_, said)| said)
    }
}

/// The names of an object's members in order.
fn members(object: &Value) -> Vec<&str> {
    object.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(SHOWN_BYTES)]);
        write!(f, "{} was answered {}\n{:#?}\n{body}", self.what, self.status, self.headers)
    }
}
