//! Maintenance: what dead containers left, and what expired.

use crate::support::{
    command, copies_and_indexes, eventually, fresh, put, put_tagged, rows_of, shard, wait_out_the_window,
};
use serde_json::{Value, json};
use strata_it::{
    Api, entry,
    stack::{Options, Stack},
};

const OPEN: &str = "strata:cache:{j}open";

/// Writes an invalidation as one that a container left open a while ago.
async fn leave_open(api: &Api, mut left: Value) {
    let now: (u64, u64) = command(api, &["TIME"]).await;
    left["version"] = json!((now.0 * 1_000_000 + now.1) << 12);
    let left = left.to_string();
    let record = ["XADD", "strata:cache:{j}journal", "*", "kind", "invalidate", "body", &left];
    command::<String>(api, &record).await;
    command::<i64>(api, &["HSET", OPEN, "1000-0", &left]).await;
}

#[tokio::test]
async fn what_a_dead_container_left_is_hidden_at_once_and_removed_by_maintenance() {
    let api = Api::start().await;
    put(&api, "entries-1", "k:1", "1").await.expect(201);
    put(&api, "entries-1", "x", "1").await.expect(201);
    leave_open(&api, json!({"levels": 7, "pattern": "k:*"})).await;
    flush_copies(&api).await;
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        api.get(&entry("k:1")).pin(container).header("cache-control", "no-cache").send().await;
    }
    fresh(&api, "k:1").await.expect(404);
    fresh(&api, "x").await.expect(200);
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["invalidations_adopted"], 1, "{done:?}");
    eventually("closing it", async || command::<i64>(&api, &["HLEN", OPEN]).await == 0).await;
    fresh(&api, "k:1").await.expect(404);
    put(&api, "entries-1", "k:1", "2").await.expect(201);
    assert_eq!(fresh(&api, "k:1").await.value(), "2");
}

/// Takes every copy out of L2, and leaves the journal.
async fn flush_copies(api: &Api) {
    let names: Vec<String> = command(api, &["KEYS", "strata:cache:{e*"]).await;
    let words: Vec<&str> = ["DEL"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let _: i64 = command(api, &words).await;
}

#[tokio::test]
async fn what_a_later_release_left_open_is_not_passed_over() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    fresh(&api, "k").await.expect(200);
    leave_open(&api, json!({"levels": 7, "pattern_of_a_new_kind": "k"})).await;
    fresh(&api, "k").await.expect_error(503, "LEVEL_UNAVAILABLE");
    command::<i64>(&api, &["DEL", OPEN]).await;
    fresh(&api, "k").await.expect(200);
}

#[tokio::test]
async fn indexes_forget_what_has_expired() {
    let api = Api::start().await;
    for i in 0..40 {
        let body = json!({"value": i, "ttl_seconds": 1, "tags": ["gone", format!("of {i}")]}).to_string();
        api.put(&entry(&format!("expired:{i}")), body).pin("entries-1").send().await.expect(201);
    }
    put_tagged(&api, "kept", &["stays"]).await;
    eventually("expiry", async || copies(&api).await == 1).await;
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["sweep_finished"], true, "{done:?}");
    let shard = shard("kept");
    let rows = format!("r:{}", &rows_of("stays")[..2]);
    let expected = ["c:kept", "index", &rows, "t:"].map(|name| format!("strata:cache:{{e{shard}}}{name}"));
    assert_eq!(copies_and_indexes(&api).await, expected);
    let again = api.stack.tick().await.unwrap();
    assert_eq!(again[0]["sweep_finished"], true, "much was gone: the next sweep follows at once");
    let at_last = api.stack.tick().await.unwrap();
    assert_eq!(at_last[0]["sweep_finished"], false, "the next one is due in half an hour");
}

#[tokio::test]
async fn what_has_expired_in_l3_is_counted_no_more_after_a_census() {
    let api = Api::start().await;
    let is_counted = ["HEXISTS", "strata:cache:{j}stats", "census"];
    eventually("a first count", async || {
        l3(&api).await;
        command::<bool>(&api, &is_counted).await
    })
    .await;
    for i in 0..3 {
        let body = json!({"value": i, "ttl_seconds": 1}).to_string();
        api.put(&entry(&format!("expired:{i}")), body).pin("entries-1").send().await.expect(201);
    }
    put(&api, "entries-1", "kept", "1").await.expect(201);
    eventually("telling of the writes", async || {
        wait_out_the_window().await;
        api.delete(&entry("nothing")).pin("entries-1").send().await.expect(404);
        l3(&api).await.0 == 4
    })
    .await;
    wait_out_the_window().await;
    assert_eq!(l3(&api).await.0, 4, "nobody has told of the expiry");
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["census_finished"], true, "{done:?}");
    let told = l3(&api).await;
    assert_eq!(told.0, 1);
    command::<i64>(&api, &["HDEL", is_counted[1], is_counted[2]]).await;
    assert_eq!(l3(&api).await, told, "what a status counts itself");
    let again = api.stack.tick().await.unwrap();
    assert_eq!(again[0]["census_finished"], false, "the next census is not due yet");
    command::<i64>(&api, &["HDEL", is_counted[1], is_counted[2]]).await;
    let lost = api.stack.tick().await.unwrap();
    assert_eq!(lost[0]["census_finished"], true, "nothing is known, so it is due at once: {lost:?}");
    assert_eq!(l3(&api).await, told);
}

/// What the status says of L3: values, and their bytes.
async fn l3(api: &Api) -> (u64, u64) {
    let status = api.get("/status").send().await.expect(200).json();
    let said = &status["levels"][2];
    (said["entries"].as_u64().unwrap(), said["size"].as_u64().unwrap())
}

async fn copies(api: &Api) -> usize {
    command::<Vec<String>>(api, &["KEYS", "strata:cache:{e?}c:*"]).await.len()
}

#[tokio::test]
async fn an_event_of_no_known_kind_is_refused_by_name() {
    let stack = Stack::start(Options::default().functions(["warmer"]).containers(1)).await.unwrap();
    let without_keys = json!({"Records": [{"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "1"}}]});
    for event in [json!({}), json!({"httpMethod": "GET", "resource": "/cache/status"}), without_keys] {
        let refused = stack.invoke("warmer", event, None).await.unwrap_err().to_string();
        assert!(refused.starts_with("UnreadableEvent: ") && refused.contains("DynamoDB stream"), "{refused}");
    }
}
