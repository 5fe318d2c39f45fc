//! Lists while a level is down.

use super::{keys, start, store, without_l3};
use crate::support::{eventually, invalidate, put};
use serde_json::json;
use strata_it::{Answer, Api, entry, stack::L3Fault};

async fn filled(api: Api) -> Api {
    for key in ["a:1", "a:2", "b:1"] {
        store(&api, key, json!({"tags": ["t", key]})).await;
    }
    api
}

#[track_caller]
fn assert_down(answer: Answer, level: &str) {
    let refused = answer.expect_error(503, "LEVEL_UNAVAILABLE");
    assert_eq!((refused.header("retry-after"), &refused.details()["level"]), (Some("1"), &json!(level)));
}

#[tokio::test]
async fn without_l3_nobody_can_say_what_there_is() {
    let api = filled(start().await).await;
    assert_eq!(keys(&api, &[]).await.len(), 3);
    api.stack.l3().set(L3Fault::Stopped).await;
    for path in ["/keys", "/keys?tag=t"] {
        assert_down(api.get(path).send().await, "L3_DATABASE");
    }
    let tags = api.get("/tags").send().await.expect(200).json();
    assert_eq!(tags["tags"].as_array().unwrap().len(), 4, "{tags}");
    api.stack.l3().set(L3Fault::Ok).await;
    // Each container finds that out by itself.
    for container in ["status-1", "status-2"] {
        eventually("L3's return", async || api.get("/keys").pin(container).send().await.status == 200).await;
    }
    assert_eq!(keys(&api, &[("tag", "t")]).await, ["a:1", "a:2", "b:1"]);
}

#[tokio::test]
async fn without_l2_keys_come_from_l3_as_they_are_now() {
    let api = filled(start().await).await;
    store(&api, "l2", json!({"cache_levels": ["L2_REDIS"]})).await;
    api.stack.redis_path("all").cut().await;
    assert_eq!(keys(&api, &[]).await, ["a:1", "a:2", "b:1", "l2"], "what only L2 has is there when that is back");
    put(&api, "entries-1", "b:2", "1").await.expect(201);
    api.delete(&entry("a:1")).pin("entries-1").send().await.expect(200);
    assert_eq!(keys(&api, &[("prefix", "a:")]).await, ["a:2"]);
    assert_eq!(keys(&api, &[("tag", "t"), ("limit", "1")]).await, ["a:2", "b:1"]);
    invalidate(&api, json!({"tags": ["t"]})).await.expect(200);
    assert_eq!(keys(&api, &[]).await, ["b:2", "l2"]);
    for path in ["/tags", "/stats"] {
        assert_down(api.get(path).send().await, "L2_REDIS");
    }
}

#[tokio::test]
async fn where_l2_decides_and_is_down_nobody_can_say() {
    let api = filled(without_l3().await).await;
    assert_eq!(keys(&api, &[]).await.len(), 3);
    api.stack.redis_path("all").cut().await;
    for path in ["/keys", "/keys?tag=t", "/tags", "/stats"] {
        assert_down(api.get(path).send().await, "L2_REDIS");
    }
}
