//! What several suites do.

use redis::FromRedisValue;
use std::time::Duration;
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

/// Says one command to Redis.
pub async fn command<T: FromRedisValue>(api: &Api, words: &[&str]) -> T {
    let client = redis::Client::open(api.stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

/// Empties Redis.
pub async fn flush(api: &Api) {
    command::<()>(api, &["FLUSHALL"]).await;
}
