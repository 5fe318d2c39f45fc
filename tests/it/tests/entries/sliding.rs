//! Sliding expiry: an entry expires when nobody has read it for so long, and not before. Time passes by the containers'
//! own clocks, so that no test depends on how fast the machine is.

use crate::{
    support::{get, invalidate, wait_out_the_window},
    tables::{self, text_of},
};
use serde_json::json;
use strata_it::{
    Answer, Api, configured, entry,
    stack::{Claims, L3Fault, Options},
};

const CONTAINERS: [&str; 2] = ["entries-1", "entries-2"];
/// Put with these an entry expires 90 s after it was read last, or 300 s after its PUT.
const IDLE: u64 = 80;
const TTL: u64 = 300;

async fn start() -> Api {
    Api::with(Options::default().clocks(true)).await
}

/// So many seconds after the start.
fn at(api: &Api, seconds: i64) {
    for container in CONTAINERS {
        api.stack.put_clock(container, seconds * 1000).unwrap();
    }
}

async fn put_sliding(api: &Api, key: &str) -> Answer {
    let body = json!({"value": key, "tags": ["t"], "ttl_seconds": TTL, "idle_seconds": IDLE}).to_string();
    api.put(&entry(key), body).pin("entries-1").send().await.expect(201)
}

/// How many records of the key the journal has.
async fn records(api: &Api, key: &str) -> usize {
    let journal = api.get("/journal").send().await.expect(200).json();
    journal["mutations"].as_array().unwrap().iter().filter(|record| record["key"] == key).count()
}

#[tokio::test]
async fn whoever_reads_an_entry_keeps_it_alive_for_all() {
    let api = start().await;
    put_sliding(&api, "read").await;
    put_sliding(&api, "left").await;
    at(&api, 60);
    let found = get(&api, "entries-2", "read").await.expect(200);
    let metadata = &found.json()["metadata"];
    assert_eq!((&metadata["idle_seconds"], &metadata["ttl_seconds"]), (&json!(IDLE), &json!(TTL)));
    at(&api, 139);
    for container in CONTAINERS {
        get(&api, container, "left").await.expect(404);
        assert_eq!(get(&api, container, "read").await.expect(200).value(), "\"read\"", "{container}");
    }
    at(&api, 231);
    for container in CONTAINERS {
        get(&api, container, "read").await.expect(404);
    }
    // And it is as if it were not there; Redis, whose clock stands, still counts it among what was replaced.
    let absent = api.put(&entry("read"), r#"{"value":1}"#).header("if-none-match", "*");
    absent.pin("entries-2").send().await.expect(200);
    at(&api, 400);
    assert_eq!(get(&api, "entries-1", "read").await.expect(200).value(), "1", "a PUT without it takes it away");
}

#[tokio::test]
async fn its_time_to_live_ends_it_however_often_it_is_read() {
    let api = start().await;
    put_sliding(&api, "k").await;
    for seconds in [60, 120, 180, 240, 299] {
        at(&api, seconds);
        get(&api, "entries-2", "k").await.expect(200);
    }
    at(&api, 302);
    for container in CONTAINERS {
        get(&api, container, "k").await.expect(404);
    }
}

#[tokio::test]
async fn only_a_read_near_the_end_is_written_and_its_value_stays() {
    let api = start().await;
    let stored = put_sliding(&api, "k").await;
    for _ in 0..5 {
        get(&api, "entries-2", "k").await.expect(200);
    }
    assert_eq!(records(&api, "k").await, 1);
    at(&api, 60);
    for _ in 0..5 {
        let found = get(&api, "entries-2", "k").await.expect(200);
        assert_eq!((found.value(), found.header("etag")), ("\"k\"", stored.header("etag")));
        assert_eq!(found.json()["metadata"]["created_at"], stored.json()["metadata"]["created_at"]);
    }
    assert_eq!(records(&api, "k").await, 2);
    // The tags stay as well.
    assert_eq!(invalidate(&api, json!({"tags": ["t"]})).await.expect(200).json()["invalidated_count"], 1);
    wait_out_the_window().await;
    get(&api, "entries-2", "k").await.expect(404);
}

#[tokio::test]
async fn heads_are_reads_and_lists_are_not() {
    let api = start().await;
    for key in ["head", "listed", "known"] {
        put_sliding(&api, key).await;
    }
    let etag = get(&api, "entries-1", "known").await.header("etag").unwrap().to_owned();
    at(&api, 60);
    api.request("HEAD", &entry("head")).pin("entries-2").send().await.expect(200);
    api.get(&entry("known")).header("if-none-match", etag).pin("entries-2").send().await.expect(304);
    assert_eq!(api.get("/keys").send().await.expect(200).json()["keys"].as_array().unwrap().len(), 3);
    at(&api, 130);
    for key in ["head", "known"] {
        get(&api, "entries-1", key).await.expect(200);
    }
    get(&api, "entries-1", "listed").await.expect(404);
}

#[tokio::test]
async fn who_reads_an_entry_does_not_take_it_over() {
    let api = start().await;
    put_sliding(&api, "k").await;
    let owner = async || {
        let rows = tables::all(&api, "cache_entries").await;
        let row = rows.iter().find(|row| text_of(row, "pk").starts_with("e#") && text_of(row, "sk") == "k").unwrap();
        (text_of(row, "owner").to_owned(), row["version"].clone())
    };
    let before = owner().await;
    at(&api, 60);
    let another = api.stack.token(Claims::default().api_key("another"));
    api.get(&entry("k")).bearer(&another).pin("entries-2").send().await.expect(200);
    let after = owner().await;
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1, "its end was put off");
}

#[tokio::test]
async fn what_cannot_be_put_off_is_answered_all_the_same() {
    let api = start().await;
    put_sliding(&api, "k").await;
    get(&api, "entries-2", "k").await.expect(200);
    at(&api, 60);
    api.stack.l3().set(L3Fault::Stopped).await;
    for container in CONTAINERS {
        assert_eq!(get(&api, container, "k").await.expect(200).value(), "\"k\"");
    }
    at(&api, 65);
    api.stack.l3().set(L3Fault::Ok).await;
    crate::support::eventually("putting it off", async || {
        get(&api, "entries-2", "k").await.expect(200);
        records(&api, "k").await == 2
    })
    .await;
    at(&api, 130);
    get(&api, "entries-1", "k").await.expect(200);
}

#[tokio::test]
async fn lives_slide_by_redis_alone_and_by_dynamodb_alone() {
    for off in ["l2_config", "l3_config"] {
        let api = Api::with(configured(json!({off: {"enabled": false}})).clocks(true)).await;
        put_sliding(&api, "k").await;
        at(&api, 60);
        get(&api, "entries-2", "k").await.expect(200);
        at(&api, 139);
        for container in CONTAINERS {
            get(&api, container, "k").await.expect(200);
        }
        at(&api, 231);
        get(&api, "entries-1", "k").await.expect(404);
    }
}

#[tokio::test]
async fn a_patch_sets_the_latest_end_anew() {
    let api = start().await;
    put_sliding(&api, "k").await;
    let patch = async |body: serde_json::Value| {
        let patched = api.request("PATCH", &entry("k")).body(body.to_string()).pin("entries-1").send().await;
        patched.expect(200).json()
    };
    let longer = json!({"ttl_seconds": 200, "only": "longer"});
    assert_eq!(patch(longer).await["changed"], false, "it ends after 300 s at the latest");
    let patched = patch(json!({"ttl_seconds": 120})).await;
    assert_eq!((&patched["changed"], &patched["metadata"]["idle_seconds"]), (&json!(true), &json!(IDLE)));
    for seconds in [60, 119] {
        at(&api, seconds);
        get(&api, "entries-2", "k").await.expect(200);
    }
    at(&api, 122);
    get(&api, "entries-2", "k").await.expect(404);
}
