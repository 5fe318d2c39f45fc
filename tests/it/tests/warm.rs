//! Warm jobs over HTTP: what is accepted, what is said of it, and who may ask; and what schedules warm.

mod job;
mod list;
mod request;
mod schedule;
mod turns;

use crate::support::{eventually, put};
use serde_json::{Value, json};
use strata_it::{Answer, Api, Request, stack::Claims};

/// A POST of `body`.
fn posted(api: &Api, body: &Value) -> Request {
    api.request("POST", "/warm").body(body.to_string())
}

/// Asks for what `body` says to be warmed.
pub async fn warm(api: &Api, body: Value) -> Answer {
    posted(api, &body).send().await
}

/// Accepts a job; returns its name.
pub async fn begin(api: &Api, body: Value) -> String {
    id_of(&warm(api, body).await.expect(202))
}

#[track_caller]
fn id_of(accepted: &Answer) -> String {
    accepted.json()["warming_job_id"].as_str().unwrap_or_else(|| panic!("no job: {accepted:?}")).to_owned()
}

/// A request about a job.
fn about(api: &Api, method: &str, id: &str) -> Request {
    api.request(method, &format!("/warm/{id}"))
}

/// What is said of a job.
pub async fn report(api: &Api, id: &str) -> Value {
    about(api, "GET", id).send().await.expect(200).json()
}

/// Waits for a job to end; returns what is said of it then.
pub async fn ended(api: &Api, id: &str) -> Value {
    eventually("the job", async || !report(api, id).await["finished_at"].is_null()).await;
    report(api, id).await
}

/// Stores `count` entries under `k:`.
async fn fill(api: &Api, count: usize) {
    for i in 0..count {
        put(api, "entries-1", &format!("k:{i}"), "1").await.expect(201);
    }
}

/// The token of a caller who may touch keys under `mine:` only.
fn limited(api: &Api) -> String {
    api.stack.token(Claims { prefixes: Some(vec!["mine:".to_owned()]), ..Claims::default() })
}

/// A body that asks for one key.
fn one_key() -> Value {
    json!({"keys": ["k:0"]})
}
