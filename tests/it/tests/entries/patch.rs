//! PATCH: another life and other tags for a value that is not sent again.

use crate::support::{flush, fresh, get, invalidate, put, put_tagged, wait_out_the_window};
use serde_json::{Value, json};
use std::time::Duration;
use strata_it::{Answer, Api, configured, entry, entry_by_query, stack::Claims, stack::L3Fault};

async fn patch(api: &Api, key: &str, body: Value) -> Answer {
    api.request("PATCH", &entry(key)).pin("entries-1").body(body.to_string()).send().await
}

/// The seconds between two times of an answer.
fn life(metadata: &Value) -> i64 {
    let at = |field: &str| seconds(metadata[field].as_str().unwrap());
    at("expires_at") - at("created_at")
}

/// Seconds since the year 0 of a time such as `2024-01-15T10:30:00Z`, in years that begin with March.
fn seconds(time: &str) -> i64 {
    let number = |from: usize, to: usize| time[from..to].parse::<i64>().unwrap();
    let (year, month) =
        if number(5, 7) > 2 { (number(0, 4), number(5, 7)) } else { (number(0, 4) - 1, number(5, 7) + 12) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month - 457) / 5 + number(8, 10);
    ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19)
}

#[test]
fn a_month_ends() {
    for (before, after) in [("2026-11-30", "2026-12-01"), ("2028-02-29", "2028-03-01"), ("2026-12-31", "2027-01-01")] {
        let [before, after] = [before, after].map(|day| seconds(&format!("{day}T00:00:00Z")));
        assert_eq!(after - before, 24 * 3600);
    }
}

#[tokio::test]
async fn a_life_counts_from_now_and_everything_else_stays() {
    let api = Api::start().await;
    let text = r#"{"b":1.0e+2, "a":"\u0041"}"#;
    let stored = put(&api, "entries-2", "k", text).await.expect(201);
    let created = stored.json()["metadata"]["created_at"].clone();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let patched = patch(&api, "k", json!({"ttl_seconds": 7200})).await.expect(200);
    assert_eq!(patched.header("etag"), stored.header("etag"));
    let body = patched.json();
    assert_eq!((&body["success"], &body["changed"], &body["key"]), (&json!(true), &json!(true), &json!("k")));
    let metadata = &body["metadata"];
    assert_eq!((&metadata["ttl_seconds"], &metadata["created_at"]), (&json!(7200), &created));
    assert_eq!(metadata["levels_stored"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    assert!(life(metadata) > 7200, "from now, not from its creation: {metadata}");
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        let found = get(&api, container, "k").await.expect(200);
        assert_eq!((found.value(), found.header("etag")), (text, stored.header("etag")));
        assert_eq!(found.json()["metadata"]["expires_at"], metadata["expires_at"], "{container}");
        assert_eq!(found.json()["metadata"]["created_at"], created, "{container}");
    }
    // A short life ends it everywhere.
    patch(&api, "k", json!({"ttl_seconds": 1})).await.expect(200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    for container in ["entries-1", "entries-2"] {
        get(&api, container, "k").await.expect(404);
    }
    patch(&api, "k", json!({"ttl_seconds": 60})).await.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

#[tokio::test]
async fn only_one_way_where_that_is_asked() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for (body, changed, ttl) in [
        (json!({"ttl_seconds": 60, "only": "longer"}), false, 3600),
        (json!({"ttl_seconds": 7200, "only": "shorter"}), false, 3600),
        (json!({"ttl_seconds": 7200, "only": "longer"}), true, 7200),
        (json!({"ttl_seconds": 60, "only": "shorter"}), true, 60),
        (json!({"add_tags": [], "remove_tags": ["none"]}), false, 60),
    ] {
        let answer = patch(&api, "k", body.clone()).await.expect(200).json();
        assert_eq!((&answer["changed"], &answer["metadata"]["ttl_seconds"]), (&json!(changed), &json!(ttl)), "{body}");
        assert_eq!(answer["metadata"]["levels_stored"].is_null(), !changed, "{body}");
        assert_eq!(get(&api, "entries-1", "k").await.json()["metadata"]["ttl_seconds"], ttl, "{body}");
    }
}

#[tokio::test]
async fn an_invalidation_by_tag_means_the_tags_of_now() {
    let api = Api::start().await;
    for key in ["a", "b", "c"] {
        put_tagged(&api, key, &["red", "all"]).await;
    }
    let answer = patch(&api, "a", json!({"add_tags": ["blue"], "remove_tags": ["red"]})).await.expect(200);
    assert_eq!(answer.json()["metadata"]["tags"], json!(["all", "blue"]));
    patch(&api, "b", json!({"add_tags": ["blue"]})).await.expect(200);
    assert_eq!(invalidate(&api, json!({"tags": ["red"], "dry_run": true})).await.json()["invalidated_count"], 2);
    assert_eq!(invalidate(&api, json!({"tags": ["red"]})).await.expect(200).json()["invalidated_count"], 2);
    fresh(&api, "a").await.expect(200);
    fresh(&api, "b").await.expect(404);
    assert_eq!(invalidate(&api, json!({"tags": ["blue"]})).await.expect(200).json()["invalidated_count"], 1);
    fresh(&api, "a").await.expect(404);
    fresh(&api, "c").await.expect(404);
}

#[tokio::test]
async fn a_value_of_several_items_stays_byte_for_byte() {
    let api = Api::start().await;
    let mut rng = fastrand::Rng::with_seed(7);
    let noise: String = (0..900_000).map(|_| rng.alphanumeric()).collect();
    let text = format!("{{\"n\": \"{noise}\"}}");
    let stored = put(&api, "entries-1", "k", &text).await.expect(201);
    for ttl in [7200, 1800] {
        let patched = patch(&api, "k", json!({"ttl_seconds": ttl, "add_tags": [ttl.to_string()]})).await.expect(200);
        assert_eq!(patched.header("etag"), stored.header("etag"));
        flush(&api).await;
        let found = fresh(&api, "k").await.expect(200);
        assert_eq!((found.level().as_str(), found.value() == text), ("L3_DATABASE", true));
        assert_eq!(found.json()["metadata"]["ttl_seconds"], ttl);
    }
    assert_eq!(invalidate(&api, json!({"tags": ["7200"]})).await.json()["invalidated_count"], 1);
    fresh(&api, "k").await.expect(404);
}

#[tokio::test]
async fn it_can_insist_on_what_it_changes() {
    let api = Api::start().await;
    let longer = || json!({"ttl_seconds": 7200}).to_string();
    let request = || api.request("PATCH", &entry("k")).body(longer());
    request().header("if-match", "*").send().await.expect_error(412, "PRECONDITION_FAILED");
    request().send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
    let tag = put(&api, "entries-1", "k", "1").await.expect(201).header("etag").unwrap().to_owned();
    request().header("if-match", "\"other\"").send().await.expect_error(412, "PRECONDITION_FAILED");
    request().header("if-none-match", "*").send().await.expect_error(412, "PRECONDITION_FAILED");
    request().header("if-match", &*tag).send().await.expect(200);
    request().header("if-match", &*tag).send().await.expect(200);
    api.request("PATCH", &entry_by_query("k")).body(longer()).send().await.expect(200);
}

#[tokio::test]
async fn what_it_may_not_do_is_refused_by_name() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["a"]).await;
    for (body, field) in [
        ("{}", "body"),
        ("", "body"),
        (r#"{"value":1}"#, "value"),
        (r#"{"only":"longer"}"#, "only"),
        (r#"{"ttl_seconds":0}"#, "ttl_seconds"),
        (r#"{"add_tags":[""]}"#, "add_tags"),
    ] {
        let answer = api.request("PATCH", &entry("k")).body(body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(answer.details()["errors"][0]["field"], field, "{body}");
    }
    let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let answer = patch(&api, "k", json!({"add_tags": many})).await.expect_error(422, "VALIDATION_FAILED");
    assert_eq!(answer.details()["errors"][0]["field"], "add_tags");
    patch(&api, "k", json!({"add_tags": many, "remove_tags": ["a"]})).await.expect(200);
    let refused = [Claims::with_scopes(&["cache:read"]), Claims::default().prefixes(&["other:"])];
    for claims in refused {
        let token = api.stack.token(claims);
        let request = api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":60}"#).bearer(&token);
        request.send().await.expect_error(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn it_goes_where_the_value_is() {
    let api = Api::start().await;
    for levels in [&["L3_DATABASE"][..], &["L1_MEMORY", "L2_REDIS"]] {
        let body = json!({"value": 1, "cache_levels": levels}).to_string();
        api.put(&entry("k"), body).pin("entries-1").send().await;
        let patched = patch(&api, "k", json!({"ttl_seconds": 7200})).await.expect(200);
        assert_eq!(patched.json()["metadata"]["levels_stored"], json!(levels));
        assert_eq!(fresh(&api, "k").await.expect(200).json()["metadata"]["ttl_seconds"], 7200);
    }
}

#[tokio::test]
async fn without_redis_it_is_done_in_l3_and_told_later() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("entries-1").cut().await;
    let patched = patch(&api, "k", json!({"ttl_seconds": 7200})).await.expect(200).json();
    assert_eq!((&patched["degraded"], &patched["metadata"]["levels_stored"]), (&json!(true), &json!(["L3_DATABASE"])));
    api.stack.redis_path("entries-1").restore().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    for container in ["entries-1", "entries-2"] {
        let found = get(&api, container, "k").await.expect(200);
        assert_eq!((found.value(), &found.json()["metadata"]["ttl_seconds"]), ("1", &json!(7200)), "{container}");
    }
}

/// With L3 switched off Redis decides.
#[tokio::test]
async fn with_two_levels_it_is_the_same() {
    let api = Api::with(configured(json!({"l3_config": {"enabled": false}}))).await;
    put_tagged(&api, "k", &["red"]).await;
    let patched = patch(&api, "k", json!({"ttl_seconds": 7200, "remove_tags": ["red"]})).await.expect(200);
    assert_eq!(patched.json()["metadata"]["levels_stored"], json!(["L1_MEMORY", "L2_REDIS"]));
    invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    assert_eq!(fresh(&api, "k").await.expect(200).json()["metadata"]["ttl_seconds"], 7200);
    api.delete(&entry("k")).send().await.expect(200);
    patch(&api, "k", json!({"ttl_seconds": 60})).await.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

/// When the read of a PATCH takes effect, and its write after that, while L3 is slow.
const SLOW: Duration = Duration::from_millis(800);
/// By then it has read, and its write is on the way.
const BETWEEN: Duration = Duration::from_millis(1100);

/// A PATCH of `k` between whose read and write `end` is acknowledged; its status, and what is there then.
async fn overtaken_by(end: impl AsyncFnOnce(&Api) -> Answer) -> (u16, Option<String>) {
    let api = Api::start().await;
    put_tagged(&api, "k", &["red"]).await;
    api.stack.l3().set(L3Fault::Slow { ms: SLOW.as_millis().try_into().unwrap() }).await;
    let ending = async {
        tokio::time::sleep(BETWEEN).await;
        api.stack.l3().set(L3Fault::Ok).await;
        end(&api).await.expect(200);
    };
    let (patched, ()) = tokio::join!(patch(&api, "k", json!({"ttl_seconds": 7200, "add_tags": ["blue"]})), ending);
    wait_out_the_window().await;
    let found = fresh(&api, "k").await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get(&api, container, "k").await.status, found.status);
    }
    flush(&api).await;
    assert_eq!(fresh(&api, "k").await.status, found.status, "nor is there anything in L3");
    (patched.status, (found.status == 200).then(|| found.value().to_owned()))
}

#[tokio::test]
async fn overtaken_by_a_put_it_is_of_the_newer_value() {
    let put = async |api: &Api| put(api, "entries-2", "k", "\"new\"").await;
    assert_eq!(overtaken_by(put).await, (200, Some("\"new\"".to_owned())));
}

#[tokio::test]
async fn overtaken_by_an_end_it_brings_nothing_back() {
    let delete = async |api: &Api| api.delete(&entry("k")).pin("entries-2").send().await;
    assert_eq!(overtaken_by(delete).await, (404, None));
    let pattern = async |api: &Api| invalidate(api, json!({"pattern": "k*"})).await;
    assert_eq!(overtaken_by(pattern).await, (404, None));
    let tag = async |api: &Api| invalidate(api, json!({"tags": ["red"]})).await;
    assert_eq!(overtaken_by(tag).await, (404, None));
}

/// What an invalidation has found, a PATCH replaces before it is removed; and its container learns nothing of that.
async fn found_and_replaced(meant: Value) {
    let api = Api::start().await;
    put_tagged(&api, "k", &["red"]).await;
    get(&api, "entries-1", "k").await.expect(200);
    wait_out_the_window().await;
    let path = api.stack.redis_path("entries-1");
    api.stack.l3().set(L3Fault::Slow { ms: SLOW.as_millis().try_into().unwrap() }).await;
    // It asks whether L3 is there, records, finds, and removes; each but the second takes its time.
    let invalidating = invalidate(&api, meant.clone());
    let patching = async {
        tokio::time::sleep(SLOW / 3).await;
        patch(&api, "k", json!({"ttl_seconds": 7200, "add_tags": ["blue"]})).await
    };
    let cutting = async {
        tokio::time::sleep(SLOW * 2 / 3).await;
        path.cut().await;
    };
    let (invalidated, patched, ()) = tokio::join!(invalidating, patching, cutting);
    invalidated.expect(200);
    assert!([200, 404, 503].contains(&patched.status), "{patched:?}");
    api.stack.l3().set(L3Fault::Ok).await;
    flush(&api).await;
    fresh(&api, "k").await.expect(404);
}

#[tokio::test]
async fn what_it_wrote_goes_with_what_an_invalidation_has_found() {
    found_and_replaced(json!({"tags": ["red"]})).await;
    found_and_replaced(json!({"pattern": "k*", "except_tags": ["green"]})).await;
    found_and_replaced(json!({"pattern": "k*"})).await;
}
