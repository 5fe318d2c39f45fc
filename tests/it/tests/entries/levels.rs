//! Which level answers, and what `cache_levels` leaves where.

use serde_json::json;
use strata_it::{Answer, Api, entry};

/// Empties Redis.
pub async fn flush(api: &Api) {
    let client = redis::Client::open(api.stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
}

async fn get(api: &Api, key: &str, container: &str) -> Answer {
    api.get(&entry(key)).pin(container).send().await
}

#[tokio::test]
async fn each_level_answers_in_turn() {
    let api = Api::start().await;
    let put = api.put(&entry("k"), r#"{"value":[1],"ttl_seconds":300}"#).pin("entries-1").send().await.expect(201);
    assert_eq!(put.container(), "entries-1");

    let shared = get(&api, "k", "entries-2").await.expect(200);
    assert_eq!(shared.level(), "L2_REDIS");
    assert_eq!(shared.cache_status("L1_MEMORY"), "fwd=uri-miss");
    assert_eq!(shared.cache_status("L3_DATABASE"), "");
    assert_eq!(get(&api, "k", "entries-2").await.level(), "L1_MEMORY");

    flush(&api).await;
    api.stack.kill("entries-2").await;
    let durable = get(&api, "k", "entries-2").await.expect(200);
    assert_eq!((durable.level().as_str(), durable.value()), ("L3_DATABASE", "[1]"));
    let ttl = durable.cache_status("L3_DATABASE").strip_prefix("hit; ttl=").unwrap().parse::<u32>().unwrap();
    assert!((290..=300).contains(&ttl), "{ttl}");
    assert_eq!(durable.json()["metadata"]["expires_at"], put.json()["metadata"]["expires_at"]);

    api.stack.kill("entries-1").await;
    assert_eq!(get(&api, "k", "entries-1").await.expect(200).level(), "L2_REDIS", "promoted again");
    assert_eq!(get(&api, "k", "entries-1").await.level(), "L1_MEMORY");
}

#[tokio::test]
async fn an_entry_is_only_where_its_put_wants_it() {
    let api = Api::start().await;
    for levels in [
        vec!["L1_MEMORY"],
        vec!["L2_REDIS"],
        vec!["L3_DATABASE"],
        vec!["L1_MEMORY", "L3_DATABASE"],
        vec!["L2_REDIS", "L3_DATABASE"],
        vec!["L1_MEMORY", "L2_REDIS"],
    ] {
        let key = levels.join("+");
        let body = json!({"value": 1, "cache_levels": levels}).to_string();
        let put = api.put(&entry(&key), body.clone()).pin("entries-1").send().await.expect(201);
        assert_eq!(put.json()["metadata"]["levels_stored"], json!(levels));
        api.put(&entry(&key), body).pin("entries-1").send().await.expect(200);
        for _ in 0..2 {
            assert_eq!(get(&api, &key, "entries-1").await.expect(200).level(), levels[0]);
        }
        let shared = levels.iter().find(|level| **level != "L1_MEMORY");
        let other = get(&api, &key, "entries-2").await;
        match shared {
            Some(level) => assert_eq!(other.expect(200).level(), *level),
            None => drop(other.expect(404)),
        }
        let deleted = api.delete(&entry(&key)).pin("entries-1").send().await.expect(200);
        assert_eq!(deleted.json()["deleted_from_levels"], json!(levels));
    }
}

#[tokio::test]
async fn no_older_copy_is_left_elsewhere() {
    let api = Api::start().await;
    api.put(&entry("k"), r#"{"value":"old"}"#).pin("entries-1").send().await.expect(201);
    get(&api, "k", "entries-2").await.expect(200);
    for levels in [r#"["L1_MEMORY"]"#, r#"["L1_MEMORY","L2_REDIS"]"#, r#"["L2_REDIS"]"#] {
        let body = format!(r#"{{"value":"new","cache_levels":{levels}}}"#);
        api.put(&entry("k"), body).pin("entries-1").send().await.expect(200);
        flush(&api).await;
        let found = api.get(&entry("k")).pin("entries-2").header("cache-control", "no-cache").send().await;
        found.expect_error(404, "CACHE_KEY_NOT_FOUND");
        api.put(&entry("k"), r#"{"value":"old"}"#).pin("entries-1").send().await;
    }
    api.put(&entry("k"), r#"{"value":"new","cache_levels":["L3_DATABASE"]}"#).pin("entries-1").send().await;
    let found = api.get(&entry("k")).pin("entries-2").header("cache-control", "no-cache").send().await.expect(200);
    assert_eq!((found.value(), found.level().as_str()), (r#""new""#, "L3_DATABASE"));
}

#[tokio::test]
async fn another_container_s_overwrite_is_seen_at_once_on_demand() {
    let api = Api::start().await;
    for round in 0..5 {
        let body = format!(r#"{{"value":{round}}}"#);
        api.put(&entry("k"), body).pin("entries-1").send().await;
        let found = api.get(&entry("k")).pin("entries-2").header("cache-control", "no-cache").send().await.expect(200);
        assert_eq!(found.value(), round.to_string());
    }
}
