//! The configuration: what an update may say, how the fleet follows it, and what becomes of levels that are switched.

mod follow;
mod levels;
mod responsible;
mod update;

use crate::support::put as put_entry;
use serde_json::Value;
use std::time::Duration;
use strata_it::{Answer, Api, entry, patient};

/// The containers of the function that serves entries.
const FLEET: [&str; 4] = ["entries-1", "entries-2", "entries-3", "entries-4"];
/// A container that hears nothing from Redis asks for the configuration so often, and a little.
const LAMBDA: Duration = Duration::from_millis(10_500);

async fn fleet() -> Api {
    Api::with(patient().containers(FLEET.len())).await
}

async fn configure(api: &Api, update: Value) -> Answer {
    api.put("/config", update.to_string()).send().await
}

/// By the first container.
async fn shown(api: &Api) -> Value {
    api.get("/config").pin("config-1").send().await.expect(200).json()
}

/// Stores a value under a key of its own through a container and returns what the answer says of it.
async fn stored(api: &Api, container: &str, value: &str) -> Value {
    let key = format!("probe:{container}:{}", value.len());
    put_entry(api, container, &key, value).await.json()["metadata"].take()
}

/// Reads a key through a container, past L1.
async fn fresh(api: &Api, container: &str, key: &str) -> Answer {
    api.get(&entry(key)).pin(container).header("cache-control", "no-cache").send().await
}
