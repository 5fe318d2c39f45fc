//! Fail-overs of Redis that lose what was written last: another server, by its identity, with data of a while before.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::{pause, signal};
use crate::rig::Rig;

/// How long a replica that has taken the primary's place may refuse to write.
const PROMOTED_AFTER_MS: u64 = 300;

/// Saves the data, lets some more be written, and comes back with what was saved.
pub(super) async fn to_old_data(rig: &Rig, rng: &mut Rng) {
    let redis = rig.api.stack.redis();
    rig.redis(&["SAVE"]).await;
    pause(rng, 100, 1500).await;
    if let Some(pid) = redis.pid() {
        signal(pid, Signal::SIGKILL);
    }
    pause(rng, 50, 500).await;
    redis.start().await.expect("Redis starts again");
}

/// Lets a replica fall behind, and puts it in the place of the primary, which is killed.
pub(super) async fn to_replica(rig: &Rig, rng: &mut Rng) {
    // Where another fault has Redis in its hands, there is no replica to be had.
    let Ok(replica) = rig.api.stack.redis().replicate().await else { return };
    pause(rng, 0, 500).await;
    if replica.sever().await.is_err() {
        return;
    }
    pause(rng, 100, 1500).await;
    let promoted_after = Duration::from_millis(rng.u64(..PROMOTED_AFTER_MS));
    // Nor can it take a place that another fault has filled meanwhile.
    let _ = replica.take_over(promoted_after).await;
}
