//! Values that nobody else touches: what a fault makes of them stays until the last look.

use std::time::Duration;

use fastrand::Rng;

use super::steps::{pause, perform};
use crate::client::Client;
use crate::history::{Action, KeyId, Operation};
use crate::keys::Keys;
use crate::rig::Rig;

/// How many of them one fault takes.
const VALUES: usize = 4;
/// How many more it takes that are invalidated as soon as they are there.
const INVALIDATED: usize = 3;

/// Of a hundred reads of a watch, those with `no-cache`.
const NO_CACHE: u32 = 25;
/// Longest pause between two of them.
const WATCH_MS: u64 = 60;

/// The keys of the values.
pub(super) fn keys() -> impl Iterator<Item = KeyId> + Clone {
    Keys::left().take(VALUES)
}

/// Reads keys in every container, which may hold them afterwards.
pub(super) async fn read_everywhere(client: &Client<'_>, keys: impl Iterator<Item = KeyId> + Clone) -> Vec<Operation> {
    let mut operations = Vec::new();
    for container in Rig::containers("entries") {
        for key in keys.clone() {
            operations.push(client.perform(&container, Action::Get { key, no_cache: false }).await);
        }
    }
    operations
}

/// Reads keys in any container, again and again, for so long.
pub(super) async fn watch(client: &Client<'_>, keys: &[KeyId], long: Duration, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let until = client.clock.now() + long;
    while client.clock.now() < until {
        let read = Action::Get { key: keys[rng.usize(..keys.len())], no_cache: rng.u32(..100) < NO_CACHE };
        operations.push(perform(client, read, rng).await);
        pause(rng, 0, WATCH_MS).await;
    }
    operations
}

/// Stores the values.
pub(super) async fn store(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in keys() {
        operations.push(perform(client, client.workload.put_with(key, vec![], &[], rng), rng).await);
    }
    operations
}

/// Deletes, replaces or invalidates the values, in this container.
pub(super) async fn end(client: &Client<'_>, container: &str, rng: &mut Rng) -> Vec<Operation> {
    end_of(client, container, keys(), rng).await
}

/// Does the same to some of them.
pub(super) async fn end_of(
    client: &Client<'_>,
    container: &str,
    keys: impl Iterator<Item = KeyId>,
    rng: &mut Rng,
) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in keys {
        let end = if container.starts_with("invalidate") {
            Action::Invalidate { scope: client.workload.keys.exactly(key), levels: &[] }
        } else if rng.bool() {
            Action::Delete { key }
        } else {
            client.workload.put_with(key, vec![], &[], rng)
        };
        operations.push(client.perform(container, end).await);
    }
    operations
}

/// Stores more of them in this container, and has each invalidated at once by whoever is asked.
pub(super) async fn store_and_invalidate(client: &Client<'_>, container: &str, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in Keys::left().skip(VALUES).take(INVALIDATED) {
        operations.push(client.perform(container, client.workload.put_with(key, vec![], &[], rng)).await);
        let scope = client.workload.keys.exactly(key);
        operations.push(perform(client, Action::Invalidate { scope, levels: &[] }, rng).await);
    }
    operations
}
