//! Races that a schedule of their own brings about: what is on its way while something makes an end of it.

use crate::support::{command, get, put, wait_out_the_window};
use serde_json::json;
use std::time::Duration;
use strata_it::{Answer, Api, configured, entry, stack::L3Fault};

/// How slow L3 is for the read whose promotion is held, and when the way to Redis is closed behind that read.
const SLOW: Duration = Duration::from_millis(600);
const CLOSED_AFTER: Duration = Duration::from_millis(300);
/// By then the read has what L3 said.
const READ_BY: Duration = Duration::from_millis(1500);

/// Reads `k` in a container whose promotion into L2 is held until `end` is acknowledged, and then what is left of it.
async fn promotion_overtaken_by(end: impl AsyncFnOnce(&Api) -> Answer) {
    let api = Api::with(configured(json!({"l2_config": {"timeout_ms": 8_000}}))).await;
    api.put(&entry("k"), r#"{"value":"old","tags":["red"]}"#).pin("entries-2").send().await.expect(201);
    invalidate(&api, r#"{"pattern":"k","levels":["L1_MEMORY","L2_REDIS"]}"#).await;
    let path = api.stack.redis_path("entries-1");
    api.stack.l3().set(L3Fault::Slow { ms: SLOW.as_millis().try_into().unwrap() }).await;
    let overtaking = async {
        tokio::time::sleep(CLOSED_AFTER).await;
        path.stall().await;
        tokio::time::sleep(READ_BY - CLOSED_AFTER).await;
        api.stack.l3().set(L3Fault::Ok).await;
        end(&api).await.expect(200);
        path.restore().await;
    };
    let (read, ()) = tokio::join!(get(&api, "entries-1", "k"), overtaking);
    assert_eq!((read.value(), read.level().as_str()), ("\"old\"", "L3_DATABASE"), "read before the end: {read:?}");
    let copies: Vec<String> = command(&api, &["KEYS", "*k:k"]).await;
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        get(&api, container, "k").await.expect(404);
        api.get(&entry("k")).pin(container).header("cache-control", "no-cache").send().await.expect(404);
    }
    assert!(copies.is_empty(), "the late promotion was undone before anybody read: {copies:?}");
}

async fn invalidate(api: &Api, body: &'static str) -> Answer {
    api.request("POST", "/invalidate").body(body).send().await
}

#[tokio::test]
async fn a_promotion_overtaken_by_a_delete_brings_nothing_back() {
    promotion_overtaken_by(async |api| api.delete(&entry("k")).pin("entries-2").send().await).await;
}

#[tokio::test]
async fn a_promotion_overtaken_by_a_pattern_brings_nothing_back() {
    promotion_overtaken_by(async |api| invalidate(api, r#"{"pattern":"k*"}"#).await).await;
}

#[tokio::test]
async fn a_promotion_overtaken_by_a_tag_brings_nothing_back() {
    promotion_overtaken_by(async |api| invalidate(api, r#"{"tags":["red"]}"#).await).await;
}

#[tokio::test]
async fn a_container_frozen_for_longer_than_the_journal_reaches_returns_nothing_old() {
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    // With nothing left a new epoch begins, and L1 is emptied; with the newest records left, only the gap before them tells,
    // and the index what lies in it.
    for (left, untouched) in [("0", "fwd=uri-miss"), ("3", "hit")] {
        let api = Api::start().await;
        for key in &keys {
            put(&api, "entries-1", key, "\"old\"").await.expect(201);
            get(&api, "entries-2", key).await.expect(200);
        }
        assert_eq!(get(&api, "entries-2", "k0").await.level(), "L1_MEMORY");
        put(&api, "entries-1", "k0", "\"new\"").await.expect(200);
        for number in 0..5 {
            put(&api, "entries-1", &format!("other{number}"), "1").await.expect(201);
        }
        let trimmed: u64 = command(&api, &["XTRIM", "strata:cache:{j}journal", "MAXLEN", left]).await;
        assert!(trimmed > 20, "{trimmed}");
        put(&api, "entries-1", "last", "1").await.expect(201);
        wait_out_the_window().await;
        for key in &keys {
            let found = get(&api, "entries-2", key).await;
            // The first read finds a copy, and that it is old.
            let (value, said) = if key == "k0" { ("\"new\"", "fwd=stale") } else { ("\"old\"", untouched) };
            assert_eq!(found.value(), value, "{key}, {left} records left");
            assert!(found.cache_status("L1_MEMORY").starts_with(said), "{key}, {left} records left");
        }
    }
}
