//! Warm jobs at work: exact, whatever happens to those who run them, and never a way for an old value to come back.

use crate::{
    support::{called, command, copy_name, eventually, flush, fresh, get, invalidate, put, shard, wait_out_the_window},
    tables::{Item, client, partition, text_of},
    warm::{begin, ended, report, warm},
};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use serde_json::{Value, json};
use std::time::Duration;
use strata_it::{
    Api, entry, patient,
    stack::{L3Fault, Options},
};

/// Enough for twenty pages of each partition at fifty rows a page.
const MANY: usize = 20_000;
/// Most entries that one sync brings into the memory of a container.
const AT_ONCE: usize = 64;

/// A stack in which nobody is refused for asking often.
fn stack() -> Options {
    patient().env("RATE_LIMITS", "off")
}

/// Puts so many live entries `{prefix}0`… into L3, past every function: rows like one that was put, under other keys.
async fn fill_l3(api: &Api, prefix: &str, count: usize) {
    let first = format!("{prefix}0");
    put(api, "entries-1", &first, "\"loaded\"").await.expect(201);
    let rows = partition(api, "cache_entries", &format!("e#{}", shard(&first))).await;
    let row = rows.into_iter().find(|row| text_of(row, "sk") == first).unwrap();
    let keys: Vec<String> = (1..count).map(|number| format!("{prefix}{number}")).collect();
    let client = client(api);
    for some in keys.chunks(25) {
        let requests = some.iter().map(|key| {
            let mut item: Item = row.clone();
            item.insert("pk".to_owned(), AttributeValue::S(format!("e#{}", shard(key))));
            item.insert("sk".to_owned(), AttributeValue::S(key.clone()));
            let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
            WriteRequest::builder().put_request(put).build()
        });
        let sent = client.batch_write_item().request_items("cache_entries", requests.collect()).send().await.unwrap();
        assert!(sent.unprocessed_items.unwrap_or_default().is_empty());
    }
}

/// Waits for the end of a job where those who run it may die with it in hand; returns its report. Maintenance
/// comes more often than it would.
async fn ended_with_maintenance(api: &Api, job: &str) -> Value {
    eventually("the job", async || {
        api.stack.tick().await.ok();
        !report(api, job).await["finished_at"].is_null()
    })
    .await;
    report(api, job).await
}

/// A stack with `count` entries `k:0`… in L3, and nothing in L2.
async fn filled(options: Options, count: usize) -> Api {
    let api = Api::with(options).await;
    fill_l3(&api, "k:", count).await;
    flush(&api).await;
    api
}

/// How many copies L2 has.
async fn copies(api: &Api) -> usize {
    let mut sum = 0;
    for shard in 0..16 {
        sum += command::<usize>(api, &["ZCARD", &format!("strata:cache:{{e{shard:x}}}index")]).await;
    }
    sum
}

#[tokio::test]
async fn twenty_thousand_entries_are_loaded_and_the_first_of_them_prefetched() {
    // A quarter of L2's timeout is what a prefetch may take.
    let options = strata_it::configured(json!({"l2_config": {"timeout_ms": 8_000}})).env("RATE_LIMITS", "off");
    let api = filled(options.containers(4), MANY).await;
    let begun = warm(&api, json!({"patterns": ["k:*"], "keys": ["k:1", "nothing"]})).await.expect(202).json();
    let estimated = begun["estimated_keys"].as_u64().unwrap();
    assert!((1..=MANY as u64 + 1).contains(&estimated), "{begun}");
    let job = begun["warming_job_id"].as_str().unwrap();
    let report = ended(&api, job).await;
    let counted = ["done", "missing", "failed", "remaining"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counted, [MANY as u64 + 1, 1, 0, 0], "the key of the list is one of the pattern's as well: {report}");
    assert_eq!(report["state"], "done");
    assert_eq!(copies(&api).await, MANY);
    for number in (0..MANY).step_by(251) {
        let found = get(&api, "entries-2", &format!("k:{number}")).await.expect(200);
        assert_eq!((found.level().as_str(), found.value()), ("L2_REDIS", "\"loaded\""), "{number}");
    }
    let record: Vec<(String, Vec<(String, String)>)> =
        command(&api, &["XREVRANGE", "strata:cache:{j}journal", "+", "-", "COUNT", "1"]).await;
    let (_, body) = record[0].1.iter().find(|(name, _)| name == "body").unwrap();
    let named: Vec<(String, usize)> = serde_json::from_str(body).unwrap();
    assert!(named.len() > AT_ONCE, "{named:?}");
    for container in ["entries-1", "entries-2", "entries-3", "entries-4"] {
        wait_out_the_window().await;
        get(&api, container, "nothing").await.expect(404);
        for (key, _) in named.iter().take(AT_ONCE) {
            assert_eq!(get(&api, container, key).await.expect(200).level(), "L1_MEMORY", "{container} {key}");
        }
    }
}

/// A stack in which a job takes many slices.
fn in_slices() -> Options {
    stack().env("JOB_SLICE_MS", "1")
}

/// The body of a request for a job of many small waves.
fn slowly(patterns: &[&str]) -> Value {
    json!({"patterns": patterns, "strategy": "LAZY", "batch_size": 10, "max_concurrent": 4})
}

/// Asserts that a job has loaded so many entries, `{prefix}0`…, and each is in L2.
async fn assert_loaded(api: &Api, report: &Value, prefix: &str, count: usize) {
    assert_eq!((&report["state"], &report["failed"]), (&json!("done"), &json!(0)), "{report}");
    assert_eq!(report["done"], count, "{report}");
    for number in (0..count).step_by(11) {
        let found = get(api, "entries-2", &format!("{prefix}{number}")).await.expect(200);
        assert_eq!((found.level().as_str(), found.value()), ("L2_REDIS", "\"loaded\""), "{prefix}{number}");
    }
}

#[tokio::test]
async fn a_job_larger_than_an_invocation_continues_itself() {
    let api = filled(in_slices(), 800).await;
    let job = begin(&api, slowly(&["k:*"])).await;
    let report = ended(&api, &job).await;
    assert_loaded(&api, &report, "k:", 800).await;
    let logs = ["warmer-1", "warmer-2"].map(|container| api.stack.logs(container)).concat();
    assert!(logs.matches("\"ended\":\"Continues\"").count() >= 10, "{logs}");
}

#[tokio::test]
async fn those_who_run_a_job_may_die_and_come_twice_and_l3_may_throttle_them() {
    let api = filled(in_slices(), 800).await;
    let job = begin(&api, slowly(&["k:*"])).await;
    let called = called(&job);
    for round in 0..6_u64 {
        tokio::time::sleep(Duration::from_millis(40 * round)).await;
        let twice = [called.clone(), called.clone()].map(|event| api.stack.invoke("warmer", event, None));
        let kill = api.stack.kill(["warmer-1", "warmer-2"][round as usize % 2]);
        futures_util::future::join(futures_util::future::join_all(twice), kill).await;
        api.stack.l3().set(if round == 3 { L3Fault::Throttling } else { L3Fault::Ok }).await;
    }
    let report = ended_with_maintenance(&api, &job).await;
    assert_eq!((&report["state"], &report["failed"]), (&json!("done"), &json!(0)), "{report}");
    for number in 0..800 {
        let found = get(&api, "entries-2", &format!("k:{number}")).await.expect(200);
        assert_eq!((found.level().as_str(), found.value()), ("L2_REDIS", "\"loaded\""), "{number}");
    }
}

#[tokio::test]
async fn a_redis_that_loses_what_was_loaded_is_loaded_again() {
    let api = filled(in_slices(), 800).await;
    let job = begin(&api, slowly(&["k:*"])).await;
    eventually("half of the job", async || report(&api, &job).await["done"].as_u64() >= Some(400)).await;
    api.stack.redis().kill().unwrap();
    api.stack.redis().start().await.unwrap();
    let report = ended_with_maintenance(&api, &job).await;
    assert_loaded(&api, &report, "k:", 800).await;
    assert_eq!(copies(&api).await, 800);
}

#[tokio::test]
async fn a_way_to_redis_that_is_cut_for_a_while_loses_nothing() {
    let api = filled(in_slices(), 800).await;
    let job = begin(&api, slowly(&["k:*"])).await;
    eventually("some of the job", async || report(&api, &job).await["done"].as_u64() >= Some(200)).await;
    api.stack.redis_path("all").cut().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    api.stack.redis_path("all").restore().await;
    let report = ended_with_maintenance(&api, &job).await;
    assert_loaded(&api, &report, "k:", 800).await;
    assert_eq!(copies(&api).await, 800);
}

/// While L3 is switched off nobody maintains it, and what an invalidation means is not removed from it.
#[tokio::test]
async fn what_l3_had_when_it_is_switched_off_is_not_loaded_any_more() {
    let api = filled(stack(), 1500).await;
    begin(&api, slowly(&["k:*"])).await;
    eventually("some of the job", async || copies(&api).await > 100).await;
    let off = json!({"l3_config": {"enabled": false}}).to_string();
    api.put("/config", off).send().await.expect(200);
    invalidate(&api, json!({"pattern": "k:*"})).await.expect(200);
    // Time for what was under way.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for number in 0..1500 {
        get(&api, "entries-1", &format!("k:{number}")).await.expect(404);
    }
}

#[tokio::test]
async fn what_is_changed_while_a_job_runs_stays_as_it_was_left() {
    let api = Api::with(in_slices()).await;
    fill_l3(&api, "k:", 600).await;
    fill_l3(&api, "gone:", 100).await;
    flush(&api).await;
    let job = begin(&api, slowly(&["k:*", "gone:*"])).await;
    for number in (0..600).step_by(60) {
        put(&api, "entries-1", &format!("k:{number}"), "\"newer\"").await.expect(200);
        api.delete(&entry(&format!("k:{}", number + 1))).pin("entries-2").send().await.expect(200);
    }
    invalidate(&api, json!({"pattern": "gone:*"})).await.expect(200);
    ended(&api, &job).await;
    wait_out_the_window().await;
    for number in (0..600).step_by(60) {
        assert_eq!(get(&api, "entries-2", &format!("k:{number}")).await.expect(200).value(), "\"newer\"");
        get(&api, "entries-2", &format!("k:{}", number + 1)).await.expect(404);
        get(&api, "entries-2", &format!("gone:{}", number / 10)).await.expect(404);
    }
}

#[tokio::test]
async fn a_cancelled_job_stops_within_a_batch() {
    let api = filled(stack().streams(false), 600).await;
    let job = begin(&api, json!({"patterns": ["k:*"], "batch_size": 1, "max_concurrent": 1})).await;
    let called = called(&job);
    let cancel = async {
        eventually("the first entry", async || copies(&api).await > 0).await;
        let cancelled = api.delete(&format!("/warm/{job}")).send().await.expect(200).json();
        assert_eq!(cancelled["state"], "cancelled");
        copies(&api).await
    };
    let (slice, loaded) = futures_util::future::join(api.stack.invoke("warmer", called, None), cancel).await;
    slice.unwrap();
    let more = copies(&api).await - loaded;
    assert!(more <= 1, "{more} after it was cancelled");
    assert!(loaded < 600, "it was not cancelled while it ran");
    let report = report(&api, &job).await;
    assert_eq!((&report["state"], &report["remaining"]), (&json!("cancelled"), &json!(0)));
}

#[tokio::test]
async fn what_cannot_be_loaded_is_counted_by_its_reason() {
    let api = Api::with(stack()).await;
    fill_l3(&api, "k:", 20).await;
    let l3_only = json!({"value": 1, "cache_levels": ["L3_DATABASE"]}).to_string();
    api.put(&entry("k:l3"), l3_only).pin("entries-1").send().await.expect(201);
    let large = format!("\"{}\"", "x".repeat(600_000));
    let whole = format!("{{\"value\":{large},\"compression_enabled\":false}}");
    api.put(&entry("k:large"), whole).pin("entries-1").send().await.expect(201);
    flush(&api).await;
    let keys: Vec<String> = (0..20).map(|number| format!("k:{number}")).collect();
    // What has the name of a copy is replaced; what has that of an index stands in the way of its shard.
    command::<()>(&api, &["SET", &copy_name("k:0"), "no copy"]).await;
    let others = ["k:0", "k:l3", "k:large"].map(shard);
    let odd = keys.iter().map(|key| shard(key)).find(|odd| !others.contains(odd)).expect("there are more shards");
    let refused = keys.iter().filter(|key| shard(key) == odd).count();
    command::<()>(&api, &["SET", &format!("strata:cache:{{e{odd}}}index"), "no index"]).await;
    let keys = [&keys[..], &["k:l3", "k:large", "k:missing"].map(str::to_owned)].concat();
    let report = ended(&api, &begin(&api, json!({"keys": keys})).await).await;
    let counted = ["done", "missing", "failed"].map(|name| report[name].as_u64().unwrap());
    let errors = json!({"other_levels": 1, "refused": refused});
    assert_eq!(
        (counted, &report["errors"]),
        ([21 - refused as u64, 1, 1 + refused as u64], &errors),
        "what stands in the way of one stops no other: {report}"
    );
    let found = get(&api, "entries-2", "k:large").await.expect(200);
    assert_eq!((found.level().as_str(), found.value()), ("L2_REDIS", large.as_str()));
    assert_eq!(fresh(&api, "k:l3").await.expect(200).level(), "L3_DATABASE");
}

#[tokio::test]
async fn without_l3_what_l2_has_is_prefetched() {
    let api = Api::with(strata_it::configured(json!({"l3_config": {"enabled": false}}))).await;
    for number in 0..20 {
        put(&api, "entries-1", &format!("k:{number}"), "1").await.expect(201);
    }
    let report = ended(&api, &begin(&api, json!({"patterns": ["k:*"], "keys": ["k:missing"]})).await).await;
    let counted = ["done", "missing", "failed"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counted, [20, 1, 0], "{report}");
    wait_out_the_window().await;
    get(&api, "entries-2", "nothing").await.expect(404);
    for number in 0..20 {
        assert_eq!(get(&api, "entries-2", &format!("k:{number}")).await.expect(200).level(), "L1_MEMORY");
    }
}

#[tokio::test]
async fn without_l2_there_is_nothing_to_load_into() {
    let api = Api::with(strata_it::configured(json!({"l2_config": {"enabled": false}}))).await;
    put(&api, "entries-1", "k:1", "1").await.expect(201);
    let report = ended(&api, &begin(&api, json!({"keys": ["k:1"]})).await).await;
    assert_eq!((&report["state"], &report["done"]), (&json!("failed"), &json!(0)), "{report}");
    assert!(report["error"].as_str().unwrap().contains("L2_REDIS"), "{report}");
}
