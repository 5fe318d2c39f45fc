//! A level that is switched on again shows nothing from before, and one that is switched off takes nothing away that
//! another level has.

use super::{FLEET, LAMBDA, configure, fleet, fresh};
use crate::support::{get, put, wait_out_the_window};
use serde_json::{Value, json};
use std::time::Duration;
use strata_it::{Api, entry, patient, stack::L3Fault};

async fn switch(api: &Api, level: &str, enabled: bool) -> Value {
    configure(api, json!({level: {"enabled": enabled}})).await.expect(200).json()
}

#[tokio::test]
async fn l3_switched_on_again_shows_nothing_from_before() {
    let api = fleet().await;
    for key in ["kept", "changed", "tagged"] {
        let body = json!({"value": "old", "tags": ["red"]}).to_string();
        api.put(&entry(key), body).pin("entries-1").send().await.expect(201);
    }
    switch(&api, "l3_config", false).await;
    wait_out_the_window().await;
    for container in FLEET {
        get(&api, container, "kept").await.expect(404);
    }
    let told = put(&api, "entries-1", "changed", "\"newer\"").await.expect(201);
    assert_eq!(told.json()["metadata"]["levels_stored"], json!(["L1_MEMORY", "L2_REDIS"]));
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "changed").await.expect(200).value(), "\"newer\"");
    switch(&api, "l3_config", true).await;
    wait_out_the_window().await;
    for container in FLEET {
        for key in ["kept", "changed", "tagged"] {
            get(&api, container, key).await.expect(404);
            fresh(&api, container, key).await.expect(404);
        }
    }
    let counted = api.request("POST", "/invalidate").body(r#"{"tags":["red"],"dry_run":true}"#).send().await;
    assert_eq!(counted.expect(200).json()["invalidated_count"], 0);
    let counted = api.request("POST", "/invalidate").body(r#"{"pattern":"*","dry_run":true}"#).send().await;
    assert_eq!(counted.expect(200).json()["invalidated_count"], 0);
    let absent = api.put(&entry("kept"), r#"{"value":"new"}"#).header("if-none-match", "*").send().await;
    absent.expect(201);
    put(&api, "entries-3", "changed", "\"new\"").await.expect(201);
    api.delete(&entry("tagged")).pin("entries-3").send().await.expect(404);
    wait_out_the_window().await;
    for container in FLEET {
        assert_eq!(get(&api, container, "kept").await.expect(200).value(), "\"new\"");
        assert_eq!(get(&api, container, "changed").await.expect(200).value(), "\"new\"");
        get(&api, container, "tagged").await.expect(404);
    }
}

#[tokio::test]
async fn with_l3_off_conditions_and_counts_know_nothing_from_before() {
    let api = Api::start().await;
    for key in ["a", "b", "c"] {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
        get(&api, "entries-2", key).await.expect(200);
    }
    switch(&api, "l3_config", false).await;
    let absent = api.put(&entry("a"), r#"{"value":"new"}"#).pin("entries-2").header("if-none-match", "*").send().await;
    absent.expect(201);
    api.delete(&entry("b")).pin("entries-2").send().await.expect(404);
    let counted = api.request("POST", "/invalidate").body(r#"{"pattern":"c"}"#).send().await;
    assert_eq!(counted.expect(200).json()["invalidated_count"], 0);
}

#[tokio::test]
async fn a_put_under_way_while_l3_is_switched_brings_nothing_back() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    // Its chunks, its tags and its row are written one after another; the document takes two requests.
    api.stack.l3().set(L3Fault::Slow { ms: 700 }).await;
    let large: String =
        (0..1_000_000_u32).map(|i| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 27) as u8 % 26)).collect();
    let body = json!({"value": large, "tags": ["red"], "compression_enabled": false}).to_string();
    let under_way = api.put(&entry("k"), body).pin("entries-1").send();
    let (under_way, _) = tokio::join!(under_way, switch(&api, "l3_config", false));
    under_way.expect(200);
    api.stack.l3().set(L3Fault::Ok).await;
    for container in ["entries-1", "entries-2"] {
        fresh(&api, container, "k").await.expect(404);
    }
    switch(&api, "l3_config", true).await;
    for container in ["entries-1", "entries-2"] {
        fresh(&api, container, "k").await.expect(404);
    }
}

#[tokio::test]
async fn l2_switched_on_again_shows_nothing_stale() {
    let api = fleet().await;
    for key in ["overwritten", "deleted", "kept"] {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
        get(&api, "entries-2", key).await.expect(200);
    }
    let only = r#"{"value":"old","cache_levels":["L2_REDIS"]}"#;
    api.put(&entry("only-l2"), only).pin("entries-1").send().await.expect(201);
    switch(&api, "l2_config", false).await;
    wait_out_the_window().await;
    let told = put(&api, "entries-1", "overwritten", "\"new\"").await.expect(200);
    let levels = told.json()["metadata"]["levels_stored"].take();
    assert!(!levels.to_string().contains("L2_REDIS"), "{levels}");
    api.delete(&entry("deleted")).pin("entries-2").send().await.expect(200);
    for container in FLEET {
        assert_eq!(fresh(&api, container, "overwritten").await.expect(200).value(), "\"new\"");
        fresh(&api, container, "only-l2").await.expect(404);
    }
    let refused = api.put(&entry("k"), r#"{"value":1,"cache_levels":["L2_REDIS"]}"#).pin("entries-4").send().await;
    refused.expect_error(400, "INVALID_REQUEST");
    switch(&api, "l2_config", true).await;
    // A container that has not heard of it yet writes L3 alone.
    put(&api, "entries-3", "late", "1").await.expect(201);
    for _ in 0..2 {
        for container in FLEET {
            assert_eq!(get(&api, container, "overwritten").await.expect(200).value(), "\"new\"", "{container}");
            get(&api, container, "deleted").await.expect(404);
            assert_eq!(get(&api, container, "kept").await.expect(200).value(), "\"old\"");
            get(&api, container, "only-l2").await.expect(404);
        }
        tokio::time::sleep(LAMBDA).await;
    }
    put(&api, "entries-1", "overwritten", "\"newest\"").await.expect(200);
    wait_out_the_window().await;
    for container in FLEET {
        assert_eq!(get(&api, container, "overwritten").await.expect(200).value(), "\"newest\"", "{container}");
    }
}

#[tokio::test]
async fn l2_can_be_switched_off_while_redis_is_down() {
    let api = Api::with(patient().containers(4)).await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    api.stack.redis().kill().unwrap();
    let answer = switch(&api, "l2_config", false).await;
    assert_eq!(answer["degraded"], true);
    tokio::time::sleep(LAMBDA).await;
    for container in FLEET {
        let found = get(&api, container, "k").await.expect(200);
        assert_eq!(found.cache_status("L2_REDIS"), "fwd=bypass; detail=disabled", "{container}");
    }
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    api.stack.redis().start().await.unwrap();
    wait_out_the_window().await;
    for container in FLEET {
        assert_eq!(get(&api, container, "k").await.expect(200).value(), "\"new\"", "{container}");
    }
}

#[tokio::test]
async fn l3_can_take_over_when_redis_dies_as_the_register() {
    let api = Api::with(strata_it::configured(json!({"l3_config": {"enabled": false}}))).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.redis().kill().unwrap();
    put(&api, "entries-1", "k", "2").await.expect_error(503, "LEVEL_UNAVAILABLE");
    switch(&api, "l3_config", true).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = put(&api, "entries-1", "k", "3").await.expect(201);
    assert_eq!(told.json()["degraded"], true);
    tokio::time::sleep(LAMBDA).await;
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "3");
}

#[tokio::test]
async fn l1_switched_off_and_on_is_empty() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
    switch(&api, "l1_config", false).await;
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-1", "k").await.level(), "L2_REDIS");
    switch(&api, "l1_config", true).await;
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-1", "k").await.level(), "L2_REDIS");
    assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
}
