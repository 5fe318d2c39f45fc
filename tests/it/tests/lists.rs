//! Lists of keys and tags, and what the census says by prefix: each entry once, in order, and nobody's but one's own.

mod confined;
mod faults;
mod pages;
mod stats;
mod tags;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strata_it::{Answer, Api, Request, configured, entry, stack::Options};

/// A stack with what lists need, and without limits.
fn options(partial: Value) -> Options {
    let functions = ["authorizer", "entries", "invalidate", "status"];
    configured(partial).functions(functions).env("RATE_LIMITS", "off")
}

async fn start() -> Api {
    Api::with(options(json!({}))).await
}

/// The same, where L2 decides what there is.
async fn without_l3() -> Api {
    Api::with(options(json!({"l3_config": {"enabled": false}}))).await
}

/// Stores an entry of that body's other fields.
async fn store(api: &Api, key: &str, fields: Value) {
    let mut body = json!({"value": key});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let stored = api.put(&entry(key), body.to_string()).pin("entries-1").send().await;
    assert!([200, 201].contains(&stored.status), "{key}: {}", stored.status);
}

/// The address of a list with these parameters.
fn listed(resource: &str, parameters: &[(&str, &str)]) -> String {
    let pairs =
        parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    format!("/{resource}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// All that a list has, page by page, each of which `sends` asks for. Pages may be short, and none repeats another.
async fn whole(resource: &str, parameters: &[(&str, &str)], sends: impl Fn(&str) -> Request) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    let mut seen = BTreeSet::new();
    loop {
        let at = cursor.iter().map(|cursor| ("cursor", cursor.as_str()));
        let parameters: Vec<(&str, &str)> = parameters.iter().copied().chain(at).collect();
        let page = sends(&listed(resource, &parameters)).send().await.expect(200).json();
        found.extend(page[resource].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => assert!(seen.insert(next.to_owned()), "the page is the same again"),
            None => return found,
        }
        cursor = page["next"].as_str().map(str::to_owned);
    }
}

/// The keys of a whole list.
async fn keys(api: &Api, parameters: &[(&str, &str)]) -> Vec<String> {
    let found = whole("keys", parameters, |path| api.get(path)).await;
    found.iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect()
}

/// What is wrong with a request that is refused.
#[track_caller]
fn assert_names(refused: &Answer, field: &str, said: &str) {
    let problem = &refused.details()["errors"][0];
    assert_eq!(problem["field"], field, "{problem}");
    assert!(problem["message"].as_str().unwrap().contains(said), "{problem}");
}
