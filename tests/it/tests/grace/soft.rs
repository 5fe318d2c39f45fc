//! Soft invalidations: what has a grace becomes stale at once, what has none is removed, and default readers cannot tell the
//! one from the other.

use super::{CONTAINERS, GRACE, asking, assert_gone_for_default_readers, assert_stale, at, put_kept, stale, start};
use crate::support::{flush, get, invalidate, put_tagged, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Api, entry};

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
    let first = asking(&api, "entries-1", "k", "max-stale").header("fill-lease", "60").send().await.expect(200);
    let token = first.header("fill-token").expect("a token").to_owned();
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
