//! Fail-overs of Redis that lose what was written last: another server, by its identity, with data of a while before.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::left;
use super::steps::{pause, signal};
use crate::client::Client;
use crate::history::Operation;

/// How long a replica that has taken the primary's place may refuse to write.
const PROMOTED_AFTER_MS: u64 = 300;

/// Saves the data, lets some more be written, and comes back with what was saved.
pub(super) async fn to_old_data(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let redis = client.rig.api.stack.redis();
    let mut operations = left::store(client, rng).await;
    client.rig.redis(&["SAVE"]).await;
    operations.extend(write_tail(client, rng).await);
    if let Some(pid) = redis.pid() {
        signal(pid, Signal::SIGKILL);
    }
    pause(rng, 50, 500).await;
    redis.start().await.expect("Redis starts again");
    operations
}

/// Lets a replica fall behind, and puts it in the place of the primary, which is killed.
pub(super) async fn to_replica(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = left::store(client, rng).await;
    // Where another fault has Redis in its hands, there is no replica to be had.
    let Ok(replica) = client.rig.api.stack.redis().replicate().await else { return operations };
    if replica.sever().await.is_err() {
        return operations;
    }
    operations.extend(write_tail(client, rng).await);
    let promoted_after = Duration::from_millis(rng.u64(..PROMOTED_AFTER_MS));
    // Nor can it take a place that another fault has filled meanwhile.
    let _ = replica.take_over(promoted_after).await;
    operations
}

/// Makes an end of values, which is lost with what others write.
async fn write_tail(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let container = client.rig.container("entries", rng);
    let operations = left::end(client, &container, rng).await;
    pause(rng, 100, 1500).await;
    operations
}
