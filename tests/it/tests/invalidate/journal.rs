//! What the journal is asked for: some of it, and what comes next.

use crate::{
    support::{eventually, invalidate, put, put_tagged},
    tables::partition,
};
use serde_json::{Value, json};
use strata_it::{Api, patient, stack::Claims};

/// As many as a key may have waiting.
const WAITS: usize = 2;

async fn ask(api: &Api, query: &str) -> Value {
    api.get(&format!("/journal?{query}")).send().await.expect(200).json()
}

/// What of the mutations says what they meant.
fn meant(page: &Value) -> Vec<String> {
    let lines = page["mutations"].as_array().unwrap().iter();
    let said = |line: &Value| {
        let named = ["key", "pattern"].into_iter().find_map(|name| line[name].as_str().map(str::to_owned));
        named.unwrap_or_else(|| line["tags"].to_string() + &line["keys"].to_string())
    };
    lines.map(said).collect()
}

#[tokio::test]
async fn it_is_searched_by_key_prefix_kind_and_author() {
    let api = Api::start().await;
    put_tagged(&api, "a:1", &["t"]).await;
    put_tagged(&api, "a:2", &["t"]).await;
    put_tagged(&api, "b:1", &["t"]).await;
    let other = api.stack.token(Claims::default().subject("somebody else"));
    api.request("POST", "/invalidate").body(r#"{"pattern":"a:*"}"#).bearer(&other).send().await.expect(200);
    invalidate(&api, json!({"keys": ["b:1"]})).await.expect(200);
    invalidate(&api, json!({"tags": ["t"]})).await.expect(200);
    for (query, expected) in [
        ("key=a%3A1", vec!["a:1", "a:*", "[\"t\"]null"]),
        ("key=b%3A1", vec!["b:1", "null[\"b:1\"]", "[\"t\"]null"]),
        ("key=c", vec!["[\"t\"]null"]),
        ("prefix=a%3A&kind=put", vec!["a:1", "a:2"]),
        ("prefix=a&kind=invalidate", vec!["a:*", "[\"t\"]null"]),
        ("kind=delete", vec![]),
        ("by=somebody%20else", vec!["a:*"]),
        ("key=a%3A1&limit=1", vec!["[\"t\"]null"]),
        ("key=a%3A1&limit=1&since=0-0", vec!["a:1"]),
    ] {
        assert_eq!(meant(&ask(&api, query).await), expected, "{query}");
    }
    // Page by page it is the same.
    let (mut since, mut found) = ("0-0".to_owned(), Vec::new());
    loop {
        let page = ask(&api, &format!("prefix=a%3A&limit=1&since={since}")).await;
        let more = meant(&page);
        if more.is_empty() {
            break;
        }
        found.extend(more);
        page["next"].as_str().unwrap().clone_into(&mut since);
    }
    assert_eq!(found, ["a:1", "a:2", "a:*", "[\"t\"]null"]);
    for bad in ["kind=patch", "key=", "by=", "wait=21&since=0-0", "wait=1", "prefix=%01", "other=1"] {
        api.get(&format!("/journal?{bad}")).send().await.expect_error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn what_a_confined_token_did_by_tag_is_its_own_by_api_key_and_subject() {
    let api = Api::start().await;
    let token = |api_key: &str, prefix: &str| {
        let claims = Claims::default().subject("same").api_key(api_key);
        api.stack.token(claims.prefixes(&[prefix]))
    };
    let (own, other) = (token("one", "a:"), token("two", "b:"));
    api.request("POST", "/invalidate").body(r#"{"tags":["t"]}"#).bearer(&own).send().await.expect(200);
    let body = r#"{"keys":["a:1","a:2"]}"#;
    api.request("POST", "/invalidate").body(body).bearer(&own).send().await.expect(200);
    let told = async |bearer: &str| meant(&api.get("/journal").bearer(bearer).send().await.expect(200).json());
    assert_eq!(told(&own).await, ["[\"t\"]null", "null[\"a:1\",\"a:2\"]"]);
    assert_eq!(told(&other).await, [""; 0]);
}

#[tokio::test]
async fn whoever_waits_is_told_of_the_next_mutation_and_only_so_many_may() {
    let api = Api::with(patient().containers(WAITS + 1)).await;
    put(&api, "entries-1", "before", "1").await.expect(201);
    let since = ask(&api, "limit=1").await["next"].as_str().unwrap().to_owned();
    let wait = |key: &str| {
        let request = api.get(&format!("/journal?since={since}&wait=20&kind=put&key={key}"));
        tokio::spawn(async move { request.send().await.expect(200).json() })
    };
    let waiting: Vec<_> = (0..WAITS).map(|_| wait("next")).collect();
    let slots = async || partition(&api, "cache_control", "waits").await.len();
    eventually("waiting", async || slots().await == 2 * WAITS).await;
    let refused = wait("next").await.unwrap();
    assert_eq!(refused["mutations"], json!([]), "as many wait as may");
    assert_eq!(refused["next"], json!(since));
    put(&api, "entries-1", "other", "1").await.expect(201);
    put(&api, "entries-1", "next", "1").await.expect(201);
    for told in waiting {
        assert_eq!(meant(&told.await.unwrap()), ["next"]);
    }
    assert_eq!(slots().await, 0, "others may wait again");
    assert_eq!(meant(&wait("next").await.unwrap()), ["next"], "it is there");
}
