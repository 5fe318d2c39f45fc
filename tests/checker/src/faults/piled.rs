//! What an outage has left, when it is much: notes of mutations that Redis was not told of, and invalidations that were
//! begun and not finished.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;
use strata_it::entry;
use strata_stack::L3Fault;

use super::left;
use crate::client::Client;
use crate::history::{KeyId, Operation};
use crate::keys::Keys;
use crate::rig::{FOLLOWED, L3_TIMEOUT_MS, Rig};

/// How many notes are left: more than one request to DynamoDB reads.
const NOTES: usize = 1200;
/// How many invalidations are begun, and how long that may take.
const BEGUN: usize = 400;
const BEGIN_FOR: Duration = Duration::from_secs(25);
/// How slow L3 is for an invalidation that is to go on as a job, and how long containers wait for it: what it means is not
/// even found in the time that it has, nor 4 s later.
const SLOW_MS: u64 = 5_000;
const PATIENT_MS: u64 = 20_000;
/// How many values are read while much is left, and come to an end before, between and after it.
const VALUES: usize = 12;
/// For how long they are read then.
const WATCHED: Duration = Duration::from_secs(5);

/// Cuts all containers off from Redis, and lets them change more than what is read at once of what they leave.
pub(super) async fn leave_notes(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let keys: Vec<KeyId> = Keys::left().take(VALUES).collect();
    let mut operations = store(client, &keys, rng).await;
    let path = |container: &str| client.rig.api.stack.redis_path(container);
    for container in Rig::containers("entries") {
        path(&container).cut().await;
    }
    let began = client.clock.now();
    let containers: Vec<String> = Rig::containers("entries").collect();
    let share = NOTES / containers.len();
    let storms = containers.iter().enumerate().map(|(place, container)| {
        let own: Vec<KeyId> = keys.iter().copied().skip(place).step_by(containers.len()).collect();
        let mut rng = rng.fork();
        async move {
            let mut operations = Vec::new();
            for number in 0..share {
                let due = own.iter().enumerate().filter(|(turn, _)| number == turn * (share - 1) / (own.len() - 1));
                let due: Vec<KeyId> = due.map(|(_, &key)| key).collect();
                operations.extend(left::end_of(client, container, due.into_iter(), &mut rng).await);
                put_filler(client, container, place * share + number).await;
            }
            operations
        }
    });
    operations.extend(join_all(storms).await.into_iter().flatten());
    client.remark(format!("{NOTES} mutations in {:.1} s", (client.clock.now() - began).as_secs_f64()));
    for container in &containers {
        path(container).restore().await;
    }
    operations.extend(left::watch(client, &keys, WATCHED, rng).await);
    operations
}

/// Lets an invalidation go on as a job, and begins more others than anybody wants to carry along before it can, none of
/// which L3 lets be finished.
pub(super) async fn leave_open(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let keys: Vec<KeyId> = Keys::left().take(VALUES).collect();
    let mut operations = store(client, &keys, rng).await;
    let l3 = client.rig.api.stack.l3();
    if !client.rig.set_l3_timeout(PATIENT_MS).await {
        return operations;
    }
    tokio::time::sleep(client.rig.promise + FOLLOWED).await;
    l3.set(L3Fault::Slow { ms: SLOW_MS }).await;
    operations.push(super::steps::perform(client, client.workload.sweep_left(), rng).await);
    l3.set(L3Fault::Throttling).await;
    // What it means is in Redis still.
    tokio::time::sleep(client.rig.promise).await;
    operations.extend(left::read_everywhere(client, keys.iter().copied()).await);
    let (began, until) = (client.clock.now(), client.clock.now() + BEGIN_FOR);
    let containers: Vec<String> = Rig::containers("invalidate").collect();
    let share = BEGUN / containers.len();
    let begun = containers.iter().enumerate().map(|(place, container)| async move {
        let mut begun = 0;
        while begun < share && client.clock.now() < until {
            invalidate_filler(client, container, place * share + begun).await;
            begun += 1;
        }
        begun
    });
    let begun: usize = join_all(begun).await.into_iter().sum();
    l3.set(L3Fault::Ok).await;
    // The end of the run sees to it where this does not.
    client.rig.set_l3_timeout(L3_TIMEOUT_MS).await;
    client.remark(format!("{begun} invalidations in {:.1} s", (client.clock.now() - began).as_secs_f64()));
    operations.extend(left::read_everywhere(client, keys.iter().copied()).await);
    for (place, function) in ["entries", "invalidate"].into_iter().enumerate() {
        let container = client.rig.container(function, rng);
        let half = keys.iter().copied().skip(place).step_by(2);
        operations.extend(left::end_of(client, &container, half, rng).await);
    }
    operations.extend(left::watch(client, &keys, WATCHED, rng).await);
    operations
}

/// Stores values, and has them in the memory of every container.
async fn store(client: &Client<'_>, keys: &[KeyId], rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for &key in keys {
        let put = client.workload.put_with(key, vec![], &[], rng);
        operations.push(super::steps::perform(client, put, rng).await);
    }
    operations.extend(left::read_everywhere(client, keys.iter().copied()).await);
    operations
}

async fn put_filler(client: &Client<'_>, container: &str, number: usize) {
    let key = client.workload.keys.filler(number);
    let put = client.rig.api.put(&entry(&key), r#"{"value":1,"ttl_seconds":60}"#);
    client.tell(container, put).await;
}

async fn invalidate_filler(client: &Client<'_>, container: &str, number: usize) {
    let body = json!({ "pattern": client.workload.keys.filler(number) }).to_string();
    let invalidate = client.rig.api.request("POST", "/invalidate").body(body);
    client.tell(container, invalidate).await;
}
