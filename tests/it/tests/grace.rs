//! Grace: what has expired is kept for whoever asks for that, and is nothing to anybody else, in any level. Time passes by
//! the containers' own clocks where it can.

mod soft;

use crate::{
    support::{command, copy_name, eventually, flush, get, invalidate, put, wait_out_the_window},
    tables,
};
use serde_json::{Value, json};
use strata_it::{Answer, Api, Request, configured, entry, patient, stack::L3Fault};

const CONTAINERS: [&str; 2] = ["entries-1", "entries-2"];
const TTL: u64 = 100;
const GRACE: u64 = 600;

async fn start() -> Api {
    Api::with(patient().clocks(true)).await
}

/// So many seconds after the start.
fn at(api: &Api, seconds: i64) {
    for container in CONTAINERS {
        api.stack.put_clock(container, seconds * 1000).unwrap();
    }
}

async fn put_kept(api: &Api, key: &str) -> Answer {
    let body = json!({"value": key, "tags": ["t"], "ttl_seconds": TTL, "grace_seconds": GRACE}).to_string();
    api.put(&entry(key), body).pin("entries-1").send().await.expect(201)
}

/// A value whose life is over for Redis as well, by the time that this returns; its grace is not.
async fn put_expired(api: &Api, key: &str) {
    let body = json!({"value": key, "tags": ["t"], "ttl_seconds": 1, "grace_seconds": GRACE}).to_string();
    api.put(&entry(key), body).pin("entries-1").send().await.expect(201);
    eventually("its end", async || get(api, "entries-1", key).await.status == 404).await;
}

fn asking(api: &Api, container: &str, key: &str, how: &str) -> Request {
    api.get(&entry(key)).header("cache-control", how).pin(container)
}

/// Reads a key as somebody who takes what has expired.
async fn stale(api: &Api, container: &str, key: &str) -> Answer {
    asking(api, container, key, "max-stale").send().await
}

#[track_caller]
fn assert_stale(found: &Answer, level: &str, value: &str) {
    assert_eq!((found.status, found.level().as_str()), (200, level), "{found:?}");
    assert_eq!((found.value(), &found.json()["metadata"]["stale"]), (value, &json!(true)), "{found:?}");
    let said = found.cache_status(level);
    assert!(said.contains("hit; ttl=-") && said.ends_with("; detail=stale"), "{said}");
    assert!(found.header("age").is_some_and(|age| age.parse::<u64>().is_ok()), "{found:?}");
}

async fn assert_gone_for_default_readers(api: &Api, key: &str) {
    for container in CONTAINERS {
        get(api, container, key).await.expect_error(404, "CACHE_KEY_NOT_FOUND");
        asking(api, container, key, "no-cache").send().await.expect(404);
    }
}

#[tokio::test]
async fn what_has_expired_is_given_to_whoever_asks_and_to_nobody_else_by_any_level() {
    let api = start().await;
    put_kept(&api, "k").await;
    for container in CONTAINERS {
        // Into the memory of both.
        let found = stale(&api, container, "k").await.expect(200);
        let metadata = &found.json()["metadata"];
        assert_eq!((metadata.get("stale"), &metadata["grace_seconds"]), (None, &json!(GRACE)), "it lives");
        assert_eq!((found.header("age"), found.cache_status("L1_MEMORY").contains("stale")), (None, false));
    }
    at(&api, 150);
    assert_gone_for_default_readers(&api, "k").await;
    for container in CONTAINERS {
        let found = stale(&api, container, "k").await;
        assert_stale(&found, "L2_REDIS", "\"k\"");
        let age: i64 = found.header("age").unwrap().parse().unwrap();
        assert!((150..250).contains(&age), "{age}");
    }
    assert_gone_for_default_readers(&api, "k").await;
    // By L3, which brings it up, and by L2 again.
    flush(&api).await;
    assert_stale(&stale(&api, "entries-2", "k").await, "L3_DATABASE", "\"k\"");
    assert_gone_for_default_readers(&api, "k").await;
    eventually("bringing it up", async || stale(&api, "entries-1", "k").await.level() == "L2_REDIS").await;
    assert_gone_for_default_readers(&api, "k").await;
    // A clock that is put back and on again.
    at(&api, 0);
    get(&api, "entries-1", "k").await.expect(200);
    at(&api, 150);
    assert_gone_for_default_readers(&api, "k").await;
    // Its grace is over.
    at(&api, 710);
    for container in CONTAINERS {
        stale(&api, container, "k").await.expect(404);
        asking(&api, container, "k", "stale-if-error").send().await.expect(404);
    }
}

#[tokio::test]
async fn a_reader_says_how_much_it_takes() {
    let api = start().await;
    put_kept(&api, "k").await;
    at(&api, 150);
    let with = async |how: &str| asking(&api, "entries-2", "k", how).send().await;
    // It has expired 50 s ago, by a little more.
    for (how, status) in [("max-stale=300", 200), ("max-stale=0", 404), ("max-stale=20", 404)] {
        assert_eq!(with(how).await.status, status, "{how}");
    }
    assert_stale(&with("max-age=0, Max-Stale=\"300\"").await, "L2_REDIS", "\"k\"");
    assert_stale(&with("no-cache, max-stale").await, "L2_REDIS", "\"k\"");
    for how in ["max-stale=x", "stale-if-error=-1", "max-age", "max-stale=1.5"] {
        let refused = with(how).await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], "Cache-Control", "{refused:?}");
    }
}

#[tokio::test]
async fn heads_batches_and_conditions_know_of_it_and_lists_do_not() {
    let api = Api::start().await;
    put_expired(&api, "k").await;
    put(&api, "entries-1", "other", "1").await.expect(201);
    let head = api.request("HEAD", &entry("k")).header("cache-control", "max-stale").pin("entries-2").send().await;
    assert!(head.status == 200 && head.header("age").is_some(), "{head:?}");
    api.request("HEAD", &entry("k")).pin("entries-2").send().await.expect(404);
    let etag = stale(&api, "entries-1", "k").await.header("etag").unwrap().to_owned();
    let known = asking(&api, "entries-2", "k", "max-stale").header("if-none-match", etag).send().await.expect(304);
    assert!(known.cache_status("L2_REDIS").ends_with("detail=stale") && known.header("age").is_some(), "{known:?}");
    let batch = async |how: &str| {
        let body = json!({"operations": [{"op": "get", "key": "k"}, {"op": "get", "key": "other"}]}).to_string();
        let request = api.request("POST", "/batch").header("cache-control", how).body(body).pin("entries-2");
        let mut answer = request.send().await.expect(200).json();
        answer["results"].take()
    };
    let results = batch("max-stale").await;
    assert_eq!((&results[0]["value"], &results[0]["metadata"]["stale"]), (&json!("k"), &json!(true)), "{results:#}");
    assert!(results[0]["age"].is_u64() && results[0]["cache_status"].as_str().unwrap().contains("detail=stale"));
    assert!(results[1]["metadata"].get("stale").is_none() && results[1].get("age").is_none(), "{results:#}");
    assert_eq!(batch("no-cache").await[0]["status"], 404);
    // By L3 too.
    flush(&api).await;
    let results = batch("max-stale").await;
    assert!(results[0]["cache_status"].as_str().unwrap().starts_with("L3_DATABASE; hit; ttl=-"), "{results:#}");
    assert_eq!(batch("no-cache").await[0]["status"], 404);
    // And where L3 cannot be asked.
    eventually("bringing it up", async || stale(&api, "entries-1", "k").await.level() == "L2_REDIS").await;
    api.stack.l3().set(L3Fault::Stopped).await;
    assert_eq!(batch("stale-if-error").await[0]["metadata"]["stale"], true);
    assert_eq!(batch("no-cache").await[0]["status"], 503);
    api.stack.l3().set(L3Fault::Ok).await;
    let keys = api.get("/keys?prefix=k").send().await.expect(200).json();
    assert_eq!(keys["keys"], json!([]));
    let dry_run = invalidate(&api, json!({"pattern": "k", "dry_run": true})).await.expect(200);
    assert_eq!(dry_run.json()["invalidated_count"], 0);
}

#[tokio::test]
async fn whatever_removes_a_value_ends_its_grace_whatever_it_answers() {
    let api = Api::start().await;
    put_expired(&api, "k").await;
    let ended = async |key: &str| {
        wait_out_the_window().await;
        for container in CONTAINERS {
            stale(&api, container, key).await.expect(404);
            asking(&api, container, key, "no-cache, max-stale").send().await.expect(404);
        }
    };
    stale(&api, "entries-2", "k").await.expect(200);
    api.delete(&entry("k")).pin("entries-1").send().await.expect(404);
    ended("k").await;
    for body in [json!({"pattern": "k*"}), json!({"tags": ["t"]}), json!({"keys": ["k"]})] {
        put_expired(&api, "k").await;
        stale(&api, "entries-2", "k").await.expect(200);
        let removed = invalidate(&api, body.clone()).await.expect(200).json();
        assert_eq!((&removed["invalidated_count"], &removed["levels_affected"]), (&json!(0), &json!([])), "{body}");
        ended("k").await;
    }
    // An invalidation of L2 alone leaves what L3 has, as ever.
    put_expired(&api, "k").await;
    invalidate(&api, json!({"pattern": "k", "levels": ["L1_MEMORY", "L2_REDIS"]})).await.expect(200);
    assert_stale(&stale(&api, "entries-2", "k").await, "L3_DATABASE", "\"k\"");
    // And a PUT is a creation, under a condition as well, with or without a grace of its own.
    let absent = api.put(&entry("k"), r#"{"value":2,"ttl_seconds":1}"#).header("if-none-match", "*");
    absent.pin("entries-1").send().await.expect(201);
    eventually("its end", async || get(&api, "entries-1", "k").await.status == 404).await;
    ended("k").await;
}

#[tokio::test]
async fn it_holds_by_redis_alone_and_by_dynamodb_alone() {
    for (off, level) in [("l2_config", "L3_DATABASE"), ("l3_config", "L2_REDIS")] {
        let api = Api::with(configured(json!({off: {"enabled": false}}))).await;
        put_expired(&api, "k").await;
        for container in CONTAINERS {
            assert_stale(&stale(&api, container, "k").await, level, "\"k\"");
            get(&api, container, "k").await.expect(404);
        }
        let present = api.put(&entry("k"), r#"{"value":2}"#).header("if-match", "*").pin("entries-2").send().await;
        present.expect_error(412, "PRECONDITION_FAILED");
        api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":9}"#).pin("entries-2").send().await.expect(404);
        api.delete(&entry("k")).pin("entries-2").send().await.expect(404);
        wait_out_the_window().await;
        stale(&api, "entries-1", "k").await.expect(404);
        put_expired(&api, "k").await;
        let absent = api.put(&entry("k"), r#"{"value":2}"#).header("if-none-match", "*").pin("entries-2").send().await;
        absent.expect(201);
        wait_out_the_window().await;
        assert_eq!(get(&api, "entries-1", "k").await.expect(200).value(), "2");
    }
}

#[tokio::test]
async fn in_need_only_what_nobody_can_say_better_is_given() {
    let api = start().await;
    put_kept(&api, "k").await;
    at(&api, 150);
    let in_need = async |container: &str| asking(&api, container, "k", "stale-if-error=300").send().await;
    in_need("entries-1").await.expect(404);
    api.stack.l3().set(L3Fault::Stopped).await;
    get(&api, "entries-1", "k").await.expect_error(503, "LEVEL_UNAVAILABLE");
    for container in CONTAINERS {
        assert_stale(&in_need(container).await, "L2_REDIS", "\"k\"");
        assert_stale(&stale(&api, container, "k").await, "L2_REDIS", "\"k\"");
        asking(&api, container, "k", "stale-if-error=10").send().await.expect_error(503, "LEVEL_UNAVAILABLE");
    }
    let leased = asking(&api, "entries-1", "k", "stale-if-error").header("fill-lease", "10").send().await;
    assert_stale(&leased, "L2_REDIS", "\"k\"");
    assert_eq!((&leased.json()["fill"], leased.header("fill-token")), (&json!({"state": "unavailable"}), None));
    api.stack.l3().set(L3Fault::Ok).await;
    for container in CONTAINERS {
        eventually("DynamoDB", async || in_need(container).await.status == 404).await;
    }
    // Without Redis it is L3 that says so; and nobody is given what only memory has.
    api.stack.redis().stop().await.unwrap();
    assert_stale(&stale(&api, "entries-1", "k").await, "L3_DATABASE", "\"k\"");
    in_need("entries-2").await.expect(404);
    get(&api, "entries-2", "k").await.expect(404);
}

#[tokio::test]
async fn one_refreshes_and_the_others_go_on_with_the_old_value() {
    let api = Api::start().await;
    put_expired(&api, "k").await;
    let leased =
        async |container: &str, how: &str| asking(&api, container, "k", how).header("fill-lease", "60").send().await;
    let first = leased("entries-1", "max-stale").await;
    assert_stale(&first, "L3_DATABASE", "\"k\"");
    assert_eq!(first.json()["fill"], json!({"state": "granted", "expires_in": 60}));
    let token = first.header("fill-token").expect("a token").to_owned();
    for container in CONTAINERS {
        let other = leased(container, "max-stale").await;
        assert_eq!((other.status, other.value(), other.header("fill-token")), (200, "\"k\"", None), "{other:?}");
        assert_eq!(other.json()["fill"], json!({"state": "held", "retry_after": 1}));
        let missed = leased(container, "no-cache").await.expect_error(404, "CACHE_KEY_NOT_FOUND");
        assert_eq!(missed.details()["fill"]["state"], "held", "who does not take it waits as ever");
    }
    let body = json!({"value": "new", "grace_seconds": GRACE}).to_string();
    let filled = api.put(&entry("k"), body).header("fill-token", token).pin("entries-2").send().await;
    filled.expect(201);
    wait_out_the_window().await;
    for container in CONTAINERS {
        let found = leased(container, "max-stale").await.expect(200);
        assert_eq!((found.value(), found.json().get("fill"), found.header("age")), ("\"new\"", None, None));
    }
}

#[tokio::test]
async fn who_does_not_take_it_is_the_first_to_load_as_ever() {
    let api = Api::start().await;
    put_expired(&api, "k").await;
    let missed = api.get(&entry("k")).header("fill-lease", "60").pin("entries-1").send().await;
    let missed = missed.expect_error(404, "CACHE_KEY_NOT_FOUND");
    let token = missed.header("fill-token").expect("a token").to_owned();
    // Whoever touches the key meanwhile makes an end of both.
    api.delete(&entry("k")).pin("entries-2").send().await.expect(404);
    let fill = api.put(&entry("k"), r#"{"value":"late"}"#).header("fill-token", token).pin("entries-1").send().await;
    fill.expect_error(412, "LEASE_LOST");
    stale(&api, "entries-1", "k").await.expect(404);
}

#[tokio::test]
async fn a_patch_keeps_it_and_every_level_keeps_the_value_for_as_long() {
    let api = start().await;
    put_kept(&api, "k").await;
    let patched = api.request("PATCH", &entry("k")).body(r#"{"ttl_seconds":200,"add_tags":["u"]}"#).pin("entries-2");
    assert_eq!(patched.send().await.expect(200).json()["metadata"]["grace_seconds"], GRACE);
    at(&api, 250);
    get(&api, "entries-1", "k").await.expect(404);
    assert_stale(&stale(&api, "entries-1", "k").await, "L2_REDIS", "\"k\"");
    let left: i64 = command(&api, &["PTTL", &copy_name("k")]).await;
    assert!(left > i64::try_from(GRACE * 1000).unwrap(), "{left} ms");
    let rows = tables::all(&api, "cache_entries").await;
    let ttl = |item: &tables::Item| item["ttl"].as_n().unwrap().parse::<u64>().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let name = rows.iter().find_map(|row| Some(format!("k\u{1}{:0>20}", row.get("parts")?.as_n().unwrap())));
    let name = name.expect("the row says the name of its index rows");
    let is_its = |row: &tables::Item| ["k", &name].contains(&tables::text_of(row, "sk"));
    let kept = rows.iter().filter(|row| is_its(row) && ttl(row) >= now + GRACE).count();
    assert_eq!(kept, 3, "the row and its two index rows: {rows:?}");
    invalidate(&api, json!({"tags": ["u"]})).await.expect(200);
    wait_out_the_window().await;
    stale(&api, "entries-1", "k").await.expect(404);
}

#[tokio::test]
async fn large_values_and_values_for_redis_only_are_kept_as_well() {
    let api = Api::start().await;
    let text = "x".repeat(500_000);
    let stored = async |key: &str, more: Value| {
        let mut body = json!({"value": text, "ttl_seconds": 1, "grace_seconds": GRACE, "compression_enabled": false});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.put(&entry(key), body.to_string()).pin("entries-1").send().await.expect(201);
        eventually("its end", async || get(&api, "entries-1", key).await.status == 404).await;
    };
    stored("large", json!({})).await;
    stored("stub", json!({"cache_levels": ["L2_REDIS"]})).await;
    for key in ["large", "stub"] {
        let leased = asking(&api, "entries-2", key, "max-stale").header("fill-lease", "10").send().await.expect(200);
        assert_eq!(leased.value().len(), text.len() + 2);
        assert!(leased.header("fill-token").is_some(), "{key}");
        get(&api, "entries-2", key).await.expect(404);
    }
    flush(&api).await;
    assert_stale(&stale(&api, "entries-1", "large").await, "L3_DATABASE", &format!("\"{text}\""));
    stale(&api, "entries-1", "stub").await.expect(404);
    get(&api, "entries-1", "large").await.expect(404);
}

#[tokio::test]
async fn an_explanation_says_until_when_it_is_there() {
    let api = start().await;
    put_kept(&api, "k").await;
    let explain = async || {
        let asked = api.get("/explain?key=k").pin("entries-2").send().await.expect(200).json();
        (
            asked["verdict"].clone(),
            asked["reason"].clone(),
            asked["get"]["status"].clone(),
            asked.get("stale_until").cloned(),
        )
    };
    assert_eq!(explain().await, (json!("hit"), Value::Null, json!(200), None));
    at(&api, 150);
    let (verdict, reason, status, until) = explain().await;
    assert_eq!((verdict, reason, status), (json!("stale"), json!("expired"), json!(404)));
    assert!(until.is_some_and(|until| until.is_string()));
    at(&api, 710);
    assert_eq!(explain().await, (json!("miss"), json!("expired"), json!(404), None));
}

#[tokio::test]
async fn max_age_lowers_the_window_and_makes_no_value_a_miss() {
    let api = start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    get(&api, "entries-2", "k").await.expect(200);
    at(&api, 60);
    for age in [0, 1, 30, 100_000] {
        asking(&api, "entries-2", "k", &format!("max-age={age}")).send().await.expect(200);
    }
    for value in 2..6 {
        put(&api, "entries-1", "k", &value.to_string()).await.expect(200);
        let found = asking(&api, "entries-2", "k", "max-age=0").send().await.expect(200);
        assert_eq!(found.value(), value.to_string());
    }
}
