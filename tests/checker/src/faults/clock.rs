//! A wall clock that was ahead and is set right: what a container learnt while it was ahead seems to be of a time to come,
//! and then, for as long as it was ahead, younger than it is.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::steps::perform;
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::QUIET;

/// How often a clock is set.
const ROUNDS: usize = 2;
/// How far it is ahead.
const AHEAD_MS: RangeInclusive<u64> = 1500..=6000;
/// How long requests may take that were sent before the container was left alone.
const LEFT_ALONE: Duration = Duration::from_millis(500);
/// Of a hundred parts of the window, those that what was learnt seems to be old when the container is asked again.
const OLD: RangeInclusive<u32> = 10..=60;

/// Lets a container hear of a value while its clock is ahead, sets the clock right, makes an end of the value, and asks
/// the container again when it is just as late as its clock was when it was asked first.
pub(super) async fn set_back(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let rig = client.rig;
    for _ in 0..ROUNDS {
        let container = rig.container("entries", rng);
        operations.push(perform(client, client.workload.put_quiet(rng), rng).await);
        // Entries expire early for whoever is ahead: nobody else is to be answered by it.
        rig.rest(Some(container.clone()));
        tokio::time::sleep(LEFT_ALONE).await;
        let ahead_ms = rng.u64(AHEAD_MS);
        rig.put_clock(&container, i64::try_from(ahead_ms).expect("a few seconds"));
        for no_cache in [true, false] {
            operations.push(client.perform(&container, Action::Get { key: QUIET, no_cache }).await);
        }
        rig.put_clock(&container, 0);
        let until = client.clock.now() + Duration::from_millis(ahead_ms) + rig.promise * rng.u32(OLD) / 100;
        operations.push(perform(client, client.workload.end_quiet(rng), rng).await);
        tokio::time::sleep(until.saturating_sub(client.clock.now())).await;
        operations.push(client.perform(&container, Action::Get { key: QUIET, no_cache: false }).await);
        rig.rest(None);
        client.remark(format!("{container} was {ahead_ms} ms ahead"));
    }
    operations
}
