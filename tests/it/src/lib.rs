//! The harness of the suites: a running stack, and a client that sends requests as they are written.
//!
//! Ordinary HTTP clients normalise URLs (`..`, `//`, `%2e`), and hostile keys are exactly what has to arrive as it is.

mod answer;
mod request;

pub use answer::Answer;
pub use request::Request;
pub use strata_stack as stack;

use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::Duration;
use strata_stack::{Claims, Options, Stack};

const WARM_UP_TRIES: usize = 50;
const WARM_UP_PAUSE: Duration = Duration::from_millis(100);

/// A running stack and a token with all scopes.
pub struct Api {
    /// The stack.
    pub stack: Stack,
    token: String,
}

impl Api {
    /// Starts a stack whose levels have time to answer.
    pub async fn start() -> Api {
        Api::with(patient()).await
    }

    /// Starts a stack, and waits until every container has reached both shared levels once. Unoptimised builds on a
    /// busy machine may need longer for that than a request waits for a level.
    pub async fn with(options: Options) -> Api {
        let stack = Stack::start(options).await.expect("the stack starts");
        let token = stack.token(Claims::default());
        for container in stack.containers() {
            if container.function == "entries" {
                warm_up(&stack, &container.name).await;
            }
        }
        Api { stack, token }
    }

    /// A GET of `path` below `/v1/cache`.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A PUT to `path` below `/v1/cache`.
    pub fn put(&self, path: &str, body: impl Into<Bytes>) -> Request {
        self.request("PUT", path).body(body)
    }

    /// A DELETE of `path` below `/v1/cache`.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// A request with a token that has all scopes. `path` goes out as it is.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.stack.url(), method, path).bearer(&self.token)
    }
}

/// The defaults, but with more time for each level: unoptimised builds share a busy machine with other suites, and how
/// long a level may take is not what most suites ask.
pub fn patient() -> Options {
    configured(json!({}))
}

/// The same with a partial configuration document. Maintenance runs when a suite calls for it.
pub fn configured(partial: Value) -> Options {
    let mut config = json!({"l2_config": {"timeout_ms": 1_000}, "l3_config": {"timeout_ms": 5_000}});
    for (section, fields) in partial.as_object().expect("a document is an object") {
        match (config.get_mut(section).and_then(Value::as_object_mut), fields.as_object()) {
            (Some(known), Some(fields)) => known.extend(fields.clone()),
            _ => config[section] = fields.clone(),
        }
    }
    Options::default().schedules(false).env("CACHE_CONFIG", config.to_string())
}

/// Reads an entry that is not there, past the gateway, until no level is said to be out of reach.
async fn warm_up(stack: &Stack, container: &str) {
    let event = json!({
        "resource": "/cache/entries", "httpMethod": "GET", "multiValueQueryStringParameters": {"key": ["warm-up"]},
        "requestContext": {"authorizer": {"sub": "it", "api_key": "it", "exp": i64::MAX / 1000,
            "scopes": "[\"cache:read\"]"}},
    });
    for _ in 0..WARM_UP_TRIES {
        let answer = stack.invoke("entries", event.clone(), Some(container)).await.expect("the function answers");
        let said = &answer["headers"]["cache-status"];
        if said.as_str().is_some_and(|said| !said.contains("unavailable")) {
            return;
        }
        tokio::time::sleep(WARM_UP_PAUSE).await;
    }
    panic!("{container} does not reach its levels: {}", stack.logs(container));
}

/// The path of the entry with this key, all of it percent-encoded.
pub fn entry(key: &str) -> String {
    format!("/entries/{}", utf8_percent_encode(key, NON_ALPHANUMERIC))
}

/// The address of the same entry by query.
pub fn entry_by_query(key: &str) -> String {
    format!("/entries?key={}", utf8_percent_encode(key, NON_ALPHANUMERIC))
}
