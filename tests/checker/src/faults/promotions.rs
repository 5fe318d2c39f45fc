//! Promotions that are overtaken: a read has a value from L3 in hand, and brings it into L2 late.

use std::cell::Cell;

use fastrand::Rng;

use super::steps::{pause, perform, slowness};
use crate::client::Client;
use crate::history::{Action, KeyId, Operation};
use crate::keys::QUIET;

/// How often a promotion is raced.
const ROUNDS: usize = 3;

/// Reads that bring a value from L3 into L2 while others make an end of it.
pub(super) async fn race_ends(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for _ in 0..ROUNDS {
        for action in [client.workload.put_quiet(rng), client.workload.demote(QUIET)] {
            operations.push(perform(client, action, rng).await);
        }
        let end = client.workload.end_quiet(rng);
        operations.extend(race(client, QUIET, end, Watch::Yes, rng).await);
        operations.push(perform(client, Action::Get { key: QUIET, no_cache: true }, rng).await);
        pause(rng, 0, 300).await;
    }
    operations
}

/// Whether the key is read as soon as its value has come to an end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Again and again, until the late promotion is over.
    Yes,
    /// By nobody, so that what the promotion leaves stays.
    No,
}

/// Reads a key in a container for which Redis is slow, and makes an end of its value meanwhile.
pub(super) async fn race(client: &Client<'_>, key: KeyId, end: Action, watch: Watch, rng: &mut Rng) -> Vec<Operation> {
    let slow = slowness(client, rng);
    let container = client.rig.container("entries", rng);
    // Nobody else is to wait for it, nor it for anybody.
    client.rig.rest(Some(container.clone()));
    let path = client.rig.api.stack.redis_path(&container);
    path.delay(slow).await;
    // The way to Redis is slow twice: once before L3 is read, and once more before L2 has the value. In between, and
    // early, because it takes its own time.
    let moment = slow + slow * rng.u32(10..50) / 100;
    let (no_cache, promoted) = (rng.bool(), Cell::new(false));
    let reading = async {
        let read = client.perform(&container, Action::Get { key, no_cache }).await;
        promoted.set(true);
        read
    };
    let ending = async {
        tokio::time::sleep(moment).await;
        let mut operations = vec![perform(client, end, rng).await];
        while watch == Watch::Yes && !promoted.get() {
            operations.push(perform(client, Action::Get { key, no_cache: true }, rng).await);
        }
        operations
    };
    let (read, mut operations) = tokio::join!(reading, ending);
    path.restore().await;
    client.rig.rest(None);
    operations.push(read);
    operations
}
