//! A gap in what a container knows of the journal is doubt, not loss: it keeps what nobody touched, and returns nothing that
//! somebody did.

use crate::support::{command, get, invalidate, put, put_tagged, wait_out_the_window};
use serde_json::json;
use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use strata_it::{Api, configured, entry};

const KEYS: [&str; 4] =
    ["strata:cache:{j}journal", "strata:cache:{j}open", "strata:cache:{j}meta", "strata:cache:{j}index"];
/// Far more than one sync reads.
const MANY: usize = 5_000;
/// Generations that the index keeps.
const GENERATIONS: usize = 4;

async fn api() -> Api {
    Api::with(configured(json!({})).containers(3).env("RATE_LIMITS", "off")).await
}

/// Appends records of other keys, by the script by which a mutation does.
async fn flood(api: &Api, records: usize) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cache/src/redis/lua");
    let script =
        ["prelude.lua", "index.lua", "append.lua"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    let hash: String = command(api, &["SCRIPT", "LOAD", &script.concat()]).await;
    let (now, _): (u64, u64) = command(api, &["TIME"]).await;
    let client = redis::Client::open(api.stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for from in (0..records).step_by(500) {
        let mut batch = redis::pipe();
        for _ in from..records.min(from + 500) {
            let number = NUMBER.fetch_add(1, Relaxed);
            let version = format!("{number:020}");
            let key = format!("flood:{number}");
            batch.cmd("EVALSHA").arg(&hash).arg(KEYS.len()).arg(&KEYS);
            batch.arg(now * 1_000_000).arg(600_000_000).arg(600_000).arg(200_000).arg("").arg(0).arg("");
            batch.arg(format!("{number:08}")).arg(&version).arg("");
            batch.arg(&["kind", "put", "key", &key, "version", &version, "by", "nobody"]).ignore();
        }
        batch.query_async::<()>(&mut connection).await.unwrap();
    }
}

/// Makes the index begin another generation, as it does every few minutes.
async fn roll(api: &Api) {
    let _: u64 = command(api, &["HSET", KEYS[3], "began", "0"]).await;
    flood(api, 1).await;
}

/// Makes a container hold what is there under these keys.
async fn hold(api: &Api, container: &str, keys: &[&str]) {
    for key in keys {
        get(api, container, key).await.expect(200);
        assert_eq!(get(api, container, key).await.level(), "L1_MEMORY", "{key}");
    }
}

/// How often Redis has been asked for the index without a sync.
async fn questions(api: &Api) -> usize {
    let said: String = command(api, &["INFO", "commandstats"]).await;
    let line = said.lines().find_map(|line| line.strip_prefix("cmdstat_xrange:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn what_is_read_all_the_time_stays_in_memory_whatever_others_write() {
    let api = api().await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for key in &keys {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    hold(&api, "entries-2", &keys).await;
    for round in 0..3 {
        flood(&api, MANY).await;
        wait_out_the_window().await;
        let before = questions(&api).await;
        for key in &keys {
            let found = get(&api, "entries-2", key).await.expect(200);
            assert_eq!(found.level(), "L1_MEMORY", "{key}, round {round}");
        }
        // The container has seen that much is written by then.
        assert!(round == 0 || questions(&api).await == before, "one round trip for all, round {round}");
    }
}

/// Invalidates so many things that are not there, by patterns that could mean anything, by keys and by tags.
async fn invalidate_what_is_not_there(api: &Api, rounds: usize) {
    for number in 0..rounds {
        let pattern = if number % 2 == 0 { format!("*absent{number}*") } else { format!("absent:{number}") };
        invalidate(api, json!({"pattern": pattern})).await.expect(200);
        invalidate(api, json!({"tags": [format!("absent{number}")]})).await.expect(200);
    }
}

#[tokio::test]
async fn invalidations_of_what_is_not_there_leave_memory_alone() {
    for l3 in [true, false] {
        let options = configured(json!({"l3_config": {"enabled": l3, "timeout_ms": 5_000}}));
        let api = Api::with(options.containers(2).env("RATE_LIMITS", "off")).await;
        let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for key in &keys {
            put(&api, "entries-1", key, "1").await.expect(201);
        }
        hold(&api, "entries-2", &keys).await;
        let all_are_in_memory = async || {
            wait_out_the_window().await;
            for key in &keys {
                assert_eq!(get(&api, "entries-2", key).await.expect(200).level(), "L1_MEMORY", "{key}");
            }
        };
        invalidate_what_is_not_there(&api, 10).await;
        let before = questions(&api).await;
        all_are_in_memory().await;
        assert_eq!(questions(&api).await, before, "and ask nobody");
        if l3 {
            // More than one sync reads: it is told of those that it has missed.
            invalidate_what_is_not_there(&api, 40).await;
            all_are_in_memory().await;
        }
        invalidate(&api, json!({"pattern": "*7"})).await.expect(200);
        wait_out_the_window().await;
        get(&api, "entries-2", "k17").await.expect(404);
        assert_eq!(get(&api, "entries-2", "k16").await.expect(200).level(), "L1_MEMORY");
    }
}

/// What a container that holds copies returns when they are touched, and `hidden` by thousands of records and by what
/// happens to the index.
async fn touched_then(hidden: impl AsyncFn(&Api)) {
    let api = api().await;
    let keys = ["overwritten", "deleted", "pattern:1", "tagged", "untouched"];
    put_tagged(&api, "tagged", &["red"]).await;
    for key in keys.into_iter().filter(|key| *key != "tagged") {
        put(&api, "entries-1", key, "\"old\"").await.expect(201);
    }
    hold(&api, "entries-2", &keys).await;
    flood(&api, MANY).await;
    put(&api, "entries-1", "overwritten", "\"new\"").await.expect(200);
    api.delete(&entry("deleted")).pin("entries-1").send().await.expect(200);
    invalidate(&api, json!({"pattern": "pattern:*"})).await.expect(200);
    invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    hidden(&api).await;
    wait_out_the_window().await;
    for key in ["deleted", "pattern:1", "tagged"] {
        get(&api, "entries-2", key).await.expect(404);
    }
    assert_eq!(get(&api, "entries-2", "overwritten").await.value(), "\"new\"");
    assert_eq!(get(&api, "entries-2", "untouched").await.value(), "\"old\"");
    assert_eq!(get(&api, "entries-2", "untouched").await.level(), "L1_MEMORY");
    // A container that begins knows no more.
    for key in ["deleted", "pattern:1", "tagged"] {
        get(&api, "entries-3", key).await.expect(404);
    }
    assert_eq!(get(&api, "entries-3", "overwritten").await.value(), "\"new\"");
}

#[tokio::test]
async fn what_was_touched_among_thousands_of_records_is_not_returned() {
    touched_then(async |api| flood(api, MANY).await).await;
}

#[tokio::test]
async fn nor_is_it_when_the_index_has_begun_another_generation() {
    touched_then(async |api| {
        roll(api).await;
        flood(api, MANY).await;
        roll(api).await;
    })
    .await;
}

#[tokio::test]
async fn nor_is_it_when_the_index_has_forgotten_it() {
    touched_then(async |api| {
        flood(api, MANY).await;
        for _ in 0..=GENERATIONS {
            roll(api).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_index_has_forgotten_is_confirmed_by_its_version() {
    let api = api().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    hold(&api, "entries-2", &["k"]).await;
    flood(&api, MANY).await;
    for _ in 0..=GENERATIONS {
        roll(&api).await;
    }
    wait_out_the_window().await;
    let found = get(&api, "entries-2", "k").await.expect(200);
    assert_eq!((found.cache_status("L1_MEMORY"), found.level().as_str()), ("fwd=stale", "L3_DATABASE"));
    assert_eq!(found.cache_status("L2_REDIS"), "", "no copy was read");
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY", "the one there was");
}

/// A release before the index was made appends as well while an upgrade is under way.
#[tokio::test]
async fn an_index_that_has_missed_a_record_is_not_believed() {
    let api = api().await;
    put(&api, "entries-1", "k", "\"old\"").await.expect(201);
    hold(&api, "entries-2", &["k"]).await;
    put(&api, "entries-1", "k", "\"new\"").await.expect(200);
    // The record of that PUT, as if the index had not been told of it.
    let last: Vec<(String, Vec<(String, String)>)> =
        command(&api, &["XREVRANGE", KEYS[0], "+", "-", "COUNT", "1"]).await;
    let generation = format!("{}:1", KEYS[3]);
    let _: u64 = command(&api, &["DEL", &generation]).await;
    let _: u64 = command(&api, &["HSET", &generation, "", "begun"]).await;
    let fields: Vec<&str> = last[0].1.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    let _: String = command(&api, &[&["XADD", KEYS[0], "*"], fields.as_slice()].concat()).await;
    flood(&api, MANY).await;
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.value(), "\"new\"");
}

#[tokio::test]
async fn an_index_of_which_a_part_was_evicted_is_not_believed() {
    for part in ["1", "sweeps"] {
        let api = api().await;
        let keys = ["overwritten", "pattern:1"];
        for key in keys {
            put(&api, "entries-1", key, "\"old\"").await.expect(201);
        }
        hold(&api, "entries-2", &keys).await;
        put(&api, "entries-1", "overwritten", "\"new\"").await.expect(200);
        invalidate(&api, json!({"pattern": "pattern:*"})).await.expect(200);
        let _: u64 = command(&api, &["DEL", &format!("{}:{part}", KEYS[3])]).await;
        flood(&api, MANY).await;
        wait_out_the_window().await;
        assert_eq!(get(&api, "entries-2", "overwritten").await.value(), "\"new\"", "{part}");
        get(&api, "entries-2", "pattern:1").await.expect(404);
    }
}

#[tokio::test]
async fn the_first_sync_of_a_container_is_small_however_much_is_written() {
    let api = api().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for number in 0..200 {
        invalidate(&api, json!({"pattern": format!("other:{number}:*")})).await.expect(200);
    }
    flood(&api, MANY).await;
    api.stack.kill("entries-3").await;
    let sent = async || {
        let said: String = command(&api, &["INFO", "stats"]).await;
        let bytes = said.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        (bytes.unwrap().parse::<usize>().unwrap(), said.len())
    };
    let (before, own) = sent().await;
    get(&api, "entries-3", "k").await.expect(200);
    let (after, _) = sent().await;
    // Besides the sync: the copy, the names of the scripts, and what this test asks.
    assert!(after - before <= 16 * 1024 + own, "{} bytes", after - before);
}
