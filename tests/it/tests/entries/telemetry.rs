//! The log: one line per request, and no secret in it.

use serde_json::Value;
use strata_it::{Api, entry};

const KEY: &str = "customer-secretkey";

#[tokio::test]
async fn one_line_per_request_without_secrets() {
    let api = Api::start().await;
    let before = api.stack.logs("entries-1").len();
    let body = r#"{"value":{"card":"secretvalue"},"tags":["secrettag"]}"#;
    let put = api.put(&entry(KEY), body).pin("entries-1").send().await.expect(201);
    api.get(&entry(KEY)).pin("entries-1").send().await.expect(200);
    api.put(&entry(KEY), r#"{"value":secretvalue}"#).pin("entries-1").send().await.expect(400);
    api.get(&entry("other")).pin("entries-1").send().await.expect(404);

    let elsewhere = api.stack.logs("entries-2").len();
    api.get(&entry(KEY)).pin("entries-2").send().await.expect(200);
    let elsewhere = api.stack.logs("entries-2").split_off(elsewhere);

    let log = api.stack.logs("entries-1").split_off(before);
    let all = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let lines: Vec<Value> = all.filter(|line| line["_aws"].is_null()).collect();
    let said = |field: &str| lines.iter().map(|line| line[field].clone()).collect::<Vec<_>>();
    assert_eq!(said("message"), ["request"; 4]);
    assert_eq!(said("operation"), ["put_entry", "get_entry", "put_entry", "get_entry"]);
    assert_eq!(said("status"), [201, 200, 400, 404]);
    assert_eq!(lines[1]["answered_by"], "L1_MEMORY");
    assert_eq!(lines[0]["request_id"].as_str(), put.header("x-request-id"));
    assert_eq!(lines[0]["key_hash"], lines[1]["key_hash"]);
    assert_ne!(lines[0]["key_hash"], lines[3]["key_hash"]);
    let hash = lines[0]["key_hash"].as_str().unwrap();
    assert!(elsewhere.contains(hash), "one key for all containers of a deployment: {elsewhere}");
    assert!(lines.iter().all(|line| line["duration_us"].is_u64() && line["function"].is_string()));
    let token = api.stack.token(strata_it::stack::Claims::default());
    let signature = token.rsplit('.').next().unwrap();
    for secret in ["secretkey", "secretvalue", "secrettag", "eyJ", signature] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
