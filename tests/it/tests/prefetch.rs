//! What a warm record names comes into the memory of every container, within bounds, and nothing that is not current.

use crate::support::{command, copy_name, eventually, get, invalidate, put};
use serde_json::{Value, json};
use strata_it::{Api, configured, entry, stack::Options};

const JOURNAL: &str = "strata:cache:{j}journal";
/// Where who comes to a gap in the journal finds them.
const NAMED: &str = "strata:cache:{j}index:named";
/// Containers that did not store what is named.
const OTHERS: [&str; 2] = ["entries-2", "entries-3"];
/// Most entries that one sync brings.
const AT_ONCE: usize = 64;

/// Three containers that sync when they are told to, and have two seconds for a prefetch: a quarter of L2's timeout.
fn stack() -> Options {
    let options = configured(json!({"l2_config": {"timeout_ms": 8_000}})).containers(3).coherence_window_ms(60_000);
    options.env("RATE_LIMITS", "off")
}

/// Appends a warm record as a job does.
async fn warm<K: AsRef<str>>(api: &Api, keys: impl IntoIterator<Item = K>) {
    let entries: Vec<_> = keys.into_iter().map(|key| json!([key.as_ref(), 200])).collect();
    let body = Value::from(entries).to_string();
    let at: String = command(api, &["XADD", JOURNAL, "*", "kind", "warm", "body", &body]).await;
    let _: String = command(api, &["XADD", NAMED, &at, "kind", "warm", "body", &body]).await;
}

/// Makes a container sync, by a read that finds nothing.
async fn sync(api: &Api, container: &str) {
    api.get(&entry("nothing")).pin(container).header("cache-control", "no-cache").send().await.expect(404);
}

async fn level(api: &Api, container: &str, key: &str) -> String {
    get(api, container, key).await.expect(200).level()
}

#[tokio::test]
async fn what_is_named_is_in_the_memory_of_every_container_after_one_sync() {
    let api = Api::with(stack()).await;
    let keys: Vec<String> = (0..10).map(|number| format!("k{number}")).collect();
    for key in &keys {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    put(&api, "entries-1", "unnamed", "1").await.expect(201);
    put(&api, "entries-2", "own", "1").await.expect(201);
    warm(&api, &keys).await;
    for container in OTHERS {
        sync(&api, container).await;
        for key in &keys {
            let found = get(&api, container, key).await.expect(200);
            assert_eq!((found.level().as_str(), found.value()), ("L1_MEMORY", "1"), "{container}, {key}");
            let read_before = OTHERS.iter().take_while(|other| **other != container).count();
            assert_eq!(found.json()["metadata"]["access_count"], read_before + 1, "a prefetch is no read");
        }
        assert_eq!(level(&api, container, "unnamed").await, "L2_REDIS");
        // Tells the fleet of these reads.
        sync(&api, container).await;
    }
    assert_eq!(level(&api, "entries-2", "own").await, "L1_MEMORY", "a warm record takes nothing out of the memory");
}

/// Keeps the copy of a key aside, from where [`put_back`] brings it again: as if whoever changes the key had been killed
/// before it reached L2.
async fn keep(api: &Api, key: &str) {
    let _: i64 = command(api, &["COPY", &copy_name(key), &format!("kept:{key}")]).await;
}

async fn put_back(api: &Api, key: &str) {
    let _: i64 = command(api, &["COPY", &format!("kept:{key}"), &copy_name(key), "REPLACE"]).await;
}

#[tokio::test]
async fn what_was_changed_since_it_was_named_is_not_brought_back() {
    let api = Api::with(stack()).await;
    let keys = ["deleted", "overwritten", "swept:1", "current"];
    for key in keys {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
        keep(&api, key).await;
    }
    warm(&api, keys).await;
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    put(&api, "entries-1", "overwritten", "\"new\"").await.expect(200);
    invalidate(&api, json!({"pattern": "swept:*"})).await.expect(200);
    for key in keys {
        put_back(&api, key).await;
    }
    for container in OTHERS {
        sync(&api, container).await;
        assert_eq!(level(&api, container, "current").await, "L1_MEMORY", "{container}");
        get(&api, container, "deleted").await.expect(404);
        get(&api, container, "swept:1").await.expect(404);
        assert_eq!(get(&api, container, "overwritten").await.expect(200).value(), "\"new\"");
    }
}

#[tokio::test]
async fn what_the_journal_does_not_tell_of_any_more_is_not_brought_back() {
    let api = Api::with(stack()).await;
    put(&api, "entries-1", "deleted", "\"old\"").await.expect(201);
    keep(&api, "deleted").await;
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    put_back(&api, "deleted").await;
    put(&api, "entries-1", "current", "1").await.expect(201);
    let _: u64 = command(&api, &["XTRIM", JOURNAL, "MAXLEN", "1"]).await;
    put(&api, "entries-1", "newest", "1").await.expect(201);
    warm(&api, ["deleted", "newest"]).await;
    sync(&api, "entries-2").await;
    assert_eq!(level(&api, "entries-2", "newest").await, "L1_MEMORY", "who begins anew prefetches, too");
    get(&api, "entries-2", "deleted").await.expect(404);
}

#[tokio::test]
async fn entries_whose_levels_leave_out_the_memory_stay_out_of_it() {
    let api = Api::with(stack()).await;
    let body = r#"{"value":1,"cache_levels":["L2_REDIS","L3_DATABASE"]}"#;
    api.put(&entry("shared"), body).pin("entries-1").send().await.expect(201);
    put(&api, "entries-1", "everywhere", "1").await.expect(201);
    warm(&api, ["shared", "everywhere"]).await;
    sync(&api, "entries-2").await;
    assert_eq!(level(&api, "entries-2", "everywhere").await, "L1_MEMORY");
    assert_eq!(level(&api, "entries-2", "shared").await, "L2_REDIS");
}

#[tokio::test]
async fn more_than_one_sync_may_bring_comes_with_the_next_ones() {
    let api = Api::with(stack()).await;
    let keys: Vec<String> = (0..2 * AT_ONCE + 10).map(|number| format!("k{number}")).collect();
    for key in &keys {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    warm(&api, &keys).await;
    sync(&api, "entries-2").await;
    let held_by = async |container| {
        let mut held = 0;
        for key in &keys {
            held += usize::from(level(&api, container, key).await == "L1_MEMORY");
        }
        held
    };
    assert_eq!(held_by("entries-2").await, AT_ONCE);
    for _ in 0..3 {
        sync(&api, "entries-3").await;
    }
    assert_eq!(held_by("entries-3").await, keys.len());
}

#[tokio::test]
async fn with_l2_as_the_register_what_it_says_now_is_prefetched() {
    let config = json!({"l2_config": {"timeout_ms": 8_000}, "l3_config": {"enabled": false}});
    let api = Api::with(configured(config).coherence_window_ms(60_000).env("RATE_LIMITS", "off")).await;
    for key in ["kept", "changed", "deleted"] {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
    }
    warm(&api, ["kept", "changed", "deleted"]).await;
    put(&api, "entries-1", "changed", "\"new\"").await.expect(200);
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    sync(&api, "entries-2").await;
    for (key, value) in [("kept", "\"old\""), ("changed", "\"new\"")] {
        let found = get(&api, "entries-2", key).await.expect(200);
        assert_eq!((found.level().as_str(), found.value()), ("L1_MEMORY", value));
    }
    get(&api, "entries-2", "deleted").await.expect(404);
    put(&api, "entries-1", "kept", "\"new\"").await.expect(200);
    let fresh = api.get(&entry("kept")).pin("entries-2").header("cache-control", "no-cache").send().await;
    assert_eq!(fresh.value(), "\"new\"", "a prefetched copy is covered as any other");
}

#[tokio::test]
async fn a_window_of_nothing_prefetches_too() {
    let api = Api::with(stack().coherence_window_ms(0)).await;
    for key in ["k", "l"] {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
    }
    warm(&api, ["k", "l"]).await;
    sync(&api, "entries-2").await;
    put(&api, "entries-1", "l", "\"new\"").await.expect(200);
    assert_eq!(level(&api, "entries-2", "k").await, "L1_MEMORY");
    assert_eq!(get(&api, "entries-2", "l").await.value(), "\"new\"");
}

/// Without a limit of its own the read would wait for Redis for eight seconds and then skip it, or for ever.
#[tokio::test]
async fn a_read_does_not_wait_for_what_redis_does_not_deliver() {
    let api = Api::with(stack()).await;
    for key in ["k", "held"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    get(&api, "entries-2", "held").await.expect(200);
    warm(&api, ["k"]).await;
    // Synced by a write: the next read may prefetch.
    api.delete(&entry("nothing")).pin("entries-2").send().await.expect(404);
    api.stack.redis_path("entries-2").stall_replies().await;
    assert_eq!(level(&api, "entries-2", "held").await, "L1_MEMORY");
    api.stack.redis_path("entries-2").restore().await;
    let found = get(&api, "entries-2", "k").await.expect(200);
    assert_eq!(found.level(), "L2_REDIS", "given up, and not the connection with it");
}

#[tokio::test]
async fn a_prefetch_counts_as_a_promotion_and_as_no_read() {
    let api = Api::with(stack().functions(["authorizer", "entries", "status"])).await;
    let keys: Vec<String> = (0..5).map(|number| format!("k{number}")).collect();
    for key in &keys {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    warm(&api, &keys).await;
    sync(&api, "entries-2").await;
    for key in &keys {
        get(&api, "entries-2", key).await.expect(200);
    }
    let status = async || api.get("/status").send().await.expect(200).json();
    eventually("the report", async || {
        sync(&api, "entries-2").await;
        status().await["levels"][0]["hits"] == 5
    })
    .await;
    let told = status().await;
    assert_eq!(told["levels"][1]["hits"], 0, "{told}");
    assert_eq!(told["overall_stats"]["cache_promotion_count"], 5, "{told}");
}

#[tokio::test]
async fn the_journal_shows_mutations_only() {
    let api = Api::with(stack().functions(["authorizer", "entries", "invalidate"])).await;
    put(&api, "entries-1", "a", "1").await.expect(201);
    for _ in 0..5 {
        warm(&api, ["a"]).await;
    }
    put(&api, "entries-1", "b", "1").await.expect(201);
    let journal = api.get("/journal").send().await.expect(200).json();
    let shown: Vec<_> = journal["mutations"].as_array().unwrap().iter().map(|line| &line["key"]).collect();
    assert_eq!(shown, ["a", "b"]);
}
