//! What finds the copies in Redis: by key and by tag, in what room, and what the release before this one has left of it.

use crate::support::{command, copies_and_indexes, fresh, invalidate, put_tagged, rows_of, shard};
use serde_json::json;
use std::time::Duration;
use strata_it::{Api, entry};

/// A little more than the shortest life of an entry.
const LIFE: Duration = Duration::from_millis(1_200);

/// A name of the shard of a key.
fn name(key: &str, rest: &str) -> String {
    format!("strata:cache:{{e{}}}{rest}", shard(key))
}

/// The set of rows in which the keys of a tag stand, and the row of one of them.
fn row(key: &str, tag: &str) -> (String, String) {
    let hash = rows_of(tag);
    (name(key, &format!("r:{}", &hash[..2])), format!("{}{key}", &hash[2..]))
}

/// Names of all that finds copies.
async fn indexes(api: &Api) -> Vec<String> {
    let mut names = copies_and_indexes(api).await;
    names.retain(|name| !name.contains("}c:"));
    names
}

/// Members of them, and the bytes they take.
async fn taken(api: &Api) -> (u64, u64) {
    let (mut members, mut bytes) = (0, 0);
    for name in indexes(api).await {
        members += command::<u64>(api, &["ZCARD", &name]).await;
        bytes += command::<u64>(api, &["MEMORY", "USAGE", &name, "SAMPLES", "0"]).await;
    }
    (members, bytes)
}

#[tokio::test]
async fn nothing_that_finds_copies_can_be_evicted_before_them() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["red"]).await;
    let indexes = indexes(&api).await;
    assert_eq!(indexes.len(), 3, "{indexes:?}");
    for name in indexes {
        assert_eq!(
            command::<i64>(&api, &["PTTL", &name]).await,
            -1,
            "volatile-lru takes what has a time to live: {name}"
        );
    }
}

#[tokio::test]
async fn maintenance_takes_away_how_the_release_before_found_keys_by_tag() {
    let api = Api::start().await;
    let long = "long ".repeat(20);
    put_tagged(&api, "k", &["red", &long]).await;
    let now = indexes(&api).await;
    let add = async |set: &str, member: &str| {
        command::<i64>(&api, &["ZADD", &name("k", set), "0", member]).await;
    };
    for tag in ["red", &long, "blue"] {
        add(&format!("t:{tag}"), "k").await;
        add(&format!("t:{tag}"), "gone").await;
    }
    add("t:", "blue").await;
    add("o:", &long).await;
    command::<()>(&api, &["SET", &name("k", "both"), "1"]).await;
    let done = invalidate(&api, json!({"tags": ["blue"], "levels": ["L2_REDIS"], "dry_run": true})).await.expect(200);
    assert_eq!(done.json()["invalidated_count"], 0, "nobody looks there");
    api.stack.tick().await.unwrap();
    assert_eq!(indexes(&api).await, now);
    assert_eq!(command::<i64>(&api, &["EXISTS", &name("k", "both")]).await, 0);
    let tags = api.get("/tags").send().await.expect(200).json()["tags"].clone();
    assert_eq!(tags, json!([{"tag": long, "entries": 1}, {"tag": "red", "entries": 1}]));
}

#[tokio::test]
async fn many_keys_of_one_tag_are_met_once() {
    let api = Api::start().await;
    for number in 0..60 {
        put_tagged(&api, &format!("k:{number}"), &["red"]).await;
    }
    let body = json!({"tags": ["red"], "levels": ["L2_REDIS"], "dry_run": true});
    assert_eq!(invalidate(&api, body).await.json()["invalidated_count"], 60);
    let done = invalidate(&api, json!({"tags": ["red"]})).await.expect(200).json();
    assert_eq!(done["invalidated_count"], 60);
    assert_eq!(indexes(&api).await, [""; 0], "nothing is left");
    fresh(&api, "k:0").await.expect(404);
    fresh(&api, "k:59").await.expect(404);
}

#[tokio::test]
async fn what_a_row_says_by_mistake_removes_nothing() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["blue"]).await;
    // Its key has the hash of another tag, or somebody has evicted less than all.
    let (rows, row) = row("k", "red");
    command::<i64>(&api, &["ZADD", &rows, "0", &row]).await;
    let done = invalidate(&api, json!({"tags": ["red"]})).await.expect(200);
    assert_eq!(done.json()["invalidated_count"], 0);
    fresh(&api, "k").await.expect(200);
    assert_eq!(command::<i64>(&api, &["EXISTS", &rows]).await, 0, "and it is gone");
    assert_eq!(invalidate(&api, json!({"tags": ["blue"]})).await.json()["invalidated_count"], 1);
}

#[tokio::test]
async fn an_entry_takes_little_of_the_indexes() {
    let api = Api::start().await;
    let largest: Vec<String> = (0..50).map(|tag| format!("{tag:0>128}")).collect();
    put_tagged(&api, "customer:12345:profile:largest", &largest.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (members, bytes) = taken(&api).await;
    eprintln!("largest tags: {members} members, {bytes} bytes");
    assert!(members == 101 && bytes <= 12 << 10, "{members} members, {bytes} bytes");
    invalidate(&api, json!({"tags": [largest[7]]})).await.expect(200);
    assert_eq!(taken(&api).await, (0, 0));

    let usual = 640;
    for number in 0..usual {
        put_tagged(&api, &format!("customer:{number:08}:profile:main"), &["customer"]).await;
    }
    let (members, bytes) = taken(&api).await;
    eprintln!("usual: {members} members, {bytes} bytes, {} an entry", bytes / usual);
    assert!((2 * usual..=2 * usual + 16).contains(&members), "one of each shard is the tag itself");
    assert!(bytes / usual <= 160, "{bytes} bytes of {usual} entries");
}

#[tokio::test]
async fn a_long_tag_stands_in_the_list_by_its_hash() {
    let api = Api::start().await;
    let (long, short) = ("long ".repeat(20), "short");
    put_tagged(&api, "k", &[&long, short]).await;
    let listed = async || command::<Vec<String>>(&api, &["ZRANGE", &name("k", "t:"), "0", "-1"]).await;
    let by_hash = format!("{}\u{1}{}", &long[..42], rows_of(&long));
    assert_eq!(listed().await, [&*by_hash, short]);
    let tags = async || api.get("/tags").send().await.expect(200).json()["tags"].clone();
    let expected = json!([{"tag": long, "entries": 1}, {"tag": short, "entries": 1}]);
    assert_eq!(tags().await, expected);
    api.stack.tick().await.unwrap();
    assert_eq!(listed().await, [&*by_hash, short], "some key has them");
    assert_eq!(tags().await, expected);
    api.delete(&entry("k")).send().await.expect(200);
    assert_eq!(indexes(&api).await, [""; 0]);
}

#[tokio::test]
async fn the_dead_do_not_outnumber_the_living() {
    let api = Api::start().await;
    let (waves, each) = (6, 100);
    for wave in 0..waves {
        for number in 0..each {
            let body = json!({"value": 1, "ttl_seconds": 1, "tags": ["of all"]}).to_string();
            api.put(&entry(&format!("k:{wave}:{number}")), body).pin("entries-1").send().await.expect(201);
        }
        tokio::time::sleep(LIFE).await;
    }
    let (members, _) = taken(&api).await;
    let written = 2 * waves * each;
    assert!(members < written / 2, "{members} of {written} members are there, without maintenance");
    let mut ticks = 0;
    while api.stack.tick().await.unwrap()[0]["sweep_finished"] == true {
        ticks += 1;
        assert!(ticks < 5, "the sweep does not come to rest");
    }
    assert_eq!(taken(&api).await.0, 0);
}
