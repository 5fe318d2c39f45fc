//! Every container goes by a change within Δ, whatever is lost; without Redis within Λ.

use super::{FLEET, LAMBDA, configure, fleet, shown, stored};
use crate::support::{command, flush, get, put, wait_out_the_window};
use serde_json::json;
use strata_it::{Api, entry, patient, stack::L3Fault};

async fn kill_all(api: &Api) {
    for container in api.stack.containers() {
        api.stack.kill(&container.name).await;
    }
}

#[tokio::test]
async fn the_fleet_follows_within_the_window() {
    let api = fleet().await;
    let large = format!("\"{}\"", "x".repeat(3000));
    for container in FLEET {
        assert_eq!(stored(&api, container, &large).await["compressed"], true);
    }
    let update = json!({
        "l1_config": {"enabled": false},
        "l2_config": {"compression_enabled": false},
        "serialization": {"format": "json"},
        "max_entry_size_mb": 1,
    });
    configure(&api, update).await.expect(200);
    wait_out_the_window().await;
    let too_large = format!("{{\"value\":\"{}\"}}", "x".repeat(1024 * 1024));
    for container in FLEET {
        let said = stored(&api, container, &large).await;
        assert_eq!(
            (&said["compressed"], &said["serialization_format"]),
            (&json!(false), &json!("json")),
            "{container}"
        );
        assert_eq!(said["levels_stored"], json!(["L2_REDIS", "L3_DATABASE"]), "{container}");
        get(&api, container, "k").await.expect(404);
        put(&api, container, "k", "1").await;
        let found = get(&api, container, "k").await.expect(200);
        assert_eq!(found.cache_status("L1_MEMORY"), "fwd=bypass; detail=disabled", "{container}");
        let refused = api.put(&entry("large"), too_large.clone()).pin(container).send().await;
        assert_eq!(refused.expect_error(413, "ENTRY_TOO_LARGE").details()["max_size_bytes"], 1024 * 1024);
        api.delete(&entry("k")).pin(container).send().await.expect(200);
    }
}

#[tokio::test]
async fn values_stored_before_a_change_are_read_after_it() {
    let api = Api::start().await;
    let large = format!("\"{}\"", "x".repeat(1_500_000));
    put(&api, "entries-1", "k", &large).await.expect(201);
    let update = json!({
        "compression": {"algorithm": "zstd", "level": 9}, "serialization": {"format": "json"}, "max_entry_size_mb": 1,
    });
    configure(&api, update).await.expect(200);
    flush(&api).await;
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), large);
}

#[tokio::test]
async fn the_window_itself_changes() {
    let api = Api::with(patient().coherence_window_ms(1500)).await;
    configure(&api, json!({"l1_config": {"coherence_window_ms": 0}})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1600)).await;
    get(&api, "entries-2", "k").await.expect(404);
    for round in 0..10 {
        put(&api, "entries-1", "k", &round.to_string()).await;
        assert_eq!(get(&api, "entries-2", "k").await.value(), round.to_string());
    }
}

#[tokio::test]
async fn a_smaller_memory_keeps_what_fits() {
    let api = Api::start().await;
    for number in 0..20 {
        put(&api, "entries-1", &format!("k{number}"), "1").await.expect(201);
    }
    configure(&api, json!({"l1_config": {"max_capacity": 5}})).await.expect(200);
    wait_out_the_window().await;
    get(&api, "entries-1", "not-there").await.expect(404);
    let mut held = 0;
    // What was put last is what stays; reading the others would push it out.
    for number in (0..20).rev() {
        let found = get(&api, "entries-1", &format!("k{number}")).await.expect(200);
        held += usize::from(found.cache_status("L1_MEMORY").starts_with("hit"));
    }
    assert!((1..=5).contains(&held), "{held}");
}

#[tokio::test]
async fn a_change_survives_whatever_is_lost() {
    let api = fleet().await;
    configure(&api, json!({"l2_config": {"compression_enabled": false}})).await.expect(200);
    let large = format!("\"{}\"", "x".repeat(3000));
    flush(&api).await;
    wait_out_the_window().await;
    assert_eq!(stored(&api, "entries-1", &large).await["compressed"], false, "after a flush");
    api.stack.redis().restart_empty().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(stored(&api, "entries-2", &large).await["compressed"], false, "after a restart of Redis");
    kill_all(&api).await;
    api.stack.redis().restart_empty().await.unwrap();
    for container in FLEET {
        assert_eq!(stored(&api, container, &large).await["compressed"], false, "in a new container");
    }
    assert_eq!(shown(&api).await["l2_config"]["compression_enabled"], false);
}

#[tokio::test]
async fn a_container_that_lost_redis_follows_within_lambda() {
    let api = Api::start().await;
    let large = format!("\"{}\"", "x".repeat(3000));
    api.stack.redis_path("entries-2").cut().await;
    stored(&api, "entries-2", "1").await;
    configure(&api, json!({"l2_config": {"compression_enabled": false}})).await.expect(200);
    assert_eq!(stored(&api, "entries-2", &large).await["compressed"], false, "a mutation asks first");
}

#[tokio::test]
async fn a_change_that_redis_was_not_told_of_is_found_within_lambda() {
    let api = Api::start().await;
    let large = format!("\"{}\"", "x".repeat(3000));
    for container in ["config-1", "config-2"] {
        api.stack.redis_path(container).cut().await;
    }
    let answer = configure(&api, json!({"l2_config": {"compression_enabled": false}})).await.expect(200);
    assert_eq!(answer.json()["degraded"], true);
    tokio::time::sleep(LAMBDA).await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(stored(&api, container, &large).await["compressed"], false, "{container}");
    }
}

#[tokio::test]
async fn asking_again_for_what_redis_was_not_told_of_tells_it() {
    let api = Api::start().await;
    let update = json!({"l2_config": {"compression_enabled": false}});
    for container in ["config-1", "config-2"] {
        api.stack.redis_path(container).cut().await;
    }
    for attempt in ["changed", "unchanged"] {
        let answer = configure(&api, update.clone()).await.expect(200);
        assert_eq!(answer.json()["degraded"], true, "{attempt}");
    }
    for container in ["config-1", "config-2"] {
        api.stack.redis_path(container).restore().await;
    }
    // Redis is left alone for a moment after it failed.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let answer = configure(&api, update).await.expect(200).json();
    assert_eq!(answer["updated_fields"], json!([]));
    assert!(answer.get("degraded").is_none());
    wait_out_the_window().await;
    let large = format!("\"{}\"", "x".repeat(3000));
    assert_eq!(stored(&api, "entries-1", &large).await["compressed"], false);
}

#[tokio::test]
async fn the_time_of_l3_changes_while_containers_run() {
    let api = Api::with(patient()).await;
    get(&api, "entries-1", "k").await.expect(404);
    configure(&api, json!({"l3_config": {"timeout_ms": 300}})).await.expect(200);
    wait_out_the_window().await;
    get(&api, "entries-1", "k").await.expect(404);
    api.stack.l3().set(L3Fault::Slow { ms: 900 }).await;
    get(&api, "entries-1", "other").await.expect_error(503, "LEVEL_UNAVAILABLE");
}

#[tokio::test]
async fn without_the_control_table_redis_says_what_is_in_force() {
    let api = Api::start().await;
    configure(&api, json!({"max_entry_size_mb": 3})).await.expect(200);
    api.stack.l3().set(L3Fault::Stopped).await;
    assert_eq!(shown(&api).await["max_entry_size_mb"], 3);
    kill_all(&api).await;
    assert_eq!(shown(&api).await["max_entry_size_mb"], 3, "in a new container");
    kill_all(&api).await;
    api.stack.redis().kill().unwrap();
    api.get("/config").send().await.expect_error(503, "LEVEL_UNAVAILABLE");
}

#[tokio::test]
async fn a_change_takes_effect_although_the_control_table_was_put_back() {
    let api = Api::start().await;
    configure(&api, json!({"max_entry_size_mb": 3})).await.expect(200);
    // What Redis and the containers went by before the table was restored.
    let before = r#"{"version":7,"fields":{"max_entry_size_mb":5}}"#;
    command::<i64>(&api, &["HSET", "strata:cache:{j}meta", "config", "7", "document", before]).await;
    let answer = configure(&api, json!({"l2_config": {"compression_enabled": false}})).await.expect(200);
    assert_eq!(answer.header("etag"), Some("\"8\""));
    assert_eq!(answer.json()["updated_fields"], json!(["l2_config.compression_enabled"]));
    wait_out_the_window().await;
    let large = format!("\"{}\"", "x".repeat(3000));
    assert_eq!(stored(&api, "entries-1", &large).await["compressed"], false);
    assert_eq!(shown(&api).await["max_entry_size_mb"], 5, "the update began with what was in force");
}
