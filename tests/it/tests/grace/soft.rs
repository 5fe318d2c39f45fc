//! Soft invalidations: what has a grace becomes stale at once, what has none is removed, and default readers cannot tell the
//! one from the other.

use super::{
    CONTAINERS, GRACE, asking, assert_gone_for_default_readers, assert_stale, at, put_expired, put_kept, stale, start,
};
use crate::{
    jobs::{keys, run_to_the_end, slow},
    support::{flush, get, invalidate, put_tagged, wait_out_the_window},
    undo::{undoably, undone},
};
use serde_json::{Value, json};
use strata_it::{Api, configured, entry};

async fn make_stale(api: &Api, mut body: Value) -> Value {
    body["mode"] = json!("stale");
    invalidate(api, body).await.expect(200).json()
}

fn counts(done: &Value) -> (Value, Value) {
    (done["stale_count"].clone(), done["invalidated_count"].clone())
}

#[tokio::test]
async fn what_has_a_grace_becomes_stale_and_the_rest_is_removed() {
    for body in [json!({"pattern": "soft:*"}), json!({"tags": ["t"]}), json!({"keys": ["soft:kept", "soft:bare"]})] {
        let api = start().await;
        put_kept(&api, "soft:kept").await;
        put_tagged(&api, "soft:bare", &["t"]).await;
        for key in ["soft:kept", "soft:bare"] {
            get(&api, "entries-2", key).await.expect(200);
        }
        let mut dry = body.clone();
        dry["dry_run"] = json!(true);
        assert_eq!(counts(&make_stale(&api, dry).await), (json!(1), json!(1)), "{body}");
        get(&api, "entries-2", "soft:kept").await.expect(200);
        assert_eq!(counts(&make_stale(&api, body.clone()).await), (json!(1), json!(1)), "{body}");
        wait_out_the_window().await;
        assert_gone_for_default_readers(&api, "soft:kept").await;
        for container in CONTAINERS {
            stale(&api, container, "soft:bare").await.expect(404);
            let found = stale(&api, container, "soft:kept").await;
            assert_eq!((found.status, found.value()), (200, "\"soft:kept\""), "{found:?}");
            assert_eq!(found.json()["metadata"]["stale"], true);
            assert_gone_for_default_readers(&api, "soft:kept").await;
        }
        // It is not made stale twice, nor does a clock that is behind bring it back.
        assert_eq!(counts(&make_stale(&api, body.clone()).await), (json!(0), json!(0)));
        at(&api, -3600);
        assert_gone_for_default_readers(&api, "soft:kept").await;
        at(&api, 0);
        flush(&api).await;
        assert_gone_for_default_readers(&api, "soft:kept").await;
        assert_stale(&stale(&api, "entries-1", "soft:kept").await, "L3_DATABASE", "\"soft:kept\"");
        // Its grace counts from then on.
        at(&api, i64::try_from(GRACE).unwrap() + 90);
        stale(&api, "entries-1", "soft:kept").await.expect(404);
    }
}

#[tokio::test]
async fn whatever_removes_it_or_takes_its_place_ends_it() {
    let api = start().await;
    for end in ["delete", "pattern", "tag", "patch", "put"] {
        put_kept(&api, "k").await;
        assert_eq!(counts(&make_stale(&api, json!({"keys": ["k"]})).await), (json!(1), json!(0)), "{end}");
        stale(&api, "entries-2", "k").await.expect(200);
        match end {
            "delete" => drop(api.delete(&entry("k")).pin("entries-1").send().await.expect(404)),
            "pattern" => drop(invalidate(&api, json!({"pattern": "k*"})).await.expect(200)),
            "tag" => drop(invalidate(&api, json!({"tags": ["t"]})).await.expect(200)),
            "patch" => {
                let patch = api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":900}"#).pin("entries-1");
                patch.send().await.expect(404);
                invalidate(&api, json!({"keys": ["k"]})).await.expect(200);
            }
            _ => {
                let absent = api.put(&entry("k"), r#"{"value":2}"#).header("if-none-match", "*").pin("entries-1");
                absent.send().await.expect(201);
                wait_out_the_window().await;
                assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "2");
                continue;
            }
        }
        wait_out_the_window().await;
        for container in CONTAINERS {
            stale(&api, container, "k").await.expect(404);
        }
    }
}

#[tokio::test]
async fn a_deadline_bounds_how_long_it_is_served() {
    let api = start().await;
    put_kept(&api, "k").await;
    make_stale(&api, json!({"pattern": "k", "deadline_seconds": 300})).await;
    at(&api, 200);
    stale(&api, "entries-1", "k").await.expect(200);
    // Whatever has expired or was made stale before is bounded as well.
    make_stale(&api, json!({"pattern": "k", "deadline_seconds": 100})).await;
    at(&api, 150);
    stale(&api, "entries-2", "k").await.expect(404);
}

#[tokio::test]
async fn one_refreshes_what_was_made_stale() {
    let api = start().await;
    put_kept(&api, "k").await;
    make_stale(&api, json!({"tags": ["t"]})).await;
    wait_out_the_window().await;
    let first = asking(&api, "entries-1", "k", "max-stale").header("fill-lease", "60").send().await.expect(200);
    let token = first.header("fill-token").unwrap_or_else(|| panic!("{first:?}")).to_owned();
    let other = asking(&api, "entries-2", "k", "max-stale").header("fill-lease", "60").send().await.expect(200);
    assert_eq!((other.json()["fill"]["state"].clone(), other.value()), (json!("held"), "\"k\""));
    let fill = api.put(&entry("k"), r#"{"value":"new"}"#).header("fill-token", token).pin("entries-2").send().await;
    fill.expect(201);
    wait_out_the_window().await;
    for container in CONTAINERS {
        assert_eq!(stale(&api, container, "k").await.expect(200).value(), "\"new\"");
    }
}

#[tokio::test]
async fn without_redis_it_is_as_sound() {
    let api = start().await;
    put_kept(&api, "k").await;
    get(&api, "entries-2", "k").await.expect(200);
    api.stack.redis().stop().await.unwrap();
    let done = make_stale(&api, json!({"pattern": "k"})).await;
    assert_eq!(done["degraded"], true, "{done}");
    tokio::time::sleep(crate::support::WINDOW).await;
    assert_gone_for_default_readers(&api, "k").await;
    assert_stale(&stale(&api, "entries-2", "k").await, "L3_DATABASE", "\"k\"");
}

/// What something else has touched, or an invalidation of values that are made stale, an undo leaves as it is.
#[tokio::test]
async fn an_undo_brings_back_nothing_that_was_made_stale() {
    let api = start().await;
    for soft in [json!({"pattern": "k*"}), json!({"tags": ["t"]}), json!({"keys": ["k"]})] {
        for removing in [json!({"pattern": "k*"}), json!({"tags": ["t"]})] {
            put_kept(&api, "k").await;
            let id = undoably(&api, removing.clone()).await;
            assert_eq!(counts(&make_stale(&api, soft.clone()).await), (json!(0), json!(0)), "{soft}");
            assert_eq!(undone(&api, &id).await, [0, 1, 0], "{soft} after {removing}");
            put_kept(&api, "k").await;
            make_stale(&api, soft.clone()).await;
            let id = undoably(&api, removing.clone()).await;
            assert_eq!(undone(&api, &id).await, [0, 0, 0], "{removing} after {soft}");
            wait_out_the_window().await;
            assert_gone_for_default_readers(&api, "k").await;
            stale(&api, "entries-1", "k").await.expect(404);
        }
    }
}

#[tokio::test]
async fn what_dynamodb_does_not_have_is_removed() {
    let api = start().await;
    let of_redis = json!({"value": 1, "grace_seconds": GRACE, "cache_levels": ["L2_REDIS"]}).to_string();
    api.put(&entry("k"), of_redis).pin("entries-1").send().await.expect(201);
    let alone = Api::with(configured(json!({"l3_config": {"enabled": false}}))).await;
    put_kept(&alone, "k").await;
    for api in [api, alone] {
        get(&api, "entries-2", "k").await.expect(200);
        let dry = make_stale(&api, json!({"keys": ["k"], "dry_run": true})).await;
        assert_eq!(counts(&dry), (json!(0), json!(1)), "{dry}");
        assert_eq!(counts(&make_stale(&api, json!({"keys": ["k"]})).await), (json!(0), json!(1)));
        wait_out_the_window().await;
        assert_gone_for_default_readers(&api, "k").await;
        stale(&api, "entries-1", "k").await.expect(404);
    }
}

/// What has expired by itself is met as well: its grace goes on, and is bounded.
#[tokio::test]
async fn what_had_expired_before_keeps_its_grace_to_the_deadline() {
    let api = start().await;
    put_expired(&api, "k").await;
    assert_eq!(counts(&make_stale(&api, json!({"pattern": "k", "deadline_seconds": 100})).await), (json!(0), json!(0)));
    assert_stale(&stale(&api, "entries-2", "k").await, "L3_DATABASE", "\"k\"");
    assert_eq!(api.get("/explain?key=k").send().await.expect(200).json()["reason"], "expired");
    at(&api, 150);
    stale(&api, "entries-2", "k").await.expect(404);
}

#[tokio::test]
async fn chunks_batches_and_explanations_know_of_it() {
    let api = start().await;
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(900_000).collect();
    let body = json!({"value": noise, "tags": ["t"], "grace_seconds": GRACE}).to_string();
    api.put(&entry("k"), body).pin("entries-1").send().await.expect(201);
    make_stale(&api, json!({"pattern": "k*", "reason": "new prices"})).await;
    wait_out_the_window().await;
    let explained = async || api.get("/explain?key=k").pin("entries-2").send().await.expect(200).json();
    for seconds in [0, -3600] {
        at(&api, seconds);
        let why = explained().await;
        assert_eq!((&why["verdict"], &why["reason"]), (&json!("stale"), &json!("invalidated_by_pattern")), "{why}");
        assert_eq!((&why["cause"]["mode"], &why["cause"]["reason"]), (&json!("stale"), &json!("new prices")), "{why}");
        assert!(why["get"]["status"] == 404 && why["stale_until"].is_string(), "{why}");
    }
    at(&api, 0);
    let read = json!({"operations": [{"op": "get", "key": "k"}]}).to_string();
    for _ in 0..2 {
        let batch = api.request("POST", "/batch").header("cache-control", "max-stale").body(read.clone());
        let results = batch.pin("entries-2").send().await.expect(200).json();
        assert_eq!(
            (&results["results"][0]["value"], &results["results"][0]["metadata"]["stale"]),
            (&json!(noise), &json!(true))
        );
    }
    assert_stale(&stale(&api, "entries-1", "k").await, "L2_REDIS", &json!(noise).to_string());
    assert_eq!(explained().await["verdict"], "stale");
    invalidate(&api, json!({"tags": ["t"]})).await.expect(200);
    assert_eq!(explained().await["reason"], "invalidated_by_tag");
    let journal = api.get("/journal?kind=invalidate").send().await.expect(200).json();
    let modes: Vec<&Value> = journal["mutations"].as_array().unwrap().iter().map(|one| &one["mode"]).collect();
    assert_eq!(modes, [&json!("stale"), &Value::Null]);
}

#[tokio::test]
async fn a_large_one_is_in_effect_at_once_and_leaves_the_grace_in_the_end() {
    let api = Api::with(slow().streams(false)).await;
    let keys = keys();
    for some in keys.chunks(8) {
        let body = json!({"value": 1, "grace_seconds": GRACE}).to_string();
        let puts = some.iter().map(|key| api.put(&entry(key), body.clone()).send());
        futures_util::future::join_all(puts).await.into_iter().for_each(|put| drop(put.expect(201)));
    }
    let begun = make_stale(&api, json!({"pattern": "k:*"})).await;
    assert_eq!((&begun["reclaim"], &begun["invalidated_count"]), (&json!("in_progress"), &json!(0)), "{begun}");
    let listed = api.get("/invalidations").send().await.expect(200).json();
    let open = &listed["invalidations"][0];
    assert_eq!((&open["state"], &open["mode"], &open["pattern"]), (&json!("open"), &json!("stale"), &json!("k:*")));
    wait_out_the_window().await;
    for key in keys.iter().step_by(40) {
        get(&api, "entries-2", key).await.expect(404);
        stale(&api, "entries-2", key).await.expect(404);
    }
    run_to_the_end(&api, begun["job_id"].as_str().unwrap()).await;
    wait_out_the_window().await;
    for key in keys.iter().step_by(40) {
        assert_stale(&stale(&api, "entries-2", key).await, "L3_DATABASE", "1");
        get(&api, "entries-1", key).await.expect(404);
    }
}

#[tokio::test]
async fn what_goes_not_with_it_is_refused_by_name() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({"pattern": "k", "mode": "soft"}), "mode"),
        (json!({"pattern": "k", "mode": "stale", "undo_seconds": 60}), "undo_seconds"),
        (json!({"pattern": "k", "mode": "stale", "levels": ["L2_REDIS"]}), "levels"),
        (json!({"pattern": "k", "deadline_seconds": 60}), "deadline_seconds"),
        (json!({"pattern": "k", "mode": "remove", "deadline_seconds": 60}), "deadline_seconds"),
        (json!({"pattern": "k", "mode": "stale", "deadline_seconds": 0}), "deadline_seconds"),
    ] {
        let refused = invalidate(&api, body.clone()).await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], field, "{body}");
    }
    let removed = invalidate(&api, json!({"pattern": "k", "mode": "remove"})).await.expect(200).json();
    assert!(removed.get("stale_count").is_none(), "{removed}");
}
