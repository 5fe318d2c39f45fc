//! What every engine must do. Each scenario has keys of its own, so that they can follow one another on one stack.

use super::{Rig, servers};
use crate::support::{eventually, get, put, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Answer, entry, entry_by_query, stack::Claims};

/// Every scenario.
pub async fn all(rig: &Rig) {
    copies_are_shared(rig).await;
    changes_are_seen(rig).await;
    invalidation_finds_what_it_means(rig).await;
    indexes_forget_what_is_gone(rig).await;
    large_values_and_short_lives(rig).await;
    the_journal_tells_in_order(rig).await;
    scripts_and_connections_are_lost(rig).await;
    limits_hold_for_all_containers(rig).await;
    statistics_span_the_nodes(rig).await;
    what_is_warmed_comes_into_memory(rig).await;
    a_flush_loses_nothing_and_revives_nothing(rig).await;
}

/// Those that hold when L2 decides.
pub async fn without_l3(rig: &Rig) {
    copies_are_shared(rig).await;
    changes_are_seen(rig).await;
    invalidation_finds_what_it_means(rig).await;
    indexes_forget_what_is_gone(rig).await;
    limits_hold_for_all_containers(rig).await;
    statistics_span_the_nodes(rig).await;
    what_is_warmed_comes_into_memory(rig).await;
    scripts_and_connections_are_lost(rig).await;
}

/// Stores a value with a tag through the first container; Redis must have been told.
async fn put_tagged(rig: &Rig, key: &str, value: &str, tag: &str) -> Answer {
    let body = format!(r#"{{"value":{value},"tags":["{tag}"]}}"#);
    told(rig.api.put(&entry(key), body).pin("entries-1").send().await)
}

/// A mutation that succeeded, in Redis as well.
#[track_caller]
fn told(answer: Answer) -> Answer {
    assert!(answer.status < 300 && answer.json().get("degraded").is_none(), "{answer:?}");
    answer
}

async fn invalidate(rig: &Rig, body: Value) -> Value {
    rig.api.request("POST", "/invalidate").body(body.to_string()).send().await.expect(200).json()
}

async fn copies_are_shared(rig: &Rig) {
    for i in 0..40 {
        let stored = put_tagged(rig, &format!("copies:{i}"), &i.to_string(), "copies").await.expect(201).json();
        let levels = stored["metadata"]["levels_stored"].as_array().unwrap();
        assert!(levels.contains(&json!("L2_REDIS")), "{stored}");
    }
    for i in 0..40 {
        let found = get(&rig.api, "entries-2", &format!("copies:{i}")).await.expect(200);
        assert_eq!((found.value(), found.level().as_str()), (i.to_string().as_str(), "L2_REDIS"));
    }
    assert_eq!(get(&rig.api, "entries-2", "copies:0").await.level(), "L1_MEMORY");
}

async fn changes_are_seen(rig: &Rig) {
    for key in ["changes:1", "changes:2"] {
        told(put(&rig.api, "entries-1", key, "\"old\"").await);
        get(&rig.api, "entries-2", key).await.expect(200);
    }
    told(put(&rig.api, "entries-1", "changes:1", "\"new\"").await);
    told(rig.api.delete(&entry("changes:2")).pin("entries-1").send().await);
    wait_out_the_window().await;
    assert_eq!(get(&rig.api, "entries-2", "changes:1").await.expect(200).value(), "\"new\"");
    get(&rig.api, "entries-2", "changes:2").await.expect(404);
    let fresh = rig.api.get(&entry("changes:1")).pin("entries-2").header("cache-control", "no-cache").send().await;
    assert_eq!(fresh.expect(200).value(), "\"new\"");
}

async fn invalidation_finds_what_it_means(rig: &Rig) {
    for i in 0..30 {
        put_tagged(rig, &format!("inv:{i}"), "1", if i % 2 == 0 { "even" } else { "odd" }).await;
        get(&rig.api, "entries-2", &format!("inv:{i}")).await.expect(200);
    }
    let planned = invalidate(rig, json!({"pattern": "inv:*", "dry_run": true})).await;
    assert_eq!(planned["invalidated_count"], 30);
    let too_many = json!({"pattern": "inv:*", "max_affected": 29}).to_string();
    rig.api.request("POST", "/invalidate").body(too_many).send().await.expect_error(409, "TOO_MANY_MATCHES");
    let by_tag = invalidate(rig, json!({"tags": ["odd"]})).await;
    assert_eq!(by_tag["invalidated_count"], 15);
    let by_pattern = invalidate(rig, json!({"pattern": "inv:1?"})).await;
    assert_eq!(by_pattern["invalidated_count"], 5, "10, 12, 14, 16 and 18 are left");
    wait_out_the_window().await;
    for (key, status) in [("inv:1", 404), ("inv:10", 404), ("inv:2", 200), ("inv:20", 200)] {
        get(&rig.api, "entries-2", key).await.expect(status);
    }
}

/// Members that outlive their entries would make every later invalidation dearer.
async fn indexes_forget_what_is_gone(rig: &Rig) {
    for i in 0..10 {
        put_tagged(rig, &format!("index:{i}"), "1", "index-old").await;
    }
    // The same keys under another tag, one without any, one deleted.
    for i in 0..8 {
        put_tagged(rig, &format!("index:{i}"), "2", "index-new").await;
    }
    told(put(&rig.api, "entries-1", "index:8", "2").await);
    told(rig.api.delete(&entry("index:9")).send().await);
    for (selector, count) in [
        (json!({"tags": ["index-old"], "dry_run": true}), 0),
        (json!({"tags": ["index-new"], "dry_run": true}), 8),
        (json!({"pattern": "index:*"}), 9),
        (json!({"pattern": "index:*", "dry_run": true}), 0),
        (json!({"tags": ["index-new"], "dry_run": true}), 0),
    ] {
        assert_eq!(invalidate(rig, selector.clone()).await["invalidated_count"], count, "{selector}");
    }
}

/// The class of bulk requests: 100 a minute, one permit at a time.
async fn limits_hold_for_all_containers(rig: &Rig) {
    let token = rig.api.stack.token(Claims::default().api_key("busy"));
    let mut admitted = 0;
    for i in 0..106 {
        let plan = json!({"pattern": "limits:*", "dry_run": true}).to_string();
        let asked = rig.api.request("POST", "/invalidate").body(plan).bearer(&token);
        let answer = asked.pin(["invalidate-1", "invalidate-2"][i % 2]).send().await;
        admitted += usize::from(answer.status == 200);
    }
    assert_eq!(admitted, 100);
}

async fn status(rig: &Rig) -> Value {
    rig.api.get("/status").send().await.expect(200).json()
}

async fn statistics_span_the_nodes(rig: &Rig) {
    wait_out_the_window().await;
    let before = status(rig).await;
    for i in 0..40 {
        put_tagged(rig, &format!("counted:{i}"), "1", "counted").await;
    }
    get(&rig.api, "entries-1", "counted:0").await.expect(200);
    wait_out_the_window().await;
    get(&rig.api, "entries-1", "counted:0").await.expect(200);
    let after = status(rig).await;
    assert_eq!(after["status"], "healthy", "{after}");
    let more = |level: usize, field: &str| {
        let count = |told: &Value| told["levels"][level][field].as_i64().unwrap();
        count(&after) - count(&before)
    };
    assert_eq!((more(1, "entries"), more(0, "hits")), (40, 1), "{before} {after}");
    let (told, used) = (after["levels"][1]["memory_usage_mb"].as_f64().unwrap(), used_mb(rig).await);
    assert!((told / used - 1.0).abs() < 0.5, "{told} MiB of {used}");
}

/// The memory of all nodes.
async fn used_mb(rig: &Rig) -> f64 {
    let mut bytes = 0.0;
    for url in &rig.nodes {
        let info = servers::say(url, &["INFO", "memory"]).await;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        bytes += used.trim().parse::<f64>().unwrap();
    }
    bytes / 1024.0 / 1024.0
}

/// Of all nodes at once, within a quarter of the level's timeout. A busy machine may be too slow for that now and then.
async fn what_is_warmed_comes_into_memory(rig: &Rig) {
    for attempt in 0..10 {
        let keys: Vec<String> = (0..20).map(|i| format!("warmed:{attempt}:{i}")).collect();
        for key in &keys {
            told(put(&rig.api, "entries-1", key, "1").await);
        }
        let body = json!({"keys": keys}).to_string();
        let job = rig.api.request("POST", "/warm").body(body).send().await.expect(202).json();
        let report = format!("/warm/{}", job["warming_job_id"].as_str().unwrap());
        eventually("the job", async || rig.api.get(&report).send().await.expect(200).json()["state"] == "done").await;
        wait_out_the_window().await;
        get(&rig.api, "entries-2", "nothing").await.expect(404);
        let mut held = 0;
        for key in &keys {
            held += usize::from(get(&rig.api, "entries-2", key).await.expect(200).level() == "L1_MEMORY");
        }
        if held == keys.len() {
            return;
        }
    }
    panic!("nothing is prefetched");
}

async fn large_values_and_short_lives(rig: &Rig) {
    let large = format!("\"{}\"", "0123456789abcdef".repeat(64 * 1024));
    let body = format!(r#"{{"value":{large},"compression_enabled":false}}"#);
    told(rig.api.put(&entry("large"), body).pin("entries-1").send().await);
    let found = get(&rig.api, "entries-2", "large").await.expect(200);
    assert_eq!(found.value().len(), large.len());

    let odd = "braces {in} a key: \u{e9}\u{1f980} ?#%";
    let address = entry_by_query(odd);
    told(rig.api.put(&address, r#"{"value":1,"ttl_seconds":1}"#).pin("entries-1").send().await);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    rig.api.get(&address).pin("entries-2").send().await.expect(404);
}

async fn the_journal_tells_in_order(rig: &Rig) {
    let journal = async |query: &str| rig.api.get(&format!("/journal?{query}")).send().await.expect(200).json();
    let since = journal("limit=1").await["next"].as_str().unwrap().to_owned();
    put_tagged(rig, "journal:1", "1", "journal").await;
    told(rig.api.delete(&entry("journal:1")).pin("entries-2").send().await);
    invalidate(rig, json!({"pattern": "journal:*", "reason": "the suite"})).await;
    let told = journal(&format!("since={since}")).await;
    let kinds: Vec<_> = told["mutations"].as_array().unwrap().iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["put", "delete", "invalidate"], "{told}");
    let rest = journal(&format!("since={}", told["next"].as_str().unwrap())).await;
    assert_eq!(rest["mutations"], json!([]));
}

/// As after a restart that kept the data, a failover, or a connection that AWS ends.
async fn scripts_and_connections_are_lost(rig: &Rig) {
    told(put(&rig.api, "entries-1", "lost", "1").await);
    get(&rig.api, "entries-2", "lost").await.expect(200);
    for words in [&["SCRIPT", "FLUSH"][..], &["CLIENT", "KILL", "TYPE", "normal"], &["SCRIPT", "FLUSH"]] {
        rig.every_node(words).await;
        told(put(&rig.api, "entries-1", "lost", &format!("{words:?}")).await);
        wait_out_the_window().await;
        let found = get(&rig.api, "entries-2", "lost").await.expect(200);
        assert_eq!(found.level(), "L2_REDIS", "after {words:?}");
    }
}

async fn a_flush_loses_nothing_and_revives_nothing(rig: &Rig) {
    told(put(&rig.api, "entries-1", "flush:kept", "1").await);
    told(put(&rig.api, "entries-1", "flush:gone", "1").await);
    get(&rig.api, "entries-2", "flush:gone").await.expect(200);
    told(rig.api.delete(&entry("flush:gone")).pin("entries-1").send().await);
    rig.every_node(&["FLUSHALL"]).await;
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(get(&rig.api, container, "flush:kept").await.expect(200).value(), "1");
        get(&rig.api, container, "flush:gone").await.expect(404);
    }
}
