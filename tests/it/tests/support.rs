//! What several suites do.

use redis::FromRedisValue;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_it::{Answer, Api, entry};

/// A little more than the window of template.yaml.
pub const WINDOW: Duration = Duration::from_millis(1050);

/// Waits until every container has to sync before it trusts its L1.
pub async fn wait_out_the_window() {
    tokio::time::sleep(WINDOW).await;
}

/// Stores `value`, JSON text, through a container.
pub async fn put(api: &Api, container: &str, key: &str, value: &str) -> Answer {
    api.put(&entry(key), format!("{{\"value\":{value}}}")).pin(container).send().await
}

/// Reads a key through a container.
pub async fn get(api: &Api, container: &str, key: &str) -> Answer {
    api.get(&entry(key)).pin(container).send().await
}

/// Stores a value with tags.
pub async fn put_tagged(api: &Api, key: &str, tags: &[&str]) {
    let body = json!({"value": key, "tags": tags}).to_string();
    api.put(&entry(key), body).pin("entries-1").send().await.expect(201);
}

/// Reads a key with Δ = 0.
pub async fn fresh(api: &Api, key: &str) -> Answer {
    api.get(&entry(key)).pin("entries-2").header("cache-control", "no-cache").send().await
}

/// Invalidates what `body` says.
pub async fn invalidate(api: &Api, body: Value) -> Answer {
    api.request("POST", "/invalidate").body(body.to_string()).send().await
}

/// What the stream says of a job that is ready.
pub fn called(job: &str) -> Value {
    json!({"Records": [{"eventSource": "aws:dynamodb", "eventName": "MODIFY", "dynamodb": {
        "SequenceNumber": "1", "Keys": {"pk": {"S": format!("job#{job}")}, "sk": {"S": "-"}},
    }}]})
}

/// Asks until the answer is yes; fails after two minutes.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} takes too long");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Says one command to Redis.
pub async fn command<T: FromRedisValue>(api: &Api, words: &[&str]) -> T {
    let client = redis::Client::open(api.stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// How many commands Redis has had, this question included.
pub async fn commands(api: &Api) -> u64 {
    let info: String = command(api, &["INFO", "stats"]).await;
    let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    line.unwrap().trim().parse().unwrap()
}

/// How many scripts Redis has run.
pub async fn scripts_run(api: &Api) -> u64 {
    let stats: String = command(api, &["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).unwrap();
    line.split(',').next().unwrap().parse().unwrap()
}

/// Empties Redis.
pub async fn flush(api: &Api) {
    command::<()>(api, &["FLUSHALL"]).await;
}

/// The shard of a key, as it is written.
pub fn shard(key: &str) -> String {
    format!("{:x}", xxhash_rust::xxh3::xxh3_64(key.as_bytes()) % 16)
}

/// The hash of a tag, as rows begin with it: its first two digits are in the name of their set.
pub fn rows_of(tag: &str) -> String {
    redis::Script::new(tag).get_hash()[..16].to_owned()
}

/// The names in Redis of copies and of what finds them.
pub async fn copies_and_indexes(api: &Api) -> Vec<String> {
    let mut names: Vec<String> = command(api, &["KEYS", "strata:cache:{e*"]).await;
    names.retain(|name| ["}c:", "}index", "}r:", "}t:", "}o:"].iter().any(|kind| name.contains(kind)));
    names.sort();
    names
}

/// The name of a key's copy in Redis.
pub fn copy_name(key: &str) -> String {
    format!("strata:cache:{{e{}}}c:{key}", shard(key))
}
