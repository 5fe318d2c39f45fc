//! Many operations in one request: each answered as alone, all or none admitted, and no size that is too much.

use crate::support::{flush, fresh, get, put, scripts_run, wait_out_the_window};
use serde_json::{Value, json};
use std::time::Duration;
use strata_it::{
    Answer, Api, configured, entry, patient,
    stack::{Claims, L3Fault},
};

/// Lambda's limit for an answer, in bytes.
const MOST_BYTES: usize = 6 * 1024 * 1024;

async fn batch(api: &Api, container: &str, operations: &Value) -> Answer {
    let body = json!({ "operations": operations }).to_string();
    api.request("POST", "/batch").body(body).pin(container).send().await
}

/// The results, none of which is missing.
async fn results(api: &Api, container: &str, operations: &Value) -> Vec<Value> {
    let mut done = batch(api, container, operations).await.expect(200).json();
    assert_eq!(done["unprocessed"], json!([]));
    let Value::Array(results) = done["results"].take() else { panic!("{done}") };
    assert_eq!(results.len(), operations.as_array().unwrap().len());
    results
}

fn gets(keys: &[String]) -> Value {
    keys.iter().map(|key| json!({"op": "get", "key": key})).collect()
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("k:{number:03}")).collect()
}

/// The level that each read was answered from.
fn levels(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["metadata"]["level"].as_str().unwrap_or_else(|| panic!("{result}"))).collect()
}

#[tokio::test]
async fn every_operation_is_answered_as_it_would_be_alone() {
    let api = Api::start().await;
    let text = r#"{"b":1.0e+2, "a":"\u0041\n", "b":[ ]}"#;
    let body = format!(
        r#"{{"operations":[{{"op":"put","key":"a/ ?é","value":{text},"tags":["t"],"ttl_seconds":60}},
            {{"op":"get","key":"missing"}},{{"op":"delete","key":"absent"}},
            {{"op":"put","key":"must-be-there","value":1,"if_match":"*"}}]}}"#
    );
    let done = api.request("POST", "/batch").body(body).pin("entries-1").send().await.expect(200).json();
    let status = |at: usize| done["results"][at]["status"].as_u64().unwrap();
    assert_eq!([status(0), status(1), status(2), status(3)], [201, 404, 404, 412], "{done}");
    let stored = &done["results"][0];
    assert_eq!((&stored["key"], &stored["message"]), (&json!("a/ ?é"), &json!("Cache entry set successfully")));
    let error = &done["results"][1]["error"];
    assert_eq!((&error["code"], &error["details"]["key"]), (&json!("CACHE_KEY_NOT_FOUND"), &json!("missing")));
    assert!(error["request_id"].is_string() && error["timestamp"].is_string());

    let alone = get(&api, "entries-2", "a/ ?é").await.expect(200);
    assert_eq!((alone.value(), alone.header("etag")), (text, stored["etag"].as_str()));
    let read = batch(&api, "entries-2", &json!([{"op": "get", "key": "a/ ?é"}])).await.expect(200);
    assert!(std::str::from_utf8(&read.body).unwrap().contains(&format!("\"value\":{text},")), "byte for byte");
    let (mut found, mut same) = (read.json()["results"][0].take(), alone.json());
    assert_eq!(found["etag"], stored["etag"]);
    assert!(found["cache_status"].as_str().unwrap().contains("L1_MEMORY; hit"));
    for changing in ["access_count", "last_accessed", "level"] {
        found["metadata"][changing].take();
        same["metadata"][changing].take();
    }
    for member in ["found", "key", "value", "metadata"] {
        assert_eq!(found[member], same[member]);
    }

    let conditional = json!([
        {"op": "get", "key": "a/ ?é", "if_none_match": stored["etag"]},
        {"op": "put", "key": "other", "value": 1, "if_none_match": "*"},
    ]);
    let done = results(&api, "entries-1", &conditional).await;
    assert_eq!((&done[0]["status"], done[0].get("value")), (&json!(304), None));
    assert_eq!(done[1]["status"], 201);
    let mixed = json!([
        {"op": "get", "key": "a/ ?é", "if_match": "\"not this\""},
        {"op": "put", "key": "other", "value": 2, "if_match": done[1]["etag"]},
        {"op": "delete", "key": "missing"},
    ]);
    let done = results(&api, "entries-1", &mixed).await;
    assert_eq!([&done[0]["status"], &done[1]["status"], &done[2]["status"]], [412, 200, 404]);
    let deleted = &results(&api, "entries-1", &json!([{"op": "delete", "key": "other"}])).await[0];
    assert_eq!(deleted["deleted_from_levels"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    fresh(&api, "other").await.expect(404);
}

#[tokio::test]
async fn a_hundred_keys_are_answered_from_every_level() {
    let api = Api::start().await;
    let keys = keys(100);
    let puts: Value = keys.iter().map(|key| json!({"op": "put", "key": key, "value": key, "tags": ["t"]})).collect();
    let stored = results(&api, "entries-1", &puts).await;
    assert!(stored.iter().all(|stored| stored["status"] == 201 && stored.get("degraded").is_none()), "{stored:?}");
    for (container, level) in [("entries-1", "L1_MEMORY"), ("entries-2", "L2_REDIS"), ("entries-2", "L1_MEMORY")] {
        let found = results(&api, container, &gets(&keys)).await;
        assert_eq!(levels(&found), [level; 100], "{container}");
        assert!(found.iter().zip(&keys).all(|(found, key)| found["value"] == json!(key) && found["key"] == json!(key)));
    }
    // What L3 alone has is brought up, for others as well.
    flush(&api).await;
    wait_out_the_window().await;
    for (container, level) in [("entries-1", "L3_DATABASE"), ("entries-2", "L2_REDIS"), ("entries-1", "L1_MEMORY")] {
        assert_eq!(levels(&results(&api, container, &gets(&keys)).await), [level; 100], "{container}");
    }
}

#[tokio::test]
async fn what_others_change_is_seen_within_the_window_and_at_once_when_that_is_asked() {
    let api = Api::start().await;
    let keys = keys(20);
    let puts: Value = keys.iter().map(|key| json!({"op": "put", "key": key, "value": 1})).collect();
    results(&api, "entries-1", &puts).await;
    results(&api, "entries-2", &gets(&keys)).await;
    let changes: Value = keys
        .iter()
        .enumerate()
        .map(|(at, key)| match at % 2 {
            0 => json!({"op": "put", "key": key, "value": 2}),
            _ => json!({"op": "delete", "key": key}),
        })
        .collect();
    results(&api, "entries-1", &changes).await;
    let body = json!({ "operations": gets(&keys) }).to_string();
    let no_cache = api.request("POST", "/batch").body(body).header("cache-control", "no-cache").pin("entries-2");
    let now = no_cache.send().await.expect(200).json()["results"].take();
    wait_out_the_window().await;
    let later = results(&api, "entries-2", &gets(&keys)).await;
    for (at, result) in now.as_array().unwrap().iter().chain(&later).enumerate() {
        match at % 2 {
            0 => assert_eq!(result["value"], 2, "{result}"),
            _ => assert_eq!(result["status"], 404, "{result}"),
        }
    }
}

/// Reads the keys, and again what was left, until all are read; returns in how many answers.
async fn read_all(api: &Api, container: &str, keys: &[String], bytes: usize) -> usize {
    let (mut left, mut answers) = (keys.to_vec(), 0);
    while !left.is_empty() {
        let answer = batch(api, container, &gets(&left)).await.expect(200);
        assert!(answer.body.len() <= MOST_BYTES);
        let done = answer.json();
        let results = done["results"].as_array().unwrap();
        assert!(!results.is_empty(), "the first always fits");
        for result in results {
            assert_eq!(result["value"].as_str().map(str::len), Some(bytes), "{}", result["key"]);
        }
        let places = done["unprocessed"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap() as usize);
        left = places.map(|at| left[at].clone()).collect();
        assert_eq!(results.len() + left.len(), keys.len().min(results.len() + left.len()));
        answers += 1;
    }
    answers
}

#[tokio::test]
async fn values_that_are_too_many_bytes_for_one_answer_come_in_several() {
    let api = Api::start().await;
    let keys = keys(24);
    // In L3 in chunks, and one alone more than L2 sends unasked.
    let bytes = 1_300_000;
    let value = |at: usize| json!(format!("{at:02}").repeat(bytes / 2)).to_string();
    for (at, key) in keys.iter().enumerate() {
        let body = format!(r#"{{"value":{},"compression_enabled":{}}}"#, value(at), at % 2 == 0);
        api.put(&entry(key), body).pin("entries-1").send().await.expect(201);
    }
    for container in ["entries-1", "entries-2", "entries-2"] {
        let answers = read_all(&api, container, &keys, bytes).await;
        assert!((6..=12).contains(&answers), "{answers} answers of {container}");
    }
    flush(&api).await;
    wait_out_the_window().await;
    read_all(&api, "entries-1", &keys, bytes).await;
}

#[tokio::test]
async fn the_largest_value_fits_beside_whatever_else_is_asked_for() {
    let api = Api::start().await;
    let key = "\"".repeat(512);
    // As large as a PUT may be, with a name that is escaped twice.
    let (mut low, mut high) = (6_000_000_usize, MOST_BYTES);
    let text = |length: usize| format!(r#"{{"value":"{}"}}"#, "x".repeat(length));
    let path = format!("/entries?key={}", "%22".repeat(512));
    while high - low > 1 {
        let middle = low.midpoint(high);
        match api.put(&path, text(middle)).pin("entries-1").send().await.status {
            200 | 201 => low = middle,
            413 => high = middle,
            other => panic!("{other}"),
        }
    }
    api.put(&path, text(low)).pin("entries-1").send().await.expect(200);
    let mut wanted = vec![key];
    wanted.extend((0..99).map(|number| format!("{number:\">512}")));
    let answer = batch(&api, "entries-1", &gets(&wanted)).await.expect(200);
    let done = answer.json();
    assert_eq!(done["results"][0]["value"].as_str().map(str::len), Some(low));
    assert_eq!(done["results"].as_array().unwrap().len() + done["unprocessed"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn what_is_not_allowed_to_one_operation_refuses_all() {
    let api = Api::start().await;
    let both =
        json!({"operations": [{"op": "get", "key": "a"}, {"op": "put", "key": "mine:1", "value": 1}]}).to_string();
    let as_one = |claims: Claims| api.request("POST", "/batch").body(both.clone()).bearer(&api.stack.token(claims));
    for (scope, lacks) in [("cache:read", "cache:write"), ("cache:write", "cache:read"), ("cache:admin", "cache:read")]
    {
        let refused = as_one(Claims::with_scopes(&[scope])).send().await.expect_error(403, "FORBIDDEN");
        assert_eq!(refused.details(), json!({"required_scope": lacks}));
    }
    let refused = as_one(Claims::default().prefixes(&["mine:"])).send().await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.details(), json!({"key": "a"}));
    fresh(&api, "mine:1").await.expect(404);
    let reads = json!({"operations": [{"op": "get", "key": "a"}]}).to_string();
    let reader = api.stack.token(Claims::with_scopes(&["cache:read"]));
    api.request("POST", "/batch").body(reads).bearer(&reader).send().await.expect(200);
}

#[tokio::test]
async fn operations_count_one_by_one_and_are_admitted_together() {
    let api = Api::with(patient().env("RATE_LIMIT_READ", "20").env("RATE_LIMIT_WRITE", "5")).await;
    let mixed = |reads: usize, writes: usize, name: &str| -> Value {
        let gets = (0..reads).map(|at| json!({"op": "get", "key": format!("{name}:{at}")}));
        let puts = (0..writes).map(|at| json!({"op": "put", "key": format!("{name}:put:{at}"), "value": 1}));
        gets.chain(puts).collect()
    };
    let refused = batch(&api, "entries-1", &mixed(0, 6, "a")).await.expect_error(400, "INVALID_REQUEST");
    assert!(refused.details()["errors"][0]["message"].as_str().unwrap().contains("at most 5 of the class write"));
    // That counted as one read.
    let done = batch(&api, "entries-2", &mixed(10, 3, "b")).await.expect(200);
    assert_eq!(done.header("ratelimit-policy"), Some(r#""write";q=5;w=60, "read";q=20;w=60"#));
    let left = done.header("ratelimit").unwrap();
    assert!(left.contains(r#""read";r=9;"#) && left.contains(r#""write";r=2;"#), "{left}");
    let refused = batch(&api, "entries-1", &mixed(4, 3, "c")).await.expect_error(429, "RATE_LIMITED");
    assert_eq!(refused.details()["limit"], "write");
    let done = batch(&api, "entries-1", &mixed(9, 2, "d")).await.expect(200);
    let left = done.header("ratelimit").unwrap();
    assert!(left.contains(r#""read";r=0;"#) && left.contains(r#""write";r=0;"#), "{left}");
    batch(&api, "entries-2", &mixed(1, 0, "e")).await.expect_error(429, "RATE_LIMITED");
    let other = api.stack.token(Claims::default().api_key("other"));
    let body = json!({"operations": mixed(3, 0, "c:put")}).to_string();
    let found = api.request("POST", "/batch").body(body).bearer(&other).send().await.expect(200).json();
    assert!(
        found["results"].as_array().unwrap().iter().all(|found| found["status"] == 404),
        "nothing was put: {found}"
    );
}

#[tokio::test]
async fn a_level_that_is_down_costs_a_batch_what_it_costs_one_operation() {
    let api = Api::start().await;
    let keys = keys(10);
    let puts: Value = keys.iter().map(|key| json!({"op": "put", "key": key, "value": 1})).collect();
    results(&api, "entries-1", &puts).await;
    api.stack.l3().set(L3Fault::Stopped).await;
    let mixed =
        json!([{"op": "get", "key": keys[0]}, {"op": "put", "key": "new", "value": 1}, {"op": "get", "key": "none"}]);
    let done = results(&api, "entries-2", &mixed).await;
    assert_eq!((&done[0]["status"], &done[0]["metadata"]["level"]), (&json!(200), &json!("L2_REDIS")));
    for refused in &done[1..] {
        assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(503), &json!("LEVEL_UNAVAILABLE")));
    }
    api.stack.l3().set(L3Fault::Ok).await;
    api.stack.redis_path("entries-2").cut().await;
    crate::support::eventually("L3 is asked again", async || {
        let found = batch(&api, "entries-2", &gets(&keys)).await.expect(200).json();
        found["results"].as_array().unwrap().iter().all(|found| found["status"] == 200)
    })
    .await;
    let done =
        results(&api, "entries-2", &json!([{"op": "put", "key": keys[0], "value": 2}, {"op": "get", "key": keys[1]}]))
            .await;
    assert_eq!((&done[0]["status"], &done[0]["degraded"]), (&json!(200), &json!(true)));
    assert!(
        done[1]["cache_status"].as_str().unwrap().contains("L2_REDIS; fwd=bypass; detail=unavailable")
            || done[1]["metadata"]["level"] == "L1_MEMORY"
    );
}

#[tokio::test]
async fn without_l3_and_without_l2_batches_work_as_well() {
    for off in ["l2_config", "l3_config"] {
        let api = Api::with(configured(json!({off: {"enabled": false}}))).await;
        let keys = keys(30);
        let puts: Value = keys.iter().map(|key| json!({"op": "put", "key": key, "value": 1})).collect();
        assert!(results(&api, "entries-1", &puts).await.iter().all(|stored| stored["status"] == 201), "{off}");
        let shared = if off == "l2_config" { "L3_DATABASE" } else { "L2_REDIS" };
        for (container, level) in [("entries-2", shared), ("entries-2", "L1_MEMORY")] {
            assert_eq!(levels(&results(&api, container, &gets(&keys)).await), [level; 30], "{off}, {container}");
        }
        let deletes: Value = keys.iter().map(|key| json!({"op": "delete", "key": key})).collect();
        assert!(results(&api, "entries-1", &deletes).await.iter().all(|deleted| deleted["status"] == 200), "{off}");
        wait_out_the_window().await;
        let gone = results(&api, "entries-2", &gets(&keys)).await;
        assert!(gone.iter().all(|gone| gone["status"] == 404), "{off}");
    }
}

/// Each by itself would take a record, a copy and a look.
#[tokio::test]
async fn redis_is_told_of_mutations_that_come_together_at_once() {
    let api = Api::with(patient().parameter("RateLimits", "off")).await;
    let puts = |round: &str| -> Value {
        keys(100).iter().map(|key| json!({"op": "put", "key": format!("{round}:{key}"), "value": 1})).collect()
    };
    results(&api, "entries-1", &puts("first")).await;
    // Longer than DynamoDB takes for all that are under way.
    api.stack.redis_path("entries-1").delay(Duration::from_millis(100)).await;
    let before = scripts_run(&api).await;
    let done = results(&api, "entries-1", &puts("second")).await;
    assert!(done.iter().all(|done| done["status"] == 201 && done["degraded"].is_null()), "{done:?}");
    let run = scripts_run(&api).await - before;
    assert!((200..250).contains(&run), "{run} scripts");
    for key in ["second:k:000", "second:k:099"] {
        assert_eq!(fresh(&api, key).await.expect(200).level(), "L2_REDIS");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_done() {
    let api = Api::start().await;
    for (operations, field) in [
        (json!([]), "operations"),
        (json!([{"op": "put", "key": "a", "value": 1}, {"op": "get", "key": "a"}]), "operations[1].key"),
        (json!([{"op": "put", "key": "a", "value": 1}, {"op": "put", "key": "b"}]), "operations[1].value"),
        (json!([{"op": "put", "key": "a", "value": 1, "ttl": 1}]), "operations[0].ttl"),
    ] {
        let refused = batch(&api, "entries-1", &operations).await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], field);
    }
    let body = json!({"operations": [{"op": "put", "key": "a", "value": 1}]}).to_string();
    for (header, value) in [("If-None-Match", "*"), ("If-Match", "\"a\"")] {
        let refused = api.request("POST", "/batch").header(header, value).body(body.clone()).send().await;
        let error = refused.expect_error(400, "INVALID_REQUEST").details()["errors"][0].take();
        assert_eq!(error["field"], header);
        assert!(error["message"].as_str().unwrap().contains("if_none_match"), "{error}");
    }
    put(&api, "entries-1", "batch", "1").await.expect(201);
    fresh(&api, "a").await.expect(404);
    get(&api, "entries-1", "batch").await.expect(200);
}
