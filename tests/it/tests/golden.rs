//! What is stored by a release is read by every later one, and what this one stores can be read by an older one: both run
//! side by side while a deployment is exchanged, and going back is always open. Copies in Redis are left out of that where
//! their form has changed: each release takes those of the other for a miss. What [`written`] leaves in the tables and
//! in Redis is kept in a file for each release, whose own tests wrote it, and which is never changed again.

mod dump;
mod load;
mod scenario;

use crate::{
    support::{command, fresh},
    tables,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use scenario::{KEPT, undoable, values, written};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use strata_it::stack::{L3Store, Options, RedisEngine, Stack, repository};
use strata_it::{Answer, Api, entry, patient};

/// The releases of which there is a file, and the newest of them, which writes as this one does.
const RELEASES: [&str; 2] = ["0.1.0", NEWEST];
const NEWEST: &str = "0.2.0";
/// Those of them that keep copies in Redis of another form.
const OTHER_COPIES: [&str; 1] = ["0.1.0"];
/// Keys of Redis that count what happened, and those of limits and stocks: no release relies on what another counted.
const COUNTS: [&str; 5] = ["{j}stats", "{j}gauges", "{j}census", "{l:", "}q:"];
/// What releases have called a copy in Redis that later ones keep in another form, and under another name.
const OLDER_COPY: &str = "}k:";
/// What they have found such copies by, per tag, beside the list of all tags; and until when they did.
const OLDER_TAG: &str = "}t:";
const OLDER_TILL: &str = "}both";
/// What is known of the server, and of what its containers keep.
const META: &str = "strata:cache:{j}meta";
/// The key of which nothing but a copy is left.
const LOST: &str = "l2only";
/// Members that say how many there were, or whose place was taken by chance.
const CHANCE: [&str; 3] = ["count", "slot", "sweeps"];
/// Stands before a field's name in base64.
const BINARY: &str = "base64:";
/// Longest row of one character in a file; longer ones are counted.
const LONGEST_RUN: usize = 1000;

/// Whether two releases may write something else under this name.
fn is_count(name: &str) -> bool {
    let finds_older = name.ends_with(OLDER_TILL) || (name.contains(OLDER_TAG) && !name.ends_with(OLDER_TAG));
    let is_older = name.contains(OLDER_COPY) || finds_older;
    CHANCE.contains(&name) || is_older || COUNTS.iter().any(|part| name.contains(part))
}

fn file(release: &str) -> PathBuf {
    repository().join(format!("tests/it/tests/golden/{release}.json"))
}

fn stored(release: &str) -> Value {
    serde_json::from_slice(&fs::read(file(release)).unwrap()).unwrap()
}

/// Bytes as a file has them: text, or base64, and how many zeros follow.
fn of_bytes(bytes: &[u8]) -> Value {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == b'0').count();
    if zeros > LONGEST_RUN {
        return json!({"before": of_bytes(&bytes[..bytes.len() - zeros]), "zeros": zeros});
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({"base64": BASE64_STANDARD.encode(bytes)}),
    }
}

fn to_bytes(value: &Value) -> Vec<u8> {
    match (value.as_str(), value["base64"].as_str(), value["zeros"].as_u64()) {
        (Some(text), ..) => text.as_bytes().to_vec(),
        (_, Some(base64), _) => BASE64_STANDARD.decode(base64).unwrap(),
        (.., Some(zeros)) => [to_bytes(&value["before"]), vec![b'0'; usize::try_from(zeros).unwrap()]].concat(),
        _ => panic!("no bytes: {value}"),
    }
}

/// The name of a field, which may be a hash.
fn of_field(name: &[u8]) -> String {
    std::str::from_utf8(name).map_or_else(|_| format!("{BINARY}{}", BASE64_STANDARD.encode(name)), str::to_owned)
}

fn to_field(name: &str) -> Vec<u8> {
    name.strip_prefix(BINARY).map_or_else(|| name.as_bytes().to_vec(), |base64| BASE64_STANDARD.decode(base64).unwrap())
}

/// A stack of today's binaries beside what a release has left.
async fn after(release: &str) -> (Stack, Api) {
    let engines = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    load::load(&engines, &stored(release)).await;
    let redis = RedisEngine::Url(engines.redis().url().to_owned());
    let l3 = L3Store::Endpoint(engines.l3().engine_endpoint().to_owned());
    (engines, Api::with(patient().redis(redis).l3(l3).streams(false)).await)
}

async fn get(api: &Api, key: &str) -> Answer {
    api.get(&entry(key)).send().await.expect(200)
}

#[tokio::test]
async fn what_an_older_release_left_is_served() {
    for release in RELEASES {
        let (_engines, api) = after(release).await;
        let is_served = |key: &str| key != LOST || !OTHER_COPIES.contains(&release);
        for (key, text, tags) in values(release).into_iter().filter(|(key, ..)| is_served(key)) {
            assert_eq!(get(&api, key).await.value(), text, "{key} of {release}");
            let listed = api.get(&format!("/keys?prefix={key}")).send().await.expect(200).json();
            if KEPT.contains(&key) {
                assert_eq!(listed["keys"][0]["tags"], json!(tags), "{key} of {release}: {listed}");
            }
        }
        let undoable = undoable(release).into_iter().map(|(key, ..)| key);
        for key in
            ["deleted", "invalidated:1", LOST].into_iter().filter(|key| !is_served(key) || *key != LOST).chain(undoable)
        {
            api.get(&entry(key)).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
        }
        let config = api.get("/config").send().await.expect(200).json();
        assert_eq!(config["l1_config"]["ttl_minutes"], 90, "{release}");
        for (state, job) in jobs(release) {
            assert_eq!(api.get(&format!("/warm/{job}")).send().await.expect(200).json()["state"], *state);
        }
        assert_eq!(api.get("/tags").send().await.expect(200).json()["tags"][0], json!({"tag": "first", "entries": 2}));
    }
}

/// The names of its jobs, with their states.
fn jobs(release: &str) -> Vec<(String, String)> {
    let stored = stored(release);
    let items = stored["tables"]["cache_control"].as_array().unwrap();
    let states = items.iter().filter(|item| item["sk"]["S"] == "-").filter_map(|item| {
        let job = item["pk"]["S"].as_str()?.strip_prefix("job#")?;
        Some((item["state"]["S"].as_str()?.to_owned(), job.to_owned()))
    });
    let states: Vec<_> = states.collect();
    assert_eq!(states.len(), 2, "{states:?}");
    states
}

#[tokio::test]
async fn copies_of_an_older_release_are_a_miss_and_go() {
    for release in OTHER_COPIES {
        let (engines, api) = after(release).await;
        let older = async || -> Vec<String> {
            let all = stored(release)["redis"].as_object().unwrap().clone();
            let names = all.into_iter().map(|(name, _)| name).filter(|name| name.contains(OLDER_COPY));
            let mut redis = redis::Client::open(engines.redis().url()).unwrap().get_connection().unwrap();
            names.filter(|name| redis::cmd("EXISTS").arg(name).query(&mut redis).unwrap()).collect()
        };
        assert_eq!(older().await.len(), 7);
        for (key, text, _) in values(release).into_iter().filter(|(key, ..)| KEPT.contains(key) && *key != "large") {
            let answer = get(&api, key).await;
            assert_eq!((answer.value(), answer.level().as_str()), (text.as_str(), "L3_DATABASE"), "{key} of {release}");
        }
        assert_eq!(older().await, [format!("strata:cache:{{e2}}k:{LOST}")], "{release}");
        api.stack.tick().await.unwrap();
        assert_eq!(older().await, [""; 0], "maintenance of {release}");
    }
}

#[tokio::test]
async fn copies_of_the_same_form_are_used() {
    for release in RELEASES.into_iter().filter(|release| !OTHER_COPIES.contains(release)) {
        let (_engines, api) = after(release).await;
        for key in ["plain", "tagged", "lz4", "zstd", "json", "grace", "sliding", LOST] {
            assert_eq!(get(&api, key).await.level(), "L2_REDIS", "{key} of {release}");
        }
    }
}

#[tokio::test]
async fn what_an_older_release_removed_is_brought_back() {
    for release in RELEASES.into_iter().filter(|release| !undoable(release).is_empty()) {
        let (_engines, api) = after(release).await;
        let listed = api.get("/invalidations").send().await.expect(200).json();
        let of_kind = |kind: &str| -> Vec<String> {
            let all = listed["invalidations"].as_array().unwrap().iter().filter(|one| one["state"] == "undoable");
            let all = all.filter(|one| !one[kind].is_null());
            all.map(|one| one["invalidation_id"].as_str().unwrap().to_owned()).collect()
        };
        for (kind, restored) in [("pattern", 2), ("key", 1)] {
            let ids = of_kind(kind);
            assert_eq!(ids.len(), 1, "{kind} of {release}: {listed}");
            let undo = api.request("POST", &format!("/invalidate/{}/undo", ids[0])).send().await.expect(200).json();
            assert_eq!((&undo["restored"], &undo["overwritten"]), (&json!(restored), &json!(0)), "{release}: {undo}");
        }
        for (key, text, tags) in undoable(release) {
            assert_eq!(get(&api, key).await.value(), text, "{key} of {release}");
            let listed = api.get(&format!("/keys?prefix={key}")).send().await.expect(200).json();
            assert_eq!(listed["keys"][0]["tags"], json!(tags), "{key} of {release}: {listed}");
        }
        let done = api.request("POST", "/invalidate").body(r#"{"tags":["brought back"]}"#).send().await.expect(200);
        assert_eq!(done.json()["invalidated_count"], 3, "their rows of tags are there");
    }
}

#[tokio::test]
async fn what_an_older_release_left_is_changed_and_removed() {
    for release in RELEASES {
        let (engines, api) = after(release).await;
        let invalidated =
            api.request("POST", "/invalidate").body(r#"{"tags":["first"]}"#).send().await.expect(200).json();
        assert_eq!(invalidated["invalidated_count"], 2, "{release}");
        for key in ["tagged", "patched"] {
            api.get(&entry(key)).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
        }
        let put = api.put(&entry("plain"), r#"{"value":"new"}"#).send().await;
        assert_eq!(fresh(&api, "plain").await.value(), r#""new""#, "{put:?}");
        put.expect(200);
        api.request("PATCH", &entry("zstd")).body(r#"{"add_tags":["late"]}"#).send().await.expect(200);
        api.delete(&entry("large")).send().await.expect(200);
        let left = tables::all_of(engines.l3().engine_endpoint(), "cache_entries").await;
        let names: Vec<&str> = left.iter().map(|item| tables::text_of(item, "pk")).collect();
        let gone = |pk: &&&str| pk.starts_with("c#") || pk.contains("#first");
        assert_eq!(names.iter().filter(gone).count(), 0, "chunks and index rows of {release}: {names:?}");
    }
}

/// While it is seen beside this one nothing in Redis is trusted that was written before; and once more when whatever it did
/// has ended.
#[tokio::test]
async fn a_release_that_keeps_other_copies_is_noticed() {
    let api = Api::with(patient()).await;
    let body = json!({"value": 1, "cache_levels": ["L2_REDIS", "L3_DATABASE"]}).to_string();
    api.put(&entry("k"), body).send().await.expect(201);
    let read = async || fresh(&api, "k").await.expect(200).level();
    assert_eq!(read().await, "L2_REDIS");
    let server: String = command(&api, &["HGET", META, "id"]).await;
    command::<()>(&api, &["HSET", META, "id", server.strip_prefix("c:").unwrap()]).await;
    assert_eq!(read().await, "L3_DATABASE", "it has synced");
    assert_eq!(command::<String>(&api, &["HGET", META, "id"]).await, server);
    assert_eq!(read().await, "L2_REDIS");
    let till: u64 = command(&api, &["HGET", META, "exchanged"]).await;
    command::<()>(&api, &["HSET", META, "exchanged", &(till - 45_000).to_string()]).await;
    assert_eq!(read().await, "L3_DATABASE", "whatever it began has ended");
    assert_eq!(read().await, "L2_REDIS");
    assert!(!command::<bool>(&api, &["HEXISTS", META, "exchanged"]).await);
}

/// Everything that an older release knows is there, under the same name, of the same type, but for copies. What is more it
/// passes over.
#[tokio::test]
async fn what_is_written_an_older_release_can_read() {
    let mut now = dump::masked(&written().await);
    let server = now["redis"][META]["value"]["id"].take();
    assert_eq!(server, "c:#", "from which an older one sees that others are kept as copies");
    for release in RELEASES {
        let (mut old, mut missing) = (dump::masked(&stored(release)), Vec::new());
        old["redis"][META]["value"]["id"].take();
        dump::missing(&old, &now, release, &mut missing);
        assert!(missing.is_empty(), "{missing:#?}");
    }
}

/// Run with `--ignored` when a release is made, after adding it. Never writes over a file: a released one is pinned.
#[tokio::test]
#[ignore = "writes the file of a new release"]
async fn write_the_file_of_a_new_release() {
    for release in RELEASES.into_iter().filter(|release| !file(release).exists()) {
        fs::write(file(release), serde_json::to_string_pretty(&written().await).unwrap() + "\n").unwrap();
    }
}

#[test]
fn bytes_come_back() {
    let long = [&b"\xff1"[..], &[b'0'; 5000]].concat();
    for bytes in [&b"text"[..], b"", b"\xff\x00", &long, &long[1..]] {
        assert_eq!(to_bytes(&of_bytes(bytes)), bytes);
    }
}
