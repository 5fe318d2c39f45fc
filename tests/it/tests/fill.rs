//! Filling what is missing: one loads, and nothing that was loaded before a mutation is stored after it.

mod headers;
mod stampede;

use crate::support::{command, copy_name, eventually, fresh, get, invalidate, put, wait_out_the_window};
use serde_json::{Value, json};
use std::time::Duration;
use strata_it::{Answer, Api, entry, patient, stack::Claims};

/// Longer than any of these tests takes.
const LEASE: &str = "60";

/// Misses a key in a container, which must be granted the lease; returns the token.
async fn miss(api: &Api, container: &str, key: &str) -> String {
    let missed = api.get(&entry(key)).header("fill-lease", LEASE).header("cache-control", "no-cache");
    let missed = missed.pin(container).send().await;
    token_of(&missed.expect_error(404, "CACHE_KEY_NOT_FOUND"))
}

#[track_caller]
fn token_of(missed: &Answer) -> String {
    assert_eq!(missed.details()["fill"], json!({"state": "granted", "expires_in": 60}), "{missed:?}");
    missed.header("fill-token").unwrap_or_else(|| panic!("no token: {missed:?}")).to_owned()
}

/// Stores what was loaded at a miss.
async fn fill(api: &Api, container: &str, key: &str, token: &str, body: Value) -> Answer {
    api.put(&entry(key), body.to_string()).header("fill-token", token).pin(container).send().await
}

fn loaded() -> Value {
    json!({"value": "loaded", "tags": ["red"]})
}

/// Misses `k`, lets `happen` happen, and fills; the fill must be refused, and nothing of it be there.
async fn lost_by(api: &Api, happen: impl AsyncFnOnce(&Api)) {
    let token = miss(api, "entries-1", "k").await;
    happen(api).await;
    fill(api, "entries-1", "k", &token, loaded()).await.expect_error(412, "LEASE_LOST");
    for container in ["entries-1", "entries-2"] {
        let found = api.get(&entry("k")).pin(container).header("cache-control", "no-cache").send().await;
        assert!(found.status == 404 || found.value() != "\"loaded\"", "{found:?}");
    }
    // Whoever was refused has given the lease back; what Redis was not told it is told within Λ.
    eventually("another fill", async || {
        let again = api.get(&entry("k")).header("fill-lease", LEASE).pin("entries-2").send().await;
        let Some(token) = again.header("fill-token").map(str::to_owned) else { return again.status == 200 };
        fill(api, "entries-1", "k", &token, json!({"value": "again"})).await.status == 201
    })
    .await;
    assert_ne!(fresh(api, "k").await.expect(200).value(), "\"loaded\"");
    api.delete(&entry("k")).pin("entries-2").send().await.expect(200);
}

#[tokio::test]
async fn what_is_loaded_is_stored_when_nothing_has_happened() {
    let api = Api::start().await;
    let token = miss(&api, "entries-1", "k").await;
    assert!(token.len() <= 512 && token.bytes().all(|byte| byte.is_ascii_graphic()), "{token}");
    // Other keys are other keys.
    put(&api, "entries-2", "other", "1").await.expect(201);
    api.delete(&entry("other")).pin("entries-2").send().await.expect(200);
    invalidate(&api, json!({"pattern": "x:*"})).await.expect(200);
    invalidate(&api, json!({"tags": ["blue"]})).await.expect(200);
    let filled = fill(&api, "entries-2", "k", &token, loaded()).await.expect(201);
    assert_eq!(filled.json()["metadata"]["levels_stored"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    for container in ["entries-1", "entries-2"] {
        let found = api.get(&entry("k")).header("fill-lease", LEASE).pin(container).send().await.expect(200);
        assert_eq!((found.value(), found.header("fill-token")), ("\"loaded\"", None));
    }
    // It is found by its tag, and the token is used up.
    fill(&api, "entries-1", "k", &token, json!({"value": "other"})).await.expect_error(412, "LEASE_LOST");
    let removed = invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    assert_eq!(removed.json()["invalidated_count"], 1);
    fresh(&api, "k").await.expect(404);
    fill(&api, "entries-1", "k", &token, loaded()).await.expect_error(412, "LEASE_LOST");
    fresh(&api, "k").await.expect(404);
}

#[tokio::test]
async fn whatever_touches_the_key_loses_the_fill() {
    let api = Api::start().await;
    lost_by(&api, async |api| drop(api.delete(&entry("k")).pin("entries-2").send().await.expect(404))).await;
    lost_by(&api, async |api| drop(put(api, "entries-2", "k", "\"put\"").await.expect(201))).await;
    for body in [
        json!({"pattern": "k*"}),
        json!({"pattern": "k"}),
        json!({"tags": ["red"]}),
        json!({"keys": ["k"]}),
        json!({"pattern": "*", "levels": ["L1_MEMORY"]}),
        json!({"pattern": "*", "levels": ["L1_MEMORY", "L2_REDIS"]}),
        json!({"tags": ["red"], "levels": ["L3_DATABASE"]}),
        json!({"pattern": "k*", "mode": "stale"}),
        json!({"tags": ["red"], "mode": "stale", "deadline_seconds": 60}),
        json!({"keys": ["k"], "mode": "stale"}),
    ] {
        lost_by(&api, async |api| drop(invalidate(api, body.clone()).await.expect(200))).await;
    }
    for operation in [json!({"op": "delete", "key": "k"}), json!({"op": "put", "key": "k", "value": "put"})] {
        let batch = json!({"operations": [operation]}).to_string();
        let send = async |api: &Api| api.request("POST", "/batch").body(batch.clone()).send().await;
        lost_by(&api, async |api| drop(send(api).await.expect(200))).await;
    }
    // What was removed, and brought back meanwhile.
    lost_by(&api, async |api| {
        put(api, "entries-2", "k", "\"undone\"").await.expect(201);
        let removed = invalidate(api, json!({"pattern": "k*", "undo_seconds": 60})).await.expect(200).json();
        let id = removed["invalidation_id"].as_str().unwrap();
        let undone = api.request("POST", &format!("/invalidate/{id}/undo")).send().await.expect(200).json();
        assert_eq!(undone["restored"], 1, "{undone}");
    })
    .await;
}

/// A level that is switched off and on again has heard of nothing meanwhile.
#[tokio::test]
async fn a_level_that_was_switched_loses_the_fill() {
    let api = Api::start().await;
    for level in ["l2_config", "l3_config"] {
        lost_by(&api, async |api| {
            for enabled in [false, true] {
                let body = json!({level: {"enabled": enabled}}).to_string();
                api.request("PUT", "/config").body(body).send().await.expect(200);
                wait_out_the_window().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_cannot_be_proven_loses_the_fill() {
    let api = Api::start().await;
    // Another container than that of the miss, which is gone.
    let token = miss(&api, "entries-1", "k").await;
    invalidate(&api, json!({"pattern": "k*"})).await.expect(200);
    api.stack.kill("entries-1").await;
    fill(&api, "entries-2", "k", &token, loaded()).await.expect_error(412, "LEASE_LOST");
    lost_by(&api, async |api| api.stack.redis().restart_empty().await.unwrap()).await;
    lost_by(&api, async |api| {
        invalidate(api, json!({"pattern": "k*"})).await.expect(200);
        let _: u64 = command(api, &["XTRIM", "strata:cache:{j}journal", "MAXLEN", "0"]).await;
    })
    .await;
    lost_by(&api, async |api| {
        let _: u64 = command(api, &["DEL", "strata:cache:{j}index"]).await;
        // Whoever appends next begins another.
        put(api, "entries-2", "other", "1").await.expect(201);
    })
    .await;
    // A journal without its oldest records says all the same what was invalidated.
    let token = miss(&api, "entries-1", "k").await;
    for number in 0..20 {
        put(&api, "entries-2", &format!("other{number}"), "1").await.expect(201);
    }
    let _: u64 = command(&api, &["XTRIM", "strata:cache:{j}journal", "MAXLEN", "3"]).await;
    fill(&api, "entries-1", "k", &token, loaded()).await.expect(201);
}

/// A container that cannot reach Redis tells nobody but L3.
#[tokio::test]
async fn what_redis_was_not_told_loses_the_fill() {
    let api = Api::start().await;
    let cut = async |api: &Api, function: &str| {
        api.stack.redis_path(function).cut().await;
    };
    lost_by(&api, async |api| {
        cut(api, "entries-2").await;
        let deleted = api.delete(&entry("k")).pin("entries-2").send().await;
        assert!(deleted.status == 404 || deleted.json()["degraded"] == true, "{deleted:?}");
        api.stack.redis_path("entries-2").restore().await;
    })
    .await;
    for body in [json!({"pattern": "k*"}), json!({"tags": ["red"]})] {
        lost_by(&api, async |api| {
            cut(api, "invalidate-1").await;
            let done = api.request("POST", "/invalidate").body(body.to_string()).pin("invalidate-1").send().await;
            let done = done.expect(200);
            assert_eq!(done.json()["degraded"], true, "{done:?}");
        })
        .await;
        api.stack.redis_path("invalidate-1").restore().await;
    }
}

#[tokio::test]
async fn without_redis_nobody_leases_and_no_token_is_good() {
    let api = Api::start().await;
    let token = miss(&api, "entries-1", "k").await;
    api.stack.redis_path("entries-1").cut().await;
    let missed = api.get(&entry("x")).header("fill-lease", LEASE).pin("entries-1").send().await;
    assert_eq!(missed.expect(404).details()["fill"], json!({"state": "unavailable"}));
    fill(&api, "entries-1", "k", &token, loaded()).await.expect_error(412, "LEASE_LOST");
    api.stack.redis_path("entries-1").restore().await;
    fresh(&api, "k").await.expect(404);
}

/// An invalidation while the fill is under way: its row of L3 is claimed, and the journal is read, at the same time.
#[tokio::test]
async fn an_invalidation_beside_a_fill_wins() {
    let api = Api::start().await;
    for round in 0..20 {
        let key = format!("k{round}");
        let token = miss(&api, "entries-1", &key).await;
        let filling = fill(&api, "entries-1", &key, &token, loaded());
        let invalidating = async {
            tokio::time::sleep(Duration::from_millis(round * 2)).await;
            invalidate(&api, json!({"pattern": format!("{key}*")})).await.expect(200)
        };
        let (filled, _) = tokio::join!(filling, invalidating);
        assert!([201, 412].contains(&filled.status), "{filled:?}");
        let found = fresh(&api, &key).await;
        assert!(found.status == 404, "it was loaded before the invalidation: {found:?} {filled:?}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_key_its_api_key_and_its_time() {
    let api = Api::start().await;
    let token = miss(&api, "entries-1", "k").await;
    fill(&api, "entries-1", "other", &token, loaded()).await.expect_error(412, "LEASE_LOST");
    let other = api.stack.token(Claims { api_key: Some("other".to_owned()), ..Claims::default() });
    let by_other = api.put(&entry("k"), r#"{"value":1}"#).header("fill-token", &token).bearer(&other);
    by_other.send().await.expect_error(412, "LEASE_LOST");
    fill(&api, "entries-1", "k", &token, loaded()).await.expect(201);
    let brief = api.get(&entry("brief")).header("fill-lease", "1").pin("entries-1").send().await.expect(404);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let token = brief.header("fill-token").unwrap();
    fill(&api, "entries-1", "brief", token, loaded()).await.expect_error(412, "LEASE_LOST");
}

/// Copies that are not trusted are no hindrance.
#[tokio::test]
async fn a_miss_behind_a_stale_copy_is_granted() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let _: u64 = command(&api, &["COPY", &copy_name("k"), "saved"]).await;
    api.delete(&entry("k")).pin("entries-1").send().await.expect(200);
    let _: u64 = command(&api, &["COPY", "saved", &copy_name("k")]).await;
    let token = miss(&api, "entries-2", "k").await;
    fill(&api, "entries-1", "k", &token, loaded()).await.expect(201);
}

#[tokio::test]
async fn a_batch_fills_as_well() {
    let api = Api::with(patient()).await;
    let (first, second) = (miss(&api, "entries-1", "a").await, miss(&api, "entries-1", "b").await);
    api.delete(&entry("b")).pin("entries-2").send().await.expect(404);
    let put = |key: &str, token: &str| json!({"op": "put", "key": key, "value": 1, "fill_token": token});
    let operations = json!({"operations": [put("a", &first), put("b", &second), {"op": "get", "key": "c"}]});
    let done = api.request("POST", "/batch").body(operations.to_string()).send().await.expect(200).json();
    let status = |at: usize| done["results"][at]["status"].as_u64().unwrap();
    assert_eq!((status(0), status(1)), (201, 412), "{done}");
    assert_eq!(done["results"][1]["error"]["code"], "LEASE_LOST", "{done}");
    assert_eq!(get(&api, "entries-1", "a").await.value(), "1");
    fresh(&api, "b").await.expect(404);
}
