//! Many miss one key at once: one loads.

use super::{LEASE, fill, loaded, miss};
use crate::support::get;
use futures_util::future::join_all;
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};
use strata_it::{Api, entry, patient};

/// How long a load takes.
const LOAD: Duration = Duration::from_millis(700);
/// How many miss it.
const CLIENTS: usize = 200;

/// Reads `k` until there is a value, and loads it when it is granted the lease.
async fn read_through(api: &Api, seconds: &str, loads: &AtomicUsize) {
    loop {
        let found = api.get(&entry("k")).header("fill-lease", seconds).send().await;
        if found.status == 200 {
            return assert_eq!(found.value(), "\"loaded\"");
        }
        let details = found.expect_error(404, "CACHE_KEY_NOT_FOUND");
        let state = details.details()["fill"].clone();
        if state["state"] == "granted" {
            loads.fetch_add(1, Relaxed);
            tokio::time::sleep(LOAD).await;
            let token = details.header("fill-token").unwrap().to_owned();
            let body = loaded().to_string();
            return drop(api.put(&entry("k"), body).header("fill-token", token).send().await.expect(201));
        }
        assert_eq!(state["state"], "held", "{details:?}");
        let seconds: u64 = details.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(state["retry_after"], seconds);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

#[tokio::test]
async fn of_two_hundred_who_miss_one_loads() {
    let api = Api::with(patient().containers(4)).await;
    let loads = AtomicUsize::new(0);
    join_all((0..CLIENTS).map(|_| read_through(&api, LEASE, &loads))).await;
    assert_eq!(loads.load(Relaxed), 1);
    for container in ["entries-1", "entries-2", "entries-3", "entries-4"] {
        assert_eq!(get(&api, container, "k").await.expect(200).value(), "\"loaded\"");
    }
}

#[tokio::test]
async fn when_the_holder_is_gone_another_loads() {
    let api = Api::with(patient().containers(4)).await;
    let gone = api.get(&entry("k")).header("fill-lease", "3").pin("entries-1").send().await.expect(404);
    assert_eq!(gone.details()["fill"]["state"], "granted");
    api.stack.kill("entries-1").await;
    let loads = AtomicUsize::new(0);
    join_all((0..CLIENTS).map(|_| read_through(&api, LEASE, &loads))).await;
    assert_eq!(loads.load(Relaxed), 1, "and the one that was given up");
    assert_eq!(get(&api, "entries-2", "k").await.expect(200).value(), "\"loaded\"");
}

#[tokio::test]
async fn who_waits_gets_the_value_or_the_lease() {
    let api = Api::with(patient().containers(4)).await;
    let wait = |container: &'static str, key: &str| {
        let waiting = api.get(&entry(key)).header("fill-lease", LEASE).header("prefer", "wait=10");
        waiting.pin(container).send()
    };
    let token = miss(&api, "entries-1", "k").await;
    let filling = async {
        tokio::time::sleep(LOAD).await;
        fill(&api, "entries-1", "k", &token, loaded()).await.expect(201)
    };
    let began = Instant::now();
    let (waited, _) = tokio::join!(wait("entries-2", "k"), filling);
    assert_eq!(waited.expect(200).value(), "\"loaded\"");
    assert!(began.elapsed() >= LOAD);
    // A holder whose fill is refused gives the lease up.
    let token = miss(&api, "entries-1", "x").await;
    let losing = async {
        tokio::time::sleep(LOAD).await;
        api.delete(&entry("x")).pin("entries-3").send().await.expect(404);
        fill(&api, "entries-1", "x", &token, loaded()).await.expect_error(412, "LEASE_LOST")
    };
    let (waited, _) = tokio::join!(wait("entries-2", "x"), losing);
    assert_eq!(waited.expect(404).details()["fill"]["state"], "granted");
}

#[tokio::test]
async fn two_wait_for_a_key_and_others_are_told_at_once() {
    let api = Api::with(patient().containers(4)).await;
    let token = miss(&api, "entries-1", "k").await;
    let wait = |container: &'static str| {
        let waiting = api.get(&entry("k")).header("fill-lease", LEASE).header("prefer", "wait=10");
        waiting.pin(container).send()
    };
    let third = async {
        tokio::time::sleep(LOAD).await;
        let refused = wait("entries-4").await.expect(404);
        assert_eq!(refused.details()["fill"], json!({"state": "held", "retry_after": 1}));
        // Containers are free for other keys.
        get(&api, "entries-4", "other").await.expect(404);
        fill(&api, "entries-4", "k", &token, loaded()).await.expect(201);
    };
    let (first, second, ()) = tokio::join!(wait("entries-2"), wait("entries-3"), third);
    assert_eq!((first.expect(200).value(), second.expect(200).value()), ("\"loaded\"", "\"loaded\""));
    // Nobody is left in the queue.
    let queue: u64 = crate::support::command(&api, &["EXISTS", "strata:cache:{l:x}waiting"]).await;
    assert_eq!(queue, 0);
}
