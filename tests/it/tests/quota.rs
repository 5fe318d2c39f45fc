//! Quotas: what one API key may store, what is said of it, and what is left of a tenant that uses all of it.

use crate::{
    support::{command, copies_and_indexes, copy_name, invalidate, wait_out_the_window},
    tables,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_it::{
    Answer, Api, entry, patient,
    stack::{Claims, Options},
};

/// A little more than the shortest life of an entry, and than what it may count for longer.
const LIFE: Duration = Duration::from_millis(2_200);

fn quotas(quotas: &[(&str, &str)]) -> Options {
    let functions = ["authorizer", "entries", "invalidate", "status", "warmer"];
    let options = patient().containers(2).functions(functions).env("RATE_LIMITS", "off");
    quotas.iter().fold(options, |options, &(name, value)| options.env(name, value))
}

fn token(api: &Api, tenant: &str) -> String {
    api.stack.token(Claims::default().api_key(tenant))
}

async fn put(api: &Api, tenant: &str, key: &str, body: Value) -> Answer {
    api.put(&entry(key), body.to_string()).bearer(&token(api, tenant)).send().await
}

async fn status(api: &Api, token: &str) -> Value {
    api.get("/status").bearer(token).send().await.expect(200).json()
}

async fn entries(api: &Api, tenant: &str) -> u64 {
    status(api, &token(api, tenant)).await["usage"]["entries"].as_u64().unwrap()
}

/// A value of so many bytes that no compression makes smaller.
fn of(bytes: usize) -> Value {
    json!({"value": "7".repeat(bytes), "compression_enabled": false})
}

#[tokio::test]
async fn more_entries_than_the_quota_are_refused_until_some_are_gone() {
    let api = Api::with(quotas(&[("QUOTA_ENTRIES", "5")])).await;
    for number in 0..5 {
        put(&api, "a", &format!("k:{number}"), of(10)).await.expect(201);
    }
    let refused = put(&api, "a", "k:5", of(10)).await.expect_error(429, "QUOTA_EXCEEDED").json();
    let expected = json!({"quota": "entries", "limit": 5, "used": 5});
    assert_eq!(refused["error"]["details"], expected, "{refused}");
    put(&api, "a", "k:0", of(10)).await.expect(200);
    put(&api, "b", "k:5", of(10)).await.expect(201);
    api.delete(&entry("k:1")).bearer(&token(&api, "a")).send().await.expect(200);
    put(&api, "a", "k:6", json!({"value": 1, "ttl_seconds": 1})).await.expect(201);
    tokio::time::sleep(LIFE).await;
    put(&api, "a", "k:7", of(10)).await.expect(201);
    put(&api, "a", "k:8", of(10)).await.expect_error(429, "QUOTA_EXCEEDED");
    // A book that is not known admits.
    for number in 0..16 {
        let books: Vec<String> = command(&api, &["KEYS", &format!("strata:cache:{{e{number:x}}}q:*")]).await;
        for book in books {
            command::<i64>(&api, &["DEL", &book]).await;
        }
    }
    put(&api, "a", "k:9", of(10)).await.expect(201);
}

#[tokio::test]
async fn more_bytes_than_the_quota_are_refused_and_fewer_than_before_are_not() {
    let api = Api::with(quotas(&[("QUOTA_MB", "1")])).await;
    for number in 0..3 {
        put(&api, "a", &format!("k:{number}"), of(300_000)).await.expect(201);
    }
    let refused = put(&api, "a", "k:3", of(300_000)).await.expect_error(429, "QUOTA_EXCEEDED").json();
    let details = &refused["error"]["details"];
    assert_eq!((&details["quota"], &details["limit"]), (&json!("bytes"), &json!(1 << 20)));
    assert!(details["used"].as_u64().unwrap() > 900_000, "{details}");
    put(&api, "a", "k:0", of(500_000)).await.expect_error(429, "QUOTA_EXCEEDED");
    put(&api, "a", "k:0", of(299_000)).await.expect(200);
    put(&api, "a", "k:3", json!({"value": of(300_000)["value"], "cache_levels": ["L3_DATABASE"]})).await.expect(201);
    put(&api, "a", "k:1", of(10)).await.expect(200);
    put(&api, "a", "k:4", of(300_000)).await.expect(201);
}

#[tokio::test]
async fn the_stock_follows_whoever_overwrites_and_removes() {
    let api = Api::with(quotas(&[])).await;
    for key in ["k:1", "k:2", "k:3", "k:4"] {
        put(&api, "a", key, json!({"value": 1, "tags": ["t"]})).await.expect(201);
    }
    assert_eq!((entries(&api, "a").await, entries(&api, "b").await), (4, 0));
    put(&api, "b", "k:1", of(10)).await.expect(200);
    assert_eq!((entries(&api, "a").await, entries(&api, "b").await), (3, 1));
    api.delete(&entry("k:2")).bearer(&token(&api, "b")).send().await.expect(200);
    assert_eq!(entries(&api, "a").await, 2);
    invalidate(&api, json!({"tags": ["t"]})).await.expect(200);
    assert_eq!((entries(&api, "a").await, entries(&api, "b").await), (0, 1));
    invalidate(&api, json!({"pattern": "*"})).await.expect(200);
    let usage = status(&api, &token(&api, "b")).await["usage"].clone();
    let quotas = json!({"entries": 1_000_000, "bytes": 1024 << 20, "index_bytes": 256 << 20});
    assert_eq!(usage, json!({"entries": 0, "bytes": 0, "index_bytes": 0, "quotas": quotas}));
}

#[tokio::test]
async fn what_redis_has_lost_counts_until_maintenance_and_again_when_it_comes_back() {
    let api = Api::with(quotas(&[])).await;
    let tenant = token(&api, "a");
    for number in 0..4 {
        let request = api.put(&entry(&format!("k:{number}")), of(10).to_string());
        request.bearer(&tenant).pin("entries-1").send().await.expect(201);
    }
    for evicted in ["k:0", "k:1"] {
        assert_eq!(command::<i64>(&api, &["DEL", &copy_name(evicted)]).await, 1);
    }
    assert_eq!(entries(&api, "a").await, 4);
    api.stack.tick().await.unwrap();
    assert_eq!(entries(&api, "a").await, 2);
    let read = async |key: &str| api.get(&entry(key)).pin("entries-2").send().await.expect(200).level();
    assert_eq!((read("k:0").await.as_str(), entries(&api, "a").await), ("L3_DATABASE", 3));
    invalidate(&api, json!({"pattern": "*", "levels": ["L1_MEMORY", "L2_REDIS"]})).await.expect(200);
    assert_eq!(entries(&api, "a").await, 0);
    wait_out_the_window().await;
    assert_eq!((read("k:3").await.as_str(), entries(&api, "a").await), ("L3_DATABASE", 1));
}

#[tokio::test]
async fn a_confined_token_sees_its_own_figures() {
    let api = Api::with(quotas(&[])).await;
    for number in 0..3 {
        put(&api, "other", &format!("o:{number}"), of(1000)).await.expect(201);
    }
    put(&api, "tenant", "t:1", of(1000)).await.expect(201);
    api.get(&entry("o:1")).send().await.expect(200);
    let confined = api.stack.token(Claims::default().api_key("tenant").prefixes(&["t:"]));
    let [own, all] = [status(&api, &confined).await, status(&api, &token(&api, "tenant")).await];
    let levels = own["levels"].as_array().unwrap();
    let entries = |status: &Value| [0, 1, 2].map(|level| status["levels"][level]["entries"].as_u64().unwrap());
    assert_eq!((entries(&own), entries(&all)[1]), ([0, 1, 0], 4), "{own}");
    assert_eq!((&levels[1]["size"], &own["usage"]), (&all["usage"]["bytes"], &all["usage"]));
    assert_eq!(own["overall_stats"]["total_entries"], 1);
    for level in levels {
        for count in ["hits", "misses", "hit_ratio"] {
            assert_eq!(level[count].as_f64(), Some(0.0), "{own}");
        }
    }
    let fleet = json!({"statistics": "available", "counted_since": null, "containers": 0,
        "coherence_window_ms": all["fleet"]["coherence_window_ms"], "journal_records": 0, "journal_newest": null});
    assert_eq!(own["fleet"], fleet);
    for level in 0..3 {
        let names = |status: &Value| status["levels"][level].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&own), names(&all), "every field of the contract stays");
    }
}

/// Bytes that Redis takes for all entries and what belongs to them.
async fn taken(api: &Api) -> u64 {
    let mut bytes = 0;
    for name in names(api).await {
        bytes += command::<Option<u64>>(api, &["MEMORY", "USAGE", &name, "SAMPLES", "0"]).await.unwrap_or_default();
    }
    bytes
}

async fn names(api: &Api) -> Vec<String> {
    let mut names: Vec<String> = command(api, &["KEYS", "strata:cache:{e*"]).await;
    names.retain(|name| !name.ends_with("}both") && !name.ends_with("}trial"));
    names
}

/// Fifty tags that nothing else has.
fn tags(number: usize) -> Vec<String> {
    (0..50).map(|tag| format!("{number}-{tag}-{}", "x".repeat(110))).collect()
}

/// A key of the tenant that uses up its quotas.
fn key(number: usize) -> String {
    format!("tenant:{number:06}")
}

/// Stores entries of an hour for one API key, first with tags and then large ones, until no more are taken of either.
async fn use_up(api: &Api, most: usize) {
    for shard in 0..16 {
        command::<()>(api, &["SET", &format!("strata:cache:{{e{shard:x}}}both"), "1"]).await;
    }
    let mut refused = Vec::new();
    for number in 0..most {
        let tagged = json!({"value": number, "tags": if refused.is_empty() { tags(number) } else { Vec::new() }});
        let body = if refused.is_empty() { tagged } else { of(60_000) };
        let answer = put(api, "tenant", &key(number), body).await;
        if answer.status == 429 {
            refused.push(answer.json()["error"]["details"]["quota"].clone());
        }
        if refused.len() == 2 {
            break;
        }
    }
    assert_eq!(refused, ["index_bytes", "bytes"]);
}

#[tokio::test]
async fn a_tenant_that_uses_all_its_quotas_takes_that_and_leaves_nothing() {
    let api = Api::with(quotas(&[("QUOTA_MB", "3"), ("QUOTA_INDEX_MB", "1")])).await;
    let quota = 4 << 20;
    use_up(&api, 1000).await;
    let bytes = taken(&api).await;
    eprintln!("quotas of {quota} bytes, {bytes} taken");
    assert!(bytes <= quota / 10 * 12 && bytes >= quota / 10 * 6, "quotas of {quota} bytes, {bytes} taken");
    invalidate(&api, json!({"pattern": "tenant:*"})).await.expect(200);
    assert_eq!(copies_and_indexes(&api).await, [""; 0]);

    for number in 0..40 {
        let body = json!({"value": number, "ttl_seconds": 1, "tags": tags(number)});
        put(&api, "tenant", &key(number), body).await.expect(201);
    }
    assert!(taken(&api).await <= quota / 10 * 12);
    tokio::time::sleep(LIFE).await;
    for _ in 0..3 {
        api.stack.tick().await.unwrap();
    }
    assert_eq!(names(&api).await, [""; 0], "nothing is left");
}

/// From one maintenance to the next, while a tenant goes on at its limits for seconds.
const TICK: Duration = Duration::from_secs(2);
/// Keys that it has to do with then.
const KEYS: usize = 400;

/// Something that a tenant at its limits may do next: entries of some seconds or a minute, small ones with all the tags
/// there may be and large ones without, over each other, and now and then a DELETE.
async fn go_on(api: &Api, rng: &mut fastrand::Rng, container: &str) -> Answer {
    let number = rng.usize(..KEYS);
    let path = entry(&key(number));
    let request = match rng.u32(..10) {
        0..2 => api.delete(&path),
        kind => {
            let tagged = json!({"value": number, "tags": tags(KEYS + rng.usize(..1_000_000))});
            let mut body = if kind < 6 { tagged } else { of(rng.usize(1_000..60_000)) };
            body["ttl_seconds"] = json!(rng.u32(1..=60));
            api.put(&path, body.to_string())
        }
    };
    request.bearer(&token(api, "tenant")).pin(container).send().await
}

#[tokio::test]
async fn a_tenant_that_goes_on_at_its_limits_stays_within_them_and_leaves_nothing() {
    stays_within_its_limits(Duration::from_secs(15), TICK).await;
}

#[tokio::test]
#[ignore = "takes eleven minutes"]
async fn a_tenant_that_goes_on_at_its_limits_for_ten_minutes_leaves_nothing_either() {
    stays_within_its_limits(Duration::from_secs(600), Duration::from_secs(60)).await;
}

/// Goes on at a tenant's limits for so long, with maintenance after each `tick`.
async fn stays_within_its_limits(at_its_limits: Duration, tick: Duration) {
    let api = Api::with(quotas(&[("QUOTA_MB", "3"), ("QUOTA_INDEX_MB", "1")])).await;
    let quota = 4 << 20;
    use_up(&api, KEYS).await;
    let until = Instant::now() + at_its_limits;
    let busy = async |container: &str| {
        let (mut rng, mut stored, mut refused) = (fastrand::Rng::new(), 0, 0);
        while Instant::now() < until {
            let answer = go_on(&api, &mut rng, container).await;
            assert!([200, 201, 404, 429].contains(&answer.status), "{answer:?}");
            stored += u32::from(answer.status < 300);
            refused += u32::from(answer.status == 429);
        }
        (stored, refused)
    };
    let watch = async {
        let mut most = 0;
        while Instant::now() < until {
            tokio::time::sleep(tick).await;
            api.stack.tick().await.unwrap();
            most = most.max(taken(&api).await);
        }
        most
    };
    let (one, other, most) = tokio::join!(busy("entries-1"), busy("entries-2"), watch);
    eprintln!("quotas of {quota} bytes, {most} at most; {one:?} and {other:?} stored and refused");
    assert!(one.1 + other.1 > 0 && one.0 + other.0 > 0, "it stayed at its limits");
    assert!(most <= quota / 10 * 12 && most >= quota / 10 * 6, "quotas of {quota} bytes, {most} taken");
    for number in 0..KEYS {
        // A machine that is too busy for Redis' timeout makes it 200 `degraded`, which leaves the copy in Redis its life.
        loop {
            let request = api.request("PATCH", &entry(&key(number))).body(r#"{"ttl_seconds":1}"#);
            let answer = request.bearer(&token(&api, "tenant")).send().await;
            assert!([200, 404].contains(&answer.status), "{answer:?}");
            if answer.status == 404 || answer.json().get("degraded").is_none() {
                break;
            }
        }
    }
    tokio::time::sleep(LIFE).await;
    // Half an hour later; and once more, as half-hours come, for what a container had not said when the sweep passed.
    let mut left = Vec::new();
    for _ in 0..5 {
        let sweep = tables::item("maintenance", "index");
        tables::client(&api).delete_item().table_name("cache_control").set_key(Some(sweep)).send().await.unwrap();
        for _ in 0..3 {
            api.stack.tick().await.unwrap();
        }
        left = names(&api).await;
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    assert_eq!(left, [""; 0], "nothing is left");
}
