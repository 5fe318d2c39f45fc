//! A level that is down is a level skipped: what goes on, what is refused, what it costs, and what is said of it.

use crate::{
    support::{command, copy_name, eventually, fresh, get, invalidate, put, put_tagged, wait_out_the_window},
    tables,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use strata_it::{Api, Request, configured, entry, stack::L3Fault};

#[tokio::test]
async fn without_redis_l3_answers_and_mutations_say_so() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.redis_path("all").cut().await;
    wait_out_the_window().await;
    let found = get(&api, "entries-2", "k").await.expect(200);
    assert_eq!(found.level(), "L3_DATABASE");
    assert_eq!(found.cache_status("L2_REDIS"), "fwd=bypass; detail=unavailable");
    let told = put(&api, "entries-2", "k", "2").await.expect(200);
    assert_eq!(told.json()["metadata"]["levels_stored"], serde_json::json!(["L3_DATABASE"]));
    assert_eq!(told.json()["degraded"], true);
    assert_eq!(get(&api, "entries-2", "k").await.value(), "2");
    let deleted = api.delete(&entry("k")).pin("entries-2").send().await.expect(200);
    assert_eq!(deleted.json()["degraded"], true);
    get(&api, "entries-2", "k").await.expect(404);
    let refused = api.put(&entry("k"), r#"{"value":1,"cache_levels":["L2_REDIS"]}"#).pin("entries-1").send().await;
    refused.expect_error(503, "LEVEL_UNAVAILABLE");
}

#[tokio::test]
async fn without_redis_l3_says_what_an_invalidation_means() {
    let api = Api::start().await;
    for key in ["p:gone", "p:held", "other"] {
        put_tagged(&api, key, &["t"]).await;
    }
    let elsewhere = r#"{"value":1,"tags":["t"],"cache_levels":["L2_REDIS"]}"#;
    api.put(&entry("p:elsewhere"), elsewhere).pin("entries-1").send().await.expect(201);
    api.stack.redis_path("all").cut().await;
    wait_out_the_window().await;
    api.delete(&entry("p:gone")).pin("entries-1").send().await.expect(200);
    let counted = async |mut body: Value| {
        body["dry_run"] = json!(true);
        let told = invalidate(&api, body).await.expect(200).json();
        assert_eq!(told["degraded"], true, "{told}");
        (told["sample_keys"].clone(), told["levels_affected"].clone())
    };
    let all = json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]);
    assert_eq!(counted(json!({"pattern": "p:*"})).await, (json!(["p:elsewhere", "p:held"]), all.clone()));
    assert_eq!(counted(json!({"tags": ["t"]})).await, (json!(["other", "p:elsewhere", "p:held"]), all));
    let in_l3 = json!({"pattern": "*", "levels": ["L3_DATABASE"]});
    assert_eq!(counted(in_l3).await, (json!(["other", "p:held"]), json!(["L3_DATABASE"])));

    // What Redis has of it nobody else knows.
    let in_l2 = json!({"pattern": "p:*", "levels": ["L2_REDIS"], "dry_run": true});
    invalidate(&api, in_l2).await.expect_error(503, "LEVEL_UNAVAILABLE");
    let refused = invalidate(&api, json!({"pattern": "p:*", "max_affected": 1})).await;
    refused.expect_error(409, "TOO_MANY_MATCHES");
    get(&api, "entries-2", "p:held").await.expect(200);
    let done = invalidate(&api, json!({"pattern": "p:*", "max_affected": 2})).await.expect(200).json();
    assert_eq!(done["degraded"], true, "{done}");
    wait_out_the_window().await;
    get(&api, "entries-2", "p:held").await.expect(404);
    assert_eq!(counted(json!({"pattern": "p:*"})).await.0, json!([]));

    api.stack.l3().set(L3Fault::Stopped).await;
    let unknown = invalidate(&api, json!({"pattern": "p:*", "dry_run": true})).await;
    unknown.expect_error(503, "LEVEL_UNAVAILABLE");
}

#[tokio::test]
async fn a_stalled_redis_costs_its_timeout_once_and_not_on_every_request() {
    let api = Api::with(configured(json!({"l2_config": {"timeout_ms": 500}}))).await;
    for i in 0..20 {
        put(&api, "entries-1", &format!("k{i}"), "1").await.expect(201);
    }
    api.stack.redis_path("all").stall().await;
    wait_out_the_window().await;
    let began = Instant::now();
    for i in 0..20 {
        get(&api, "entries-1", &format!("k{i}")).await.expect(200);
    }
    // Twenty timeouts would be 10 s.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn redis_back_with_its_old_data_returns_nothing_older_than_the_outage() {
    let api = Api::start().await;
    for key in ["put", "deleted", "untouched"] {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
        get(&api, "entries-2", key).await.expect(200);
    }
    // One container is cut off, the other never notices.
    api.stack.redis_path("entries-1").cut().await;
    put(&api, "entries-1", "put", "\"new\"").await.expect(200);
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    api.stack.redis_path("entries-1").restore().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    for container in ["entries-2", "entries-1"] {
        assert_eq!(get(&api, container, "put").await.value(), "\"new\"");
        get(&api, container, "deleted").await.expect(404);
        assert_eq!(get(&api, container, "untouched").await.value(), "\"old\"");
    }
    let copy: bool = command(&api, &["EXISTS", &copy_name("deleted")]).await;
    assert!(!copy, "the note's replay removes the copy as well");
}

#[tokio::test]
async fn the_container_that_was_cut_off_sees_its_own_mutation_when_redis_is_back() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    // Somebody has just looked for notes, so that nobody else would for a while.
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis_path("entries-1").cut().await;
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    api.stack.redis_path("entries-1").restore().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(&api, "entries-1", "k").await.value(), "\"new\"");
}

#[tokio::test]
async fn without_l3_copies_are_read_and_mutations_are_refused() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.l3().set(L3Fault::Stopped).await;
    assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L2_REDIS");
    let refused = put(&api, "entries-1", "k", "2").await.expect_error(503, "LEVEL_UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    api.delete(&entry("k")).pin("entries-2").send().await.expect_error(503, "LEVEL_UNAVAILABLE");
    get(&api, "entries-1", "not-there").await.expect_error(503, "LEVEL_UNAVAILABLE");
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get(&api, container, "k").await.expect(200).value(), "1", "what was refused takes nothing away");
    }
    api.stack.l3().set(L3Fault::Ok).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    put(&api, "entries-1", "k", "3").await.expect(200);
    assert_eq!(get(&api, "entries-1", "k").await.value(), "3");
}

#[tokio::test]
async fn l2_alone_keeps_entries_coherent() {
    let api = Api::with(configured(json!({"l3_config": {"enabled": false}}))).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    assert_eq!(get(&api, "entries-2", "k").await.value(), "1");
    let told = put(&api, "entries-2", "k", "2").await.expect(200);
    assert_eq!(told.json()["metadata"]["levels_stored"], serde_json::json!(["L1_MEMORY", "L2_REDIS"]));
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-1", "k").await.value(), "2");
    let refused = api.put(&entry("k"), r#"{"value":1,"cache_levels":["L3_DATABASE"]}"#).send().await;
    refused.expect_error(400, "INVALID_REQUEST");
    api.delete(&entry("k")).pin("entries-1").send().await.expect(200);
    wait_out_the_window().await;
    get(&api, "entries-2", "k").await.expect(404);
    api.stack.redis_path("all").cut().await;
    put(&api, "entries-1", "k", "3").await.expect_error(503, "LEVEL_UNAVAILABLE");
}

#[tokio::test]
async fn a_connection_may_take_longer_than_a_request_waits() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let path = api.stack.redis_path("entries-1");
    path.connect_slowly(3_000).await;
    path.reset().await;
    assert_eq!(put(&api, "entries-1", "k", "2").await.expect(200).json()["degraded"], true);
    eventually("Redis is told over a connection that took its time", async || {
        put(&api, "entries-1", "k", "3").await.expect(200).json().get("degraded").is_none()
    })
    .await;
}

#[tokio::test]
async fn l3_alone_keeps_entries_coherent() {
    let api = Api::with(configured(json!({"l2_config": {"enabled": false}}))).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L3_DATABASE");
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY");
    put(&api, "entries-1", "k", "2").await.expect(200);
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.value(), "2");
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY", "confirmed by its version alone");
}

#[tokio::test]
async fn an_invalidation_removes_what_was_put_without_redis() {
    let api = Api::with(configured(json!({"l2_config": {"timeout_ms": 10_000}}))).await;
    invalidate(&api, json!({"tags": ["started"]})).await.expect(200);
    let cut_off = api.stack.redis_path("entries-2");
    // When this container hears of Redis time, its request for it is old.
    cut_off.delay(Duration::from_millis(1500)).await;
    put(&api, "entries-2", "other", "1").await.expect(201);
    // Nobody looks for notes then: the journal says nothing of what follows.
    put(&api, "entries-1", "another", "1").await.expect(201);
    cut_off.cut().await;
    let told = tagged(&api, "k", "red").pin("entries-2").send().await.expect(201);
    assert_eq!(told.json()["degraded"], true);
    invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    cut_off.restore().await;
    fresh(&api, "k").await.expect(404);
}

#[tokio::test]
async fn the_note_of_an_invalidation_tells_nobody_of_a_time_to_come() {
    let api = Api::with(configured(json!({"l2_config": {"timeout_ms": 10_000}}))).await;
    let by_tag = || api.request("POST", "/invalidate").body(r#"{"tags":["red"]}"#).pin("invalidate-1").send();
    let path = api.stack.redis_path("invalidate-1");
    path.delay(Duration::from_millis(1500)).await;
    by_tag().await.expect(200);
    path.cut().await;
    assert_eq!(by_tag().await.expect(200).json()["degraded"], true);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let notes = tables::notes(&api).await;
    assert_eq!(notes.len(), 2, "before and after it removed: {notes:?}");
    for note in notes {
        let body: Value = serde_json::from_str(tables::text_of(&note, "body")).unwrap();
        assert!(u128::from(body["version"].as_u64().unwrap() >> 12) < now.as_micros(), "{body}");
    }
}

#[tokio::test]
async fn an_invalidation_removes_what_was_put_when_the_clock_was_ahead() {
    let api = Api::start().await;
    put_ahead(&api, "k").await;
    invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    fresh(&api, "k").await.expect(404);
    // And what is put then is newer than the invalidation.
    put_tagged(&api, "k", &["red"]).await;
    fresh(&api, "k").await.expect(200);
}

#[tokio::test]
async fn an_invalidation_removes_what_was_put_ahead_of_time_and_the_journal_has_forgotten() {
    let api = Api::start().await;
    put_ahead(&api, "k").await;
    invalidate(&api, json!({"tags": ["other"]})).await.expect(200);
    let trimmed: u64 = command(&api, &["XTRIM", "strata:cache:{j}journal", "MAXLEN", "1"]).await;
    assert!(trimmed > 2, "the records of the key");
    // A new container knows what it can read only.
    for container in ["invalidate-1", "invalidate-2"] {
        api.stack.kill(container).await;
    }
    invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    fresh(&api, "k").await.expect(404);
}

/// Puts a value over one that was written an hour ahead of time.
async fn put_ahead(api: &Api, key: &str) {
    put_tagged(api, key, &["red"]).await;
    tables::delay_version(api, key, Duration::from_secs(3600)).await;
    let told = tagged(api, key, "red").pin("entries-1").send().await.expect(200);
    assert_ne!(told.json()["degraded"], true, "it is in the journal");
}

fn tagged(api: &Api, key: &str, tag: &str) -> Request {
    api.put(&entry(key), json!({"value": key, "tags": [tag]}).to_string())
}
