//! `Cache-Position`: whoever sends back what an answer said is answered by nothing older, by any container.

use crate::support::{commands, get, invalidate, put};
use serde_json::json;
use strata_it::{Answer, Api, Request, entry, patient, stack::Claims};

/// Containers that go by what they know for longer than any of these tests takes, so that nothing but a position makes them
/// look.
async fn unhurried() -> Api {
    // Rate limits cost a command now and then.
    Api::with(patient().coherence_window_ms(60_000).env("RATE_LIMITS", "off")).await
}

#[track_caller]
fn position(answer: &Answer) -> String {
    let position = answer.header("cache-position").unwrap_or_else(|| panic!("no position: {answer:?}"));
    assert!(position.len() == 32 && position.bytes().all(|byte| byte.is_ascii_graphic()), "{position}");
    position.to_owned()
}

/// Reads a key through a container, as one who has seen that.
async fn get_at(api: &Api, container: &str, key: &str, position: &str) -> Answer {
    api.get(&entry(key)).pin(container).header("cache-position", position).send().await
}

/// Has both containers hold the first value of a key, and know it for current.
async fn held_by_both(api: &Api, key: &str) {
    put(api, "entries-1", key, "1").await.expect(201);
    for container in ["entries-1", "entries-2"] {
        api.get(&entry(key)).pin(container).header("cache-control", "no-cache").send().await.expect(200);
        assert_eq!(get(api, container, key).await.level(), "L1_MEMORY");
    }
}

#[tokio::test]
async fn every_answer_has_one() {
    let api = Api::start().await;
    let stored = put(&api, "entries-1", "k", "1").await.expect(201);
    position(&stored);
    let found = get(&api, "entries-1", "k").await.expect(200);
    assert_eq!(position(&found), position(&stored), "that of its value");
    let tag = found.header("etag").unwrap().to_owned();
    position(&api.get(&entry("k")).header("if-none-match", tag).send().await.expect(304));
    position(&api.request("HEAD", &entry("k")).send().await.expect(200));
    position(&api.get(&entry("k")).header("if-match", "\"other\"").send().await.expect(412));
    position(&get(&api, "entries-1", "none").await.expect(404));
    position(&api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":60}"#).send().await.expect(200));
    position(&api.request("PATCH", &entry("k")).body(r#"{"remove_tags":["none"]}"#).send().await.expect(200));
    position(&invalidate(&api, json!({"pattern": "k", "dry_run": true})).await.expect(200));
    position(&invalidate(&api, json!({"pattern": "none:*"})).await.expect(200));
    let batch = json!({"operations": [{"op": "get", "key": "k"}, {"op": "delete", "key": "none"}]});
    position(&api.request("POST", "/batch").body(batch.to_string()).send().await.expect(200));
    position(&api.delete(&entry("k")).send().await.expect(200));
    position(&api.delete(&entry("k")).send().await.expect(404));
}

#[tokio::test]
async fn who_sends_it_back_reads_their_own_writes_in_any_container() {
    let api = unhurried().await;
    for key in ["put", "delete", "patch", "invalidate", "batch"] {
        held_by_both(&api, key).await;
    }
    let written = put(&api, "entries-1", "put", "2").await.expect(200);
    assert_eq!(get(&api, "entries-2", "put").await.value(), "1", "nothing has made it look");
    assert_eq!(get_at(&api, "entries-2", "put", &position(&written)).await.value(), "2");
    let deleted = api.delete(&entry("delete")).pin("entries-1").send().await.expect(200);
    get(&api, "entries-2", "delete").await.expect(200);
    get_at(&api, "entries-2", "delete", &position(&deleted)).await.expect(404);
    let patch = api.request("PATCH", &entry("patch")).body(r#"{"ttl_seconds":60}"#);
    let patched = patch.pin("entries-1").send().await.expect(200);
    assert_eq!(get(&api, "entries-2", "patch").await.json()["metadata"]["ttl_seconds"], 3600);
    let found = get_at(&api, "entries-2", "patch", &position(&patched)).await;
    assert_eq!(found.json()["metadata"]["ttl_seconds"], 60);
    let invalidated = invalidate(&api, json!({"pattern": "invalidate"})).await.expect(200);
    get(&api, "entries-2", "invalidate").await.expect(200);
    get_at(&api, "entries-2", "invalidate", &position(&invalidated)).await.expect(404);
    let batch = |body: serde_json::Value| api.request("POST", "/batch").body(json!({"operations": [body]}).to_string());
    let put = json!({"op": "put", "key": "batch", "value": 2});
    let written = batch(put).pin("entries-1").send().await.expect(200);
    let read = batch(json!({"op": "get", "key": "batch"})).pin("entries-2");
    assert_eq!(read.clone().send().await.json()["results"][0]["value"], 1);
    let read = read.header("cache-position", position(&written)).send().await;
    assert_eq!(read.json()["results"][0]["value"], 2);
}

#[tokio::test]
async fn what_was_read_is_not_read_older_elsewhere_and_may_be_handed_on() {
    let api = unhurried().await;
    held_by_both(&api, "k").await;
    put(&api, "entries-1", "k", "2").await.expect(200);
    let read = get(&api, "entries-1", "k").await;
    assert_eq!(get(&api, "entries-2", "k").await.value(), "1");
    // It says nothing of who was told of it, and several count together.
    let other = api.stack.token(Claims { api_key: Some("another".into()), ..Claims::default() });
    let both = format!("{}, {}", position(&get(&api, "entries-2", "none").await), position(&read));
    let found = api.get(&entry("k")).bearer(&other).pin("entries-2").header("cache-position", both).send().await;
    assert_eq!(found.value(), "2");
    assert_eq!(position(&found), position(&read));
}

#[tokio::test]
async fn it_costs_a_sync_only_where_the_container_is_behind() {
    let api = unhurried().await;
    held_by_both(&api, "k").await;
    let written = position(&put(&api, "entries-1", "k", "2").await.expect(200));
    get_at(&api, "entries-2", "k", &written).await.expect(200);
    let before = commands(&api).await;
    for container in ["entries-1", "entries-2"] {
        for _ in 0..10 {
            let found = get_at(&api, container, "k", &written).await;
            assert_eq!((found.level().as_str(), found.value()), ("L1_MEMORY", "2"));
        }
    }
    // Asking how many there were is one.
    assert_eq!(commands(&api).await, before + 1);
    // What others write meanwhile makes nobody look: the position is that of the value, wherever the container is.
    for round in 0..5 {
        put(&api, "entries-1", &format!("other-{round}"), "1").await.expect(201);
    }
    let found = get(&api, "entries-1", "k").await;
    assert_eq!(position(&found), written);
    let before = commands(&api).await;
    get_at(&api, "entries-2", "k", &position(&found)).await.expect(200);
    assert_eq!(commands(&api).await, before + 1);
}

#[tokio::test]
async fn what_redis_was_not_told_of_is_read_from_l3() {
    let api = unhurried().await;
    for key in ["put", "delete", "invalidate", "batch"] {
        held_by_both(&api, key).await;
    }
    // Somebody has just looked for notes, so that nobody else will for a while.
    get(&api, "entries-2", "none").await.expect(404);
    for container in ["entries-1", "invalidate-1"] {
        api.stack.redis_path(container).cut().await;
    }
    let said = |answer: Answer| {
        assert_eq!(answer.json()["degraded"], true, "{answer:?}");
        position(&answer)
    };
    let written = said(put(&api, "entries-1", "put", "2").await.expect(200));
    assert_eq!(get(&api, "entries-2", "put").await.value(), "1");
    let found = get_at(&api, "entries-2", "put", &written).await;
    assert_eq!((found.level().as_str(), found.value()), ("L3_DATABASE", "2"));
    let deleted = said(api.delete(&entry("delete")).pin("entries-1").send().await.expect(200));
    get_at(&api, "entries-2", "delete", &deleted).await.expect(404);
    let gone = said(invalidate(&api, json!({"pattern": "invalidate"})).await.expect(200));
    get_at(&api, "entries-2", "invalidate", &gone).await.expect(404);
    let written = said(put(&api, "entries-1", "batch", "2").await.expect(200));
    let read = json!({"operations": [{"op": "get", "key": "batch"}]}).to_string();
    let read = api.request("POST", "/batch").body(read).pin("entries-2").header("cache-position", written);
    assert_eq!(read.send().await.json()["results"][0]["value"], 2);
}

#[tokio::test]
async fn positions_outlive_the_journal() {
    let api = unhurried().await;
    held_by_both(&api, "k").await;
    let written = position(&put(&api, "entries-1", "k", "2").await.expect(200));
    api.stack.redis().restart_empty().await.unwrap();
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get_at(&api, container, "k", &written).await.expect(200).value(), "2");
    }
    // Of a value that was recorded in the journal before, nobody can tell where: that is asked for once.
    get_at(&api, "entries-2", "k", &written).await.expect(200);
    let before = commands(&api).await;
    for _ in 0..10 {
        assert_eq!(get_at(&api, "entries-2", "k", &written).await.level(), "L1_MEMORY");
    }
    assert_eq!(commands(&api).await, before + 1);
    let written = position(&put(&api, "entries-1", "k", "3").await.expect(200));
    assert_eq!(get_at(&api, "entries-2", "k", &written).await.value(), "3");
}

#[tokio::test]
async fn what_is_no_position_is_refused_and_named() {
    let api = Api::start().await;
    let put = r#"{"value":1}"#;
    let batch = r#"{"operations":[{"op":"get","key":"k"}]}"#;
    let requests: [Request; 7] = [
        api.get(&entry("k")),
        api.request("HEAD", &entry("k")),
        api.put(&entry("k"), put),
        api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":1}"#),
        api.delete(&entry("k")),
        api.request("POST", "/batch").body(batch),
        api.request("POST", "/invalidate").body(r#"{"pattern":"k"}"#),
    ];
    for request in requests {
        for wrong in ["x", "0-0", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let refused = request.clone().header("cache-position", wrong).send().await;
            assert_eq!(refused.status, 400, "{refused:?}");
            if !refused.body.is_empty() {
                assert_eq!(refused.details()["errors"][0]["field"], "Cache-Position", "{refused:?}");
            }
            assert_eq!(refused.header("cache-position"), None);
        }
    }
    get(&api, "entries-1", "k").await.expect(404);
}
