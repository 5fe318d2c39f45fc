//! Redis answers, and takes no writes or evicts: the status says so, and why.

use super::{L2, status};
use crate::support::{command, eventually, put};
use serde_json::{Value, json};
use strata_it::{Api, configured};

async fn started() -> Api {
    let functions = ["authorizer", "entries", "status", "warmer"];
    super::ready(configured(json!({})).containers(2).functions(functions)).await
}

async fn configure(api: &Api, name: &str, value: &str) {
    command::<()>(api, &["CONFIG", "SET", name, value]).await;
}

/// A figure of Redis' INFO.
async fn figure(api: &Api, section: &str, name: &str) -> u64 {
    let info: String = command(api, &["INFO", section]).await;
    let lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(found, _)| *found == name).map(|(_, value)| value.trim().parse().unwrap()).next().unwrap()
}

#[tokio::test]
async fn that_redis_refuses_writes_is_said_with_its_code() {
    let api = started().await;
    assert_eq!(status(&api).await["levels"][L2].get("reason"), None);
    configure(&api, "maxmemory", "1").await;
    let said = status(&api).await;
    assert_eq!((&said["status"], &said["levels"][L2]["status"]), (&json!("degraded"), &json!("degraded")), "{said}");
    assert_eq!(said["levels"][L2]["reason"], "Redis refuses writes: OOM");
    configure(&api, "maxmemory", "0").await;
    eventually("writing again", async || status(&api).await["levels"][L2]["status"] == "healthy").await;
    assert_eq!(status(&api).await["levels"][L2].get("reason"), None);
}

#[tokio::test]
async fn that_redis_evicts_is_said_with_how_many() {
    let api = started().await;
    assert_eq!(status(&api).await["levels"][L2].get("evicted"), None, "nobody has looked yet");
    api.stack.tick().await.unwrap();
    assert_eq!(status(&api).await["levels"][L2]["evicted"], 0);
    let value = Value::from("7".repeat(10_000)).to_string();
    for number in 0..60 {
        put(&api, "entries-1", &format!("k:{number}"), &value).await.expect(201);
    }
    configure(&api, "maxmemory-policy", "volatile-lru").await;
    // What clients take of it changes by itself, so that one step may evict nothing.
    let mut room = figure(&api, "memory", "used_memory").await;
    while figure(&api, "stats", "evicted_keys").await == 0 {
        room -= 10_000;
        configure(&api, "maxmemory", &room.to_string()).await;
    }
    configure(&api, "maxmemory", "0").await;
    let said = status(&api).await;
    let l2 = &said["levels"][L2];
    assert_eq!((&said["status"], &l2["status"]), (&json!("degraded"), &json!("degraded")), "{said}");
    let evicted = l2["evicted"].as_u64().unwrap();
    assert!(evicted > 0, "{said}");
    assert_eq!(l2["reason"], "Redis is full and evicts");
}
