//! Why a read is answered as it is: what is said agrees with what a read finds, and with what was done.

mod agreement;

use crate::support::{command, copy_name, get, invalidate, put, put_tagged};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use strata_it::{
    Answer, Api, entry, patient,
    stack::{Claims, L3Fault},
};

/// Longer than any test waits: what a container knows is as old as the test wants it to be.
const LONG_WINDOW: u64 = 60_000;

/// What a container says of a key.
async fn explain(api: &Api, container: &str, key: &str) -> Value {
    let path = format!("/explain?key={}", utf8_percent_encode(key, NON_ALPHANUMERIC));
    api.get(&path).pin(container).send().await.expect(200).json()
}

/// Fails unless a GET of the same container is answered as was said.
#[track_caller]
fn assert_agrees(said: &Value, found: &Answer) {
    assert_eq!(said["get"]["status"], found.status, "{said:#} {found:?}");
    if found.status == 200 {
        assert_eq!(said["get"]["level"], found.level(), "{said:#} {found:?}");
    }
}

#[tokio::test]
async fn a_copy_that_was_passed_is_stale_while_the_window_lasts() {
    let api = Api::with(patient().coherence_window_ms(LONG_WINDOW).env("RATE_LIMITS", "off")).await;
    for key in ["put", "deleted", "gone", "kept"] {
        put_tagged(&api, key, &["t"]).await;
        get(&api, "entries-2", key).await.expect(200);
        assert_eq!(explain(&api, "entries-2", key).await["verdict"], "hit");
    }
    put(&api, "entries-1", "put", "2").await.expect(200);
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    invalidate(&api, json!({"pattern": "g*", "reason": "because"})).await.expect(200);
    for (key, reason, kind) in [
        ("put", "overwritten", "put"),
        ("deleted", "deleted", "delete"),
        ("gone", "invalidated_by_pattern", "invalidate"),
    ] {
        let said = explain(&api, "entries-2", key).await;
        assert_eq!((&said["verdict"], &said["reason"]), (&json!("stale"), &json!(reason)), "{said:#}");
        assert_eq!((&said["cause"]["kind"], &said["cause"]["by"]), (&json!(kind), &json!("local")), "{said:#}");
        assert_agrees(&said, &get(&api, "entries-2", key).await);
        // And nothing has come of asking.
        assert_eq!(explain(&api, "entries-2", key).await["verdict"], "stale");
        let said = explain(&api, "entries-1", key).await;
        // What a container has done itself it knows at once.
        let expected = match key {
            "put" => "hit",
            "deleted" => "miss",
            _ => "stale",
        };
        assert_eq!(said["verdict"], expected, "{said:#}");
        assert_agrees(&said, &get(&api, "entries-1", key).await);
    }
    assert_eq!(explain(&api, "entries-2", "gone").await["cause"]["reason"], "because");
    assert_eq!(explain(&api, "entries-2", "kept").await["verdict"], "hit");
}

#[tokio::test]
async fn it_says_what_each_level_has_and_changes_none_of_it() {
    let api = Api::start().await;
    let never = explain(&api, "entries-1", "k").await;
    assert_eq!((&never["verdict"], &never["reason"]), (&json!("miss"), &json!("never_stored")));
    assert!(never["known_since"].is_string() && never.get("cause").is_none(), "{never:#}");
    put_tagged(&api, "k", &["t"]).await;
    let before: Vec<u8> = command(&api, &["GET", &copy_name("k")]).await;
    for _ in 0..3 {
        let said = explain(&api, "entries-1", "k").await;
        let levels = said["levels"].as_array().unwrap();
        assert_eq!(levels.len(), 3);
        for level in levels {
            assert_eq!((&level["trusted"], &level["tags"]), (&json!(true), &json!(["t"])), "{said:#}");
            assert_eq!(level["version"], levels[0]["version"]);
            assert_eq!(level.get("as_of").is_some(), level["level"] != "L3_DATABASE", "{said:#}");
        }
        assert_eq!(said["container"]["coherence_window_ms"], 1000);
        assert!(said["container"]["last_sync"].is_string());
        let other = explain(&api, "entries-2", "k").await;
        assert_eq!((&other["verdict"], &other["get"]["level"]), (&json!("hit"), &json!("L2_REDIS")), "{other:#}");
        assert_eq!(other["levels"][0]["reason"], "evicted_here");
    }
    assert_eq!(before, command::<Vec<u8>>(&api, &["GET", &copy_name("k")]).await, "no read was counted");
    let found = get(&api, "entries-2", "k").await.expect(200);
    assert_eq!((found.level().as_str(), &found.json()["metadata"]["access_count"]), ("L2_REDIS", &json!(1)));
}

#[tokio::test]
async fn who_did_it_is_told_as_in_the_journal() {
    let api = Api::start().await;
    for key in ["mine:1", "mine:2", "mine:3"] {
        put_tagged(&api, key, &["t"]).await;
    }
    invalidate(&api, json!({"pattern": "mine:1*", "reason": "secret-1"})).await.expect(200);
    invalidate(&api, json!({"pattern": "m*2", "reason": "secret-2"})).await.expect(200);
    invalidate(&api, json!({"tags": ["t"], "reason": "secret-3"})).await.expect(200);
    let ask = async |key: &str, claims: Claims| {
        let request = api.get(&format!("/explain?key={key}")).bearer(&api.stack.token(claims));
        request.send().await.expect(200).json()
    };
    let scopes = |scopes: &[&str]| Claims::with_scopes(scopes).subject("other").api_key("other");
    for (key, reason, text) in [
        ("mine:1", "invalidated_by_pattern", "secret-1"),
        ("mine:2", "invalidated_by_pattern", "secret-2"),
        ("mine:3", "invalidated_by_tag", "secret-3"),
    ] {
        let all = ask(key, scopes(&["cache:read", "cache:journal"])).await;
        assert_eq!((&all["reason"], &all["cause"]["reason"]), (&json!(reason), &json!(text)), "{all:#}");
        assert!(all["cause"]["by"].is_string());
        let reader = ask(key, scopes(&["cache:read"])).await;
        assert_eq!(members(&reader["cause"]), ["at", "kind", "position"], "{reader:#}");
        assert_eq!(reader["reason"], reason);
        let confined = ask(key, scopes(&["cache:read", "cache:journal"]).prefixes(&["mine:"])).await;
        let is_its = key == "mine:1";
        assert_eq!(confined["cause"].get("by").is_some(), is_its, "what others mean reaches further: {confined:#}");
        assert_eq!(confined["reason"], reason);
    }
    put_tagged(&api, "mine:1", &["t"]).await;
    let confined = ask("mine:1", scopes(&["cache:read"]).prefixes(&["mine:"])).await;
    let positions: Vec<_> = confined["levels"].as_array().unwrap().iter().map(|level| level.get("as_of")).collect();
    assert_eq!(positions, [None; 3], "a position tells when others write");
    let outside = api.get("/explain?key=k").bearer(&api.stack.token(scopes(&["cache:read"]).prefixes(&["mine:"])));
    outside.send().await.expect_error(403, "FORBIDDEN");
    let refused = api.get("/explain?key=k&pattern=k").send().await.expect_error(400, "INVALID_REQUEST").json();
    assert_eq!(refused["error"]["message"], "pattern is not a known query parameter; known are key");
}

fn members(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn with_redis_out_of_reach_each_level_says_why() {
    let api = Api::with(patient().containers(1)).await;
    let body = json!({"value": 1, "cache_levels": ["L2_REDIS"]}).to_string();
    api.put(&entry("k"), body).pin("entries-1").send().await.expect(201);
    api.stack.redis_path("all").cut().await;
    let said = explain(&api, "entries-1", "k").await;
    let reasons = [0, 1, 2].map(|at| &said["levels"][at]["reason"]);
    assert_eq!(reasons, ["level_unavailable", "level_unavailable", "other_levels"], "{said:#}");
    assert_agrees(&said, &get(&api, "entries-1", "k").await);
}

#[tokio::test]
async fn a_level_that_is_out_of_reach_is_said_to_be() {
    let api = Api::with(patient().containers(1)).await;
    let lower = json!({"value": 1, "cache_levels": ["L3_DATABASE"]}).to_string();
    api.put(&entry("k"), lower).pin("entries-1").send().await.expect(201);
    let upper = json!({"value": 1, "cache_levels": ["L2_REDIS"]}).to_string();
    for key in ["upper", "lost"] {
        api.put(&entry(key), upper.clone()).pin("entries-1").send().await.expect(201);
    }
    command::<u64>(&api, &["DEL", &copy_name("lost")]).await;
    let lost = explain(&api, "entries-1", "lost").await;
    assert_eq!((&lost["verdict"], &lost["reason"]), (&json!("miss"), &json!("evicted_here")), "{lost:#}");
    assert_agrees(&lost, &get(&api, "entries-1", "lost").await);
    api.stack.l3().set(L3Fault::Stopped).await;
    for (key, reason) in [("k", "level_unavailable"), ("upper", ""), ("absent", "level_unavailable")] {
        let said = explain(&api, "entries-1", key).await;
        assert_eq!(said["reason"].as_str().unwrap_or_default(), reason, "{said:#}");
        assert_eq!(said["levels"][2]["reason"], "level_unavailable");
        assert_agrees(&said, &get(&api, "entries-1", key).await);
    }
}
