//! Reading through the cache with the client: one loads, and nothing that was loaded too early is kept.

use super::client;
use crate::support::{eventually, fresh, invalidate, put};
use futures_util::future::join_all;
use serde_json::json;
use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use strata_client::{Client, Code, Lease, LoadError, Loaded, Operation, Outcome, Selector, Source};
use strata_it::{Api, configured, patient, stack::L3Fault};
use tokio::sync::Notify;

/// A lease that outlives every test.
const LONG: Duration = Duration::from_secs(60);

/// A database with one number, which takes a while to answer.
#[derive(Default)]
struct Database {
    number: AtomicU32,
    loads: AtomicU32,
    /// Answers that are held back.
    held: Mutex<Vec<Arc<Notify>>>,
}

impl Database {
    async fn load(&self) -> Result<u32, Infallible> {
        let number = self.number.load(Relaxed);
        self.loads.fetch_add(1, Relaxed);
        let held = self.held.lock().unwrap().pop();
        match held {
            Some(held) => held.notified().await,
            None => tokio::time::sleep(Duration::from_millis(300)).await,
        }
        Ok(number)
    }

    /// Holds the next load's answer back until it is notified.
    fn hold(&self) -> Arc<Notify> {
        let held = Arc::new(Notify::new());
        self.held.lock().unwrap().push(held.clone());
        held
    }

    async fn loads_begun(&self, loads: u32) {
        eventually("a load", async || self.loads.load(Relaxed) >= loads).await;
    }

    async fn read(&self, client: &Client) -> Loaded {
        client.get_or_load("k", || self.load()).tags(["t"]).lease(LONG).await.unwrap()
    }
}

fn number(loaded: &Loaded) -> u32 {
    loaded.parse().unwrap()
}

/// Requests for entries that the functions have answered.
fn reads(api: &Api) -> usize {
    let logs = ["entries-1", "entries-2"].map(|container| api.stack.logs(container)).concat();
    logs.matches("\"operation\":\"get_entry\"").count()
}

#[tokio::test]
async fn of_all_who_miss_one_loads_and_a_client_asks_once() {
    let api = Api::with(patient()).await;
    let database = Database::default();
    let clients = [client(&api), client(&api)];
    let all = (0..100).map(|reader| database.read(&clients[reader % 2]));
    assert!(join_all(all).await.iter().all(|loaded| number(loaded) == 0));
    assert_eq!(database.loads.load(Relaxed), 1);
    // Each of them once, who waits perhaps again, and at most once more who was not there from the beginning.
    assert!(reads(&api) < 20, "{}", reads(&api));
    assert_eq!(invalidate(&api, json!({"tags": ["t"]})).await.json()["invalidated_count"], 1);
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_loaded_anew() {
    let api = Api::with(patient()).await;
    let (database, client) = (Database::default(), client(&api));
    let held = database.hold();
    let changing = async {
        database.loads_begun(1).await;
        database.number.store(1, Relaxed);
        invalidate(&api, json!({"pattern": "k*"})).await.expect(200);
        // Who begins after that joins the load, and must not be given what it brings.
        let joined = database.read(&client);
        held.notify_one();
        joined.await
    };
    let (first, joined) = tokio::join!(database.read(&client), changing);
    assert_eq!((number(&first), number(&joined), database.loads.load(Relaxed)), (1, 1, 2));
    assert!(matches!(first.source, Source::Load));
    assert_eq!(fresh(&api, "k").await.expect(200).value(), "1");
    assert!(matches!(database.read(&client).await.source, Source::Cache));
}

#[tokio::test]
async fn what_is_not_proven_is_for_nobody_who_came_later() {
    let api = Api::with(patient()).await;
    let (database, client) = (Database::default(), client(&api));
    // Somebody else has the lease, and nobody has patience.
    assert!(matches!(client.get_or_lease("k").lease(LONG).await.unwrap(), Lease::Granted { .. }));
    let read = || async { client.get_or_load("k", || database.load()).patience(Duration::ZERO).await.unwrap() };
    let held = database.hold();
    let later = async {
        database.loads_begun(1).await;
        database.number.store(1, Relaxed);
        let later = read();
        held.notify_one();
        later.await
    };
    let (first, later) = tokio::join!(read(), later);
    assert_eq!((number(&first), number(&later), database.loads.load(Relaxed)), (0, 1, 2));
    assert!([first, later].iter().all(|loaded| matches!(loaded.source, Source::Unstored(None))));
    fresh(&api, "k").await.expect(404);
}

#[tokio::test]
async fn without_leases_it_is_loaded_and_stored_where_there_is_nothing() {
    let api = Api::with(configured(json!({"l2_config": {"enabled": false}}))).await;
    let (database, client) = (Database::default(), client(&api));
    assert!(matches!(client.get_or_lease("k").await.unwrap(), Lease::Unavailable));
    assert!(matches!(database.read(&client).await.source, Source::Load));
    assert!(matches!(database.read(&client).await.source, Source::Cache));
    let slow = async || {
        put(&api, "entries-1", "slow", "2").await.expect(201);
        Ok::<u32, Infallible>(1)
    };
    let loaded = client.get_or_load("slow", slow).await.unwrap();
    assert!(matches!(loaded.source, Source::Unstored(Some(_))), "{loaded:?}");
    assert_eq!(fresh(&api, "slow").await.value(), "2");
}

#[tokio::test]
async fn whose_holder_is_gone_is_loaded_by_another() {
    let api = Api::with(patient()).await;
    let (database, client) = (Database::default(), client(&api));
    let gone = client.get_or_lease("k").lease(Duration::from_secs(2)).await.unwrap();
    assert!(matches!(gone, Lease::Granted { .. }));
    let loaded = database.read(&client).await;
    assert!(matches!(loaded.source, Source::Load), "{loaded:?}");
}

#[tokio::test]
async fn a_load_that_failed_leaves_its_lease_to_the_next() {
    let api = Api::start().await;
    let client = client(&api);
    let failing = || async { Err::<u32, _>(io::Error::other("no database")) };
    let [first, joined] = join_all([0; 2].map(|_| async { client.get_or_load("k", failing).lease(LONG).await }))
        .await
        .try_into()
        .unwrap();
    for failed in [first, joined] {
        let failed: LoadError = failed.unwrap_err();
        assert!(matches!(failed, LoadError::Load(_)) && failed.to_string().contains("no database"), "{failed:?}");
    }
    // The API grants it to nobody else for a minute.
    let loaded = client.get_or_load("k", || async { Ok::<_, Infallible>(7) }).patience(Duration::ZERO).await;
    assert!(matches!(loaded.unwrap().source, Source::Load));
    assert_eq!(fresh(&api, "k").await.value(), "7");
}

#[tokio::test]
async fn a_cache_that_cannot_be_asked_is_an_error_and_one_that_cannot_store_is_none() {
    let api = Api::start().await;
    let client = client(&api);
    let stopped = async || {
        api.stack.l3().set(L3Fault::Stopped).await;
        Ok::<_, Infallible>(1)
    };
    let loaded = client.get_or_load("k", stopped).await.unwrap();
    assert_eq!(number(&loaded), 1);
    let Source::Unstored(Some(error)) = loaded.source else { panic!("{loaded:?}") };
    assert_eq!(error.code(), Some(&Code::LevelUnavailable));
    let asked = Client::new(api.stack.url(), "nobody").unwrap();
    let unasked = asked.get_or_load("k", || async { Err::<u32, _>(io::Error::other("it is loaded")) });
    assert!(matches!(unasked.await, Err(LoadError::Cache(error)) if error.code() == Some(&Code::Unauthorized)));
}

/// A value that has expired, and is kept for long.
async fn put_expired(api: &Api, client: &Client) {
    client.put("k", &0).ttl(Duration::from_secs(1)).grace(LONG * 60).await.unwrap();
    eventually("its end", async || fresh(api, "k").await.status == 404).await;
}

#[tokio::test]
async fn what_has_expired_is_gone_on_with_by_who_says_so() {
    let api = Api::with(patient()).await;
    let clients = [client(&api), client(&api)];
    put_expired(&api, &clients[0]).await;
    let fails = || async { Err::<u32, _>(io::Error::other("it is down")) };
    let failed = clients[0].get_or_load("k", fails).lease(LONG).await;
    assert!(matches!(failed, Err(LoadError::Load(_))), "{failed:?}");
    let gone_on = clients[0].get_or_load("k", fails).grace(LONG).await.unwrap();
    assert!(matches!(gone_on.source, Source::Expired) && number(&gone_on) == 0, "{gone_on:?}");
    let pending = || std::future::pending::<Result<u32, Infallible>>();
    let soft = Duration::from_millis(50);
    let gone_on = clients[0].get_or_load("k", pending).grace(LONG).soft_timeout(soft).await.unwrap();
    assert!(matches!(gone_on.source, Source::Expired), "{gone_on:?}");
    // The lease is kept for the next attempt, and another process goes on with what there is.
    let other = clients[1].get_or_load("k", || async { Ok::<_, Infallible>(9) }).grace(LONG).await.unwrap();
    assert!(matches!(other.source, Source::Expired), "{other:?}");
    let loaded = clients[0].get_or_load("k", || async { Ok::<_, Infallible>(1) }).grace(LONG).await.unwrap();
    assert!(matches!(loaded.source, Source::Load) && number(&loaded) == 1, "{loaded:?}");
    assert_eq!(clients[1].get("k").fresh().await.unwrap().unwrap().metadata.grace_seconds, Some(60));
}

#[tokio::test]
async fn what_has_expired_is_read_with_its_mark() {
    let api = Api::start().await;
    let client = client(&api);
    put_expired(&api, &client).await;
    assert!(client.get("k").await.unwrap().is_none());
    let found = client.get("k").fresh().max_stale(LONG).await.unwrap().expect("it is kept");
    assert!(found.metadata.stale && found.metadata.grace_seconds == Some(3600), "{found:?}");
    let leased = client.get_or_lease("k").lease(LONG).max_stale(LONG).await.unwrap();
    let Lease::Stale { entry, lease } = leased else { panic!("{leased:?}") };
    let Lease::Granted { token, .. } = *lease else { panic!("{lease:?}") };
    assert!(entry.metadata.stale);
    let other = client.get_or_lease("k").max_stale(LONG).await.unwrap();
    assert!(matches!(other, Lease::Stale { lease, .. } if matches!(*lease, Lease::Held { .. })));
    let reads = client.batch([Operation::get("k"), Operation::put("l", &1).grace(LONG)]).max_stale(LONG).await.unwrap();
    assert!(matches!(&reads[0], Outcome::Found(entry) if entry.metadata.stale), "{reads:?}");
    client.put("k", &1).fill_token(token).await.unwrap();
    let stale = client.invalidate(Selector::keys(["k", "l"])).make_stale_within(LONG).await.unwrap();
    assert_eq!((stale.stale_count, stale.invalidated_count), (Some(1), 1), "{stale:?}");
    assert!(client.get("l").max_stale(LONG).await.unwrap().is_some_and(|found| found.metadata.stale));
    let told = client.journal().await.unwrap();
    assert_eq!(told.mutations.last().unwrap().mode.as_deref(), Some("stale"));
}
