//! The state and the statistics of the fleet: a known workload gives known numbers, and what is down is only said.

mod history;
mod strain;
mod truth;

use crate::support::{command, copy_name, get, put, wait_out_the_window};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use strata_it::{
    Api, configured, entry,
    stack::{L3Fault, Options},
};

const FLEET: [&str; 4] = ["entries-1", "entries-2", "entries-3", "entries-4"];
const L1: usize = 0;
const L2: usize = 1;
const L3: usize = 2;

/// A stack of four containers that serve entries.
async fn start(partial: Value) -> Api {
    ready(configured(partial).containers(FLEET.len()).functions(["authorizer", "entries", "status"])).await
}

/// The same, and its configuration can be changed.
async fn switchable() -> Api {
    let functions = ["authorizer", "entries", "status", "config"];
    ready(configured(json!({})).containers(FLEET.len()).functions(functions)).await
}

/// Waits until the status function has reached both levels once.
async fn ready(options: Options) -> Api {
    let api = Api::with(options).await;
    let is_reached = |level: &Value| ["healthy", "disabled"].contains(&level["status"].as_str().unwrap());
    for _ in 0..50 {
        if status(&api).await["levels"].as_array().unwrap().iter().all(is_reached) {
            return api;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the status function does not reach its levels: {}", api.stack.logs("status-1"));
}

async fn status(api: &Api) -> Value {
    api.get("/status").pin("status-1").send().await.expect(200).json()
}

/// Makes every container report. A DELETE syncs, and is no read that would be counted.
async fn settle(api: &Api) {
    wait_out_the_window().await;
    for container in FLEET {
        api.delete(&entry("nothing")).pin(container).send().await.expect(404);
    }
}

/// What has been counted, by name.
fn counted(status: &Value) -> BTreeMap<&'static str, u64> {
    let (levels, overall) = (&status["levels"], &status["overall_stats"]);
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {status}"));
    BTreeMap::from([
        ("L1 hits", number(&levels[L1]["hits"])),
        ("L1 misses", number(&levels[L1]["misses"])),
        ("L1 stale", number(&levels[L1]["stale_refused"])),
        ("L2 hits", number(&levels[L2]["hits"])),
        ("L2 misses", number(&levels[L2]["misses"])),
        ("L2 stale", number(&levels[L2]["stale_refused"])),
        ("L2 errors", number(&levels[L2]["errors"])),
        ("L3 hits", number(&levels[L3]["hits"])),
        ("L3 misses", number(&levels[L3]["misses"])),
        ("evictions", number(&levels[L1]["evictions"])),
        ("promotions", number(&overall["cache_promotion_count"])),
        ("demotions", number(&overall["cache_demotion_count"])),
        ("degraded", number(&overall["degraded_mutation_count"])),
    ])
}

/// What was counted between two answers; names of which nothing was are left out.
fn between(before: &Value, after: &Value) -> BTreeMap<&'static str, u64> {
    let before = counted(before);
    counted(after)
        .into_iter()
        .map(|(name, count)| (name, count - before[name]))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[tokio::test]
async fn a_known_workload_gives_known_numbers() {
    let api = start(json!({})).await;
    settle(&api).await;
    let before = status(&api).await;

    put(&api, "entries-1", "k", "1").await.expect(201);
    for _ in 0..3 {
        assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
    }
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L2_REDIS");
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L1_MEMORY");
    command::<()>(&api, &["DEL", &copy_name("k")]).await;
    assert_eq!(get(&api, "entries-3", "k").await.level(), "L3_DATABASE");
    get(&api, "entries-4", "absent").await.expect(404);
    assert_eq!(get(&api, "entries-4", "k").await.level(), "L2_REDIS");
    put(&api, "entries-1", "k", "2").await.expect(200);
    wait_out_the_window().await;
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L2_REDIS");

    settle(&api).await;
    let after = status(&api).await;
    let expected = BTreeMap::from([
        ("L1 hits", 4),
        // entries-2 twice, entries-3 once, entries-4 twice.
        ("L1 misses", 5),
        ("L1 stale", 1),
        ("L2 hits", 3),
        ("L2 misses", 2),
        ("L3 hits", 1),
        ("L3 misses", 1),
        // Into L1: entries-2 twice, entries-3, entries-4. Into L2: once.
        ("promotions", 5),
    ]);
    assert_eq!(between(&before, &after), expected, "{after}");
    for level in 0..3 {
        let [hits, misses] = ["hits", "misses"].map(|name| after["levels"][level][name].as_f64().unwrap());
        let ratio = after["levels"][level]["hit_ratio"].as_f64().unwrap();
        assert!((ratio - hits / (hits + misses)).abs() < 0.001, "{after}");
    }
    assert_eq!(after["fleet"]["containers"], 5, "with the one that says so: {after}");
    settle(&api).await;
    assert_eq!(counted(&status(&api).await), counted(&after), "what was told once is not told again");
}

#[tokio::test]
async fn a_copy_that_is_only_certified_anew_is_not_promoted() {
    let api = start(json!({"l2_config": {"timeout_ms": 5_000, "revalidate_seconds": 1}})).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    settle(&api).await;
    let before = status(&api).await;
    assert_eq!(get(&api, "entries-2", "k").await.level(), "L3_DATABASE", "the copy in L2 has to be confirmed");
    settle(&api).await;
    let expected = [("L1 misses", 1), ("L2 misses", 1), ("L2 stale", 1), ("L3 hits", 1), ("promotions", 1)];
    assert_eq!(between(&before, &status(&api).await), BTreeMap::from(expected));
}

#[tokio::test]
async fn entries_and_sizes_are_those_of_the_fleet() {
    let api = start(json!({"compression": {"threshold_bytes": 1_000_000}})).await;
    for number in 0..20 {
        put(&api, FLEET[number % 4], &format!("k{number}"), &"7".repeat(100)).await.expect(201);
    }
    put(&api, "entries-1", "k0", &"7".repeat(50)).await.expect(200);
    api.delete(&entry("k1")).pin("entries-2").send().await.expect(200);
    settle(&api).await;
    let first = status(&api).await;
    for found in [&first, &status(&api).await] {
        let levels = &found["levels"];
        assert_eq!([L1, L2, L3].map(|level| levels[level]["entries"].clone()), [19, 19, 19], "{found}");
        assert_eq!(levels[L1]["size"], 18 * 100 + 50, "{found}");
        assert_eq!(levels[L2]["size"], levels[L3]["size"], "the same envelopes: {found}");
        assert!(levels[L3]["size"].as_u64() > Some(18 * 100 + 50), "{found}");
        assert_eq!(found["overall_stats"]["total_entries"], 57, "{found}");
        let parts = [levels[L1]["memory_usage_mb"].as_f64(), levels[L2]["memory_usage_mb"].as_f64()];
        let [l1, l2] = parts.map(Option::unwrap);
        let l3 = levels[L3]["size"].as_f64().unwrap() / f64::from(1 << 20);
        assert!((found["overall_stats"]["total_size_mb"].as_f64().unwrap() - (l1 + l2 + l3)).abs() < 0.002, "{found}");
    }
    // The first answer has counted L3; from now on the containers say what they change.
    put(&api, "entries-1", "k20", "1").await.expect(201);
    put(&api, "entries-2", "k2", "1").await.expect(200);
    api.delete(&entry("k3")).pin("entries-3").send().await.expect(200);
    api.delete(&entry("k4")).pin("entries-4").send().await.expect(200);
    settle(&api).await;
    let told = status(&api).await["levels"][L3].take();
    assert_eq!(told["entries"], 18, "{told}");
    let count_again = ["HDEL", "strata:cache:{j}stats", "census"];
    command::<()>(&api, &count_again).await;
    assert_eq!(status(&api).await["levels"][L3], told, "what is told is what a count finds");
    // A count finds what nobody has told yet, and it is not counted again when it is told.
    put(&api, "entries-1", "k21", "1").await.expect(201);
    command::<()>(&api, &count_again).await;
    assert_eq!(status(&api).await["levels"][L3]["entries"], 19);
    settle(&api).await;
    assert_eq!(status(&api).await["levels"][L3]["entries"], 19);
}

#[tokio::test]
async fn a_full_memory_evicts_and_demotes() {
    let api = start(json!({"l1_config": {"max_capacity": 3}})).await;
    for key in ["a", "b", "c"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    put(&api, "entries-2", "d", "1").await.expect(201);
    settle(&api).await;
    let before = status(&api).await;
    assert_eq!(before["levels"][L1]["entries"], 4, "{before}");
    let mut refused = 0;
    while get(&api, "entries-1", "d").await.expect(200).level() != "L1_MEMORY" {
        refused += 1;
        assert!(refused < 20, "a key that is asked for so often gets in");
    }
    settle(&api).await;
    let after = status(&api).await;
    let expected = [("L1 hits", 1), ("L1 misses", refused), ("L2 hits", refused)];
    let expected =
        BTreeMap::from_iter(expected.into_iter().chain([("promotions", 1), ("evictions", 1), ("demotions", 1)]));
    assert_eq!(between(&before, &after), expected, "{after}");
    assert_eq!(after["levels"][L1]["entries"], 4, "{after}");
}

#[tokio::test]
async fn a_container_that_is_gone_is_counted_no_more() {
    let api = start(json!({})).await;
    for container in FLEET {
        put(&api, container, container, "1").await.expect(201);
    }
    settle(&api).await;
    let all = status(&api).await;
    assert_eq!((&all["levels"][L1]["entries"], &all["fleet"]["containers"]), (&json!(4), &json!(5)), "{all}");
    let gauges = "strata:cache:{j}gauges";
    let told: BTreeMap<String, String> = command(&api, &["HGETALL", gauges]).await;
    // As if one had reported for the last time long ago; the one that answers holds nothing.
    let (container, rest) = told
        .iter()
        .find_map(|(container, told)| {
            let (_, rest) = told.split_once(' ')?;
            (rest.split(' ').nth(1) == Some("1")).then_some((container, rest))
        })
        .unwrap();
    command::<()>(&api, &["HSET", gauges, container, &format!("1700000000000 {rest}")]).await;
    let less = status(&api).await;
    assert_eq!((&less["levels"][L1]["entries"], &less["levels"][L2]["active_connections"]), (&json!(3), &json!(4)));
    command::<()>(&api, &["HSET", gauges, "gone", "1700000000000 1 5 5 5"]).await;
    let mut syncs = 0;
    while command::<bool>(&api, &["HEXISTS", gauges, "gone"]).await {
        settle(&api).await;
        syncs += 1;
        assert!(syncs < 60, "the others take it out");
    }
}

#[tokio::test]
async fn a_report_whose_answer_is_lost_is_counted_once() {
    let api = start(json!({"l2_config": {"timeout_ms": 2_000}})).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    settle(&api).await;
    let before = status(&api).await;
    for _ in 0..5 {
        get(&api, "entries-1", "k").await.expect(200);
    }
    wait_out_the_window().await;
    api.stack.redis_path("entries-1").stall_replies().await;
    get(&api, "entries-1", "k").await.expect(200);
    api.stack.redis_path("entries-1").restore().await;
    wait_out_the_window().await;
    settle(&api).await;
    settle(&api).await;
    let found = between(&before, &status(&api).await);
    let counted = ["L1 hits", "L3 hits", "L2 errors"].map(|name| found.get(name).copied());
    assert_eq!(counted, [Some(5), Some(1), Some(1)], "{found:?}");
}

#[tokio::test]
async fn what_is_down_is_said_and_no_error() {
    let api = start(json!({})).await;
    let health = |status: &Value| {
        let levels = [L1, L2, L3].map(|level| status["levels"][level]["status"].as_str().unwrap().to_owned());
        (status["status"].as_str().unwrap().to_owned(), levels.join(" "), status["fleet"]["statistics"].clone())
    };
    let expect = async |overall: &str, levels: &str, statistics: &str| {
        let found = status(&api).await;
        assert_eq!(health(&found), (overall.to_owned(), levels.to_owned(), json!(statistics)), "{found}");
        found
    };
    expect("healthy", "healthy healthy healthy", "available").await;
    api.stack.l3().set(L3Fault::Stopped).await;
    expect("degraded", "healthy healthy unhealthy", "available").await;
    api.stack.redis_path("all").cut().await;
    let dark = expect("unhealthy", "healthy unhealthy unhealthy", "unavailable").await;
    assert_eq!(counted(&dark).values().sum::<u64>(), 0);
    api.stack.l3().set(L3Fault::Ok).await;
    wait_out_the_window().await;
    expect("degraded", "healthy unhealthy healthy", "unavailable").await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.redis_path("all").restore().await;
    wait_out_the_window().await;
    // First the reports that did not arrive, then what has been counted since.
    settle(&api).await;
    settle(&api).await;
    let back = expect("healthy", "healthy healthy healthy", "available").await;
    assert_eq!(counted(&back)["degraded"], 1, "{back}");
}

#[tokio::test]
async fn a_level_that_is_switched_off_has_nothing() {
    for (level, section) in ["l1_config", "l2_config", "l3_config"].into_iter().enumerate() {
        let api = switchable().await;
        busy(&api).await;
        let before = status(&api).await;
        for some in ["size", "entries", "misses"] {
            assert_ne!(before["levels"][level][some], 0, "{some}: {before}");
        }
        assert_ne!(before["levels"][L3]["errors"], 0, "{before}");
        switch(&api, section, false).await;
        let found = status(&api).await;
        assert_eq!(found["status"], "healthy", "{found}");
        let said = &found["levels"][level];
        assert_eq!((&said["enabled"], &said["status"]), (&json!(false), &json!("disabled")), "{found}");
        let sizes = ["size", "entries", "memory_usage_mb"];
        let counts = ["hits", "misses", "hit_ratio", "stale_refused", "evictions", "errors"];
        for zero in sizes.into_iter().chain(counts).filter(|name| !said[name].is_null()) {
            assert_eq!(said[zero].as_f64(), Some(0.0), "{zero}: {found}");
        }
        let entries = found["levels"].as_array().unwrap().iter().map(|level| level["entries"].as_u64().unwrap());
        assert_eq!(found["overall_stats"]["total_entries"], entries.sum::<u64>(), "{found}");
    }
}

/// Gives every level something to count: values, reads of each outcome, and an error.
async fn busy(api: &Api) {
    put(api, "entries-1", "k", "1").await.expect(201);
    for container in FLEET {
        get(api, container, "k").await.expect(200);
        get(api, container, "absent").await.expect(404);
    }
    api.stack.l3().set(L3Fault::Stopped).await;
    get(api, "entries-1", "absent").await.expect(503);
    api.stack.l3().set(L3Fault::Ok).await;
    settle(api).await;
}

async fn switch(api: &Api, section: &str, enabled: bool) {
    let body = json!({ section: {"enabled": enabled} }).to_string();
    api.request("PUT", "/config").body(body).send().await.expect(200);
}

#[tokio::test]
async fn what_l3_held_before_it_was_switched_is_reported_no_more() {
    let api = switchable().await;
    for key in ["a", "b", "c"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    settle(&api).await;
    assert_eq!(status(&api).await["levels"][L3]["entries"], 3);
    switch(&api, "l3_config", false).await;
    switch(&api, "l3_config", true).await;
    let empty = status(&api).await["levels"][L3].take();
    assert_eq!((&empty["entries"], &empty["size"]), (&json!(0), &json!(0)), "{empty}");
    wait_out_the_window().await;
    put(&api, "entries-1", "a", "2").await.expect(201);
    settle(&api).await;
    assert_eq!(status(&api).await["levels"][L3]["entries"], 1);
}

#[tokio::test]
async fn an_l1_hit_inside_the_window_neither_syncs_nor_reports() {
    let options = configured(json!({})).coherence_window_ms(60_000).containers(1);
    let api = Api::with(options.functions(["authorizer", "entries"])).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let before = commands(&api).await;
    for _ in 0..50 {
        assert_eq!(get(&api, "entries-1", "k").await.level(), "L1_MEMORY");
    }
    assert_eq!(commands(&api).await, before);
}

/// Calls so far of the commands that only a sync and a report make; the limiter, whose permits run out now and then,
/// makes others.
async fn commands(api: &Api) -> Vec<String> {
    let stats: String = command(api, &["INFO", "commandstats"]).await;
    let ours = ["cmdstat_xrange:", "cmdstat_xrevrange:", "cmdstat_hsetnx:", "cmdstat_hrandfield:"];
    let lines = stats.lines().filter(|line| ours.iter().any(|name| line.starts_with(name)));
    let calls: Vec<String> = lines.map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert!(calls.len() > 1, "the container has synced and reported: {stats}");
    calls
}

#[tokio::test]
async fn a_first_error_is_in_the_metrics_at_once() {
    let api = start(json!({})).await;
    api.stack.l3().set(L3Fault::Stopped).await;
    get(&api, "entries-1", "absent").await.expect(503);
    let log = api.stack.logs("entries-1");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let metrics: Vec<Value> = lines.filter(|line| !line["_aws"].is_null()).collect();
    let last = metrics.last().unwrap_or_else(|| panic!("no metrics: {log}"));
    assert_eq!((&last["Errors"], &last["L3Errors"], &last["FunctionName"]), (&json!(1), &json!(1), &json!("entries")));
}

#[tokio::test]
async fn the_status_is_for_those_who_may_read() {
    let api = start(json!({})).await;
    let token = api.stack.token(strata_it::stack::Claims::with_scopes(&["cache:write"]));
    api.get("/status").bearer(&token).send().await.expect_error(403, "FORBIDDEN");
    api.get("/status").anonymous().send().await.expect(401);
}
