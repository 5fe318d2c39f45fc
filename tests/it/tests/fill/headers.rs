//! What the headers may say, and who may send them.

use super::{LEASE, fill, loaded, miss};
use serde_json::json;
use strata_it::{Answer, Api, entry, entry_by_query, stack::Claims};

#[track_caller]
fn names(answer: Answer, header: &str) {
    let refused = answer.expect_error(400, "INVALID_REQUEST");
    assert_eq!(refused.details()["errors"][0]["field"], header, "{refused:?}");
}

#[tokio::test]
async fn wrong_forms_are_named() {
    let api = Api::start().await;
    for wrong in ["0", "61", "x", "1.5", ""] {
        names(api.get(&entry("k")).header("fill-lease", wrong).send().await, "Fill-Lease");
    }
    for wrong in ["wait=0", "wait=11", "wait"] {
        names(api.get(&entry("k")).header("fill-lease", "5").header("prefer", wrong).send().await, "Prefer");
    }
    for wrong in ["x", "", "AAAA"] {
        let put = api.put(&entry("k"), r#"{"value":1}"#).header("fill-token", wrong);
        names(put.send().await, "Fill-Token");
    }
    let token = miss(&api, "entries-1", "k").await;
    for condition in ["if-match", "if-none-match"] {
        let put = api.put(&entry("k"), r#"{"value":1}"#).header("fill-token", &token).header(condition, "*");
        names(put.send().await, "Fill-Token");
    }
    for (method, header) in
        [("DELETE", "Fill-Token"), ("PATCH", "Fill-Token"), ("PUT", "Fill-Lease"), ("DELETE", "Fill-Lease")]
    {
        let request = api.request(method, &entry("k")).body(r#"{"value":1}"#).header(header, "5");
        names(request.send().await, header);
    }
    names(api.request("POST", "/batch").header("fill-lease", "5").body("{}").send().await, "Fill-Lease");
    let head = api.request("HEAD", &entry("k")).header("fill-lease", "5").send().await;
    assert_eq!(head.status, 400);
    // Without a lease there is nothing to wait for.
    api.get(&entry("k")).header("prefer", "wait=99").send().await.expect(404);
    fill(&api, "entries-1", "k", &token, loaded()).await.expect(201);
}

#[tokio::test]
async fn readers_must_not_hold_keys() {
    let api = Api::start().await;
    let reader = api.stack.token(Claims { scopes: vec!["cache:read".to_owned()], ..Claims::default() });
    let refused = api.get(&entry("k")).header("fill-lease", LEASE).bearer(&reader).send().await;
    let refused = refused.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.details(), json!({"required_scope": "cache:write"}));
    api.get(&entry("k")).bearer(&reader).send().await.expect(404);
    let confined = Claims { prefixes: Some(vec!["a:".to_owned()]), ..Claims::default() };
    let confined = api.stack.token(confined);
    let refused = api.get(&entry_by_query("k")).header("fill-lease", LEASE).bearer(&confined).send().await;
    refused.expect_error(403, "FORBIDDEN");
}
