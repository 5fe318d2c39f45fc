//! When nothing can be undone, and by whom.

use super::{undo, undoably, undone};
use crate::{
    support::{command, fresh, invalidate, put},
    tables::{client, item},
};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use strata_it::{Api, configured, entry, stack::Claims};

#[tokio::test]
async fn what_cannot_be_kept_is_refused_and_says_why() {
    let api = Api::start().await;
    for (levels, seconds) in [(json!(["L1_MEMORY", "L2_REDIS"]), 60), (json!(["L1_MEMORY"]), 3600)] {
        let refused = invalidate(&api, json!({"pattern": "k", "levels": levels, "undo_seconds": seconds})).await;
        let refused = refused.expect_error(422, "VALIDATION_FAILED");
        assert!(refused.json()["error"]["message"].as_str().unwrap().starts_with("undo_seconds needs L3_DATABASE"));
    }
    for wrong in [json!(-1), json!(3601), json!(1.5), json!("60"), json!(null)] {
        let refused = invalidate(&api, json!({"pattern": "k", "undo_seconds": wrong})).await;
        let refused = refused.expect_error(400, "INVALID_REQUEST").json();
        assert_eq!(refused["error"]["message"], "undo_seconds must be an integer from 0 to 3600");
    }
    for wrong in ["undo_seconds=x", "undo_seconds=3601", "undo_seconds=1&undo_seconds=1", "undo=1"] {
        api.delete(&format!("{}?{wrong}", entry("k"))).send().await.expect_error(400, "INVALID_REQUEST");
    }
    for without in ["l3_config", "l2_config"] {
        let api = Api::with(configured(json!({without: {"enabled": false}}))).await;
        put(&api, "entries-1", "k", "1").await.expect(201);
        let refused = invalidate(&api, json!({"pattern": "k", "undo_seconds": 60})).await;
        refused.expect_error(422, "VALIDATION_FAILED");
        api.delete(&format!("{}?undo_seconds=60", entry("k"))).send().await.expect_error(422, "VALIDATION_FAILED");
        fresh(&api, "k").await.expect(200);
        let done = invalidate(&api, json!({"pattern": "k", "undo_seconds": 0})).await.expect(200).json();
        assert!(done.get("invalidation_id").is_none(), "{done}");
    }
}

#[tokio::test]
async fn the_configuration_decides_where_nothing_is_said() {
    let api = Api::with(configured(json!({"l3_config": {"undo_seconds": 600}}))).await;
    for key in ["a", "b", "c"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    let done = invalidate(&api, json!({"pattern": "a"})).await.expect(200).json();
    assert_eq!(undone(&api, done["invalidation_id"].as_str().unwrap()).await, [1, 0, 0]);
    let done = invalidate(&api, json!({"pattern": "b", "undo_seconds": 0})).await.expect(200).json();
    assert!(done.get("invalidation_id").is_none(), "{done}");
    let done = invalidate(&api, json!({"pattern": "b", "levels": ["L2_REDIS"]})).await.expect(200).json();
    assert!(done.get("invalidation_id").is_none(), "where it is possible: {done}");
    let deleted = api.delete(&entry("c")).send().await.expect(200).json();
    assert_eq!(undone(&api, deleted["invalidation_id"].as_str().unwrap()).await, [1, 0, 0]);
    let refused = api.put("/config", r#"{"l3_config":{"undo_seconds":3601}}"#).send().await;
    refused.expect_error(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn only_who_made_it_or_an_administrator_undoes() {
    let api = Api::start().await;
    put(&api, "entries-1", "x:1", "1").await.expect(201);
    let token = |scopes: &[&str], key: &str| api.stack.token(Claims::with_scopes(scopes).api_key(key));
    let body = json!({"pattern": "x:*", "undo_seconds": 600}).to_string();
    let made = api.request("POST", "/invalidate").bearer(&token(&["cache:write"], "mine")).body(body).send().await;
    let id = made.expect(200).json()["invalidation_id"].as_str().unwrap().to_owned();
    let path = format!("/invalidate/{id}/undo");
    let by = async |bearer: &str| api.request("POST", &path).bearer(bearer).send().await;
    by(&token(&["cache:write"], "other")).await.expect_error(404, "INVALIDATION_NOT_FOUND");
    by(&token(&["cache:read", "cache:admin"], "mine")).await.expect_error(403, "FORBIDDEN");
    let confined = |prefix: &str| {
        api.stack.token(Claims { prefixes: Some(vec![prefix.to_owned()]), ..Claims::default().api_key("mine") })
    };
    by(&confined("y:")).await.expect_error(404, "INVALIDATION_NOT_FOUND");
    by(&token(&["cache:write", "cache:admin"], "other")).await.expect(200);
    let again = by(&confined("x:")).await.expect(200).json();
    assert_eq!(again["restored"], 1);
    let long = "x".repeat(200);
    for unknown in ["0", "%2e", long.as_str(), &id[..40], "open-1"] {
        let refused = api.request("POST", &format!("/invalidate/{unknown}/undo")).send().await;
        refused.expect_error(404, "INVALIDATION_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_is_said_beside_the_path_is_refused() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let id = undoably(&api, json!({"pattern": "k"})).await;
    let path = format!("/invalidate/{id}/undo");
    for body in ["{bad}", "[]", "null", " ", r#"{"dry_run":true}"#, "{}{}"] {
        let refused = api.request("POST", &path).body(body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], "body", "{body}");
    }
    fresh(&api, "k").await.expect(404);
    for body in ["", "{}", " { } "] {
        assert_eq!(api.request("POST", &path).body(body).send().await.expect(200).json()["restored"], 1);
    }
}

#[tokio::test]
async fn after_its_time_it_is_too_late() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let done = invalidate(&api, json!({"pattern": "k", "undo_seconds": 1})).await.expect(200).json();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let late = undo(&api, done["invalidation_id"].as_str().unwrap()).await.expect_error(409, "UNDO_EXPIRED");
    assert_eq!(late.details()["undo_until"], done["undo_until"]);
    assert!(late.header("retry-after").is_none());
    fresh(&api, "k").await.expect(404);
}

/// An invalidation that is older, and has not removed all it means, may mean what would come back: by Redis, or by the note
/// of a job that Redis has lost.
#[tokio::test]
async fn an_older_invalidation_is_waited_for() {
    const OPEN: &str = "strata:cache:{j}open";
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let id = undoably(&api, json!({"pattern": "k"})).await;
    let older = r#"{"version":4096,"levels":7,"pattern":"k"}"#;
    command::<i64>(&api, &["HSET", OPEN, "1-0", older]).await;
    let refused = undo(&api, &id).await.expect_error(409, "UNDO_PENDING");
    assert_eq!(refused.header("retry-after"), Some("1"));
    command::<i64>(&api, &["HDEL", OPEN, "1-0"]).await;
    let note = client(&api).put_item().table_name("cache_control").set_item(Some(item("note", "#removal-1000")));
    note.item("body", AttributeValue::S(older.to_owned())).send().await.unwrap();
    undo(&api, &id).await.expect_error(409, "UNDO_PENDING");
    fresh(&api, "k").await.expect(404);
    let note = client(&api).delete_item().table_name("cache_control").set_key(Some(item("note", "#removal-1000")));
    note.send().await.unwrap();
    command::<i64>(&api, &["DEL", OPEN]).await;
    assert_eq!(undone(&api, &id).await, [1, 0, 0]);
}

/// One that took its version before an undo, and is recorded after it, is newer than what is back.
#[tokio::test]
async fn an_invalidation_after_an_undo_is_newer() {
    const META: &str = "strata:cache:{j}meta";
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let id = undoably(&api, json!({"pattern": "k"})).await;
    assert_eq!(undone(&api, &id).await, [1, 0, 0]);
    let mark: String = command(&api, &["HGET", META, "undone"]).await;
    // As if the clock stood still for an hour: whoever begins has an older version, and is told so.
    let ahead = (mark.parse::<u64>().unwrap() + ((3_600_000_000_u64) << 12)).to_string();
    command::<i64>(&api, &["HSET", META, "undone", &format!("{ahead:0>20}")]).await;
    let done = invalidate(&api, json!({"pattern": "k"})).await.expect(200).json();
    assert_eq!(done["invalidated_count"], 1);
    fresh(&api, "k").await.expect(404);
}
