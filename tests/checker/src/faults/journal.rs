//! A journal that is shorter than a container's rest: trimmed, or with more in it than anybody reads at once.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;

use super::flood::flood;
use super::left;
use super::steps::{pause, perform};
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::QUIET;
use crate::rig::KEY_PREFIX;

/// How often a container rests.
const ROUNDS: usize = 3;
/// Most records that stay. With none of them a new epoch begins; with some, only a gap tells that others are missing.
const MOST_KEPT: usize = 3;
/// How many records come at once: fewer and more than a sync reads, and more than a new container does.
const BURST: RangeInclusive<usize> = 800..=7000;
/// How much longer than the window it takes until the container must look into the journal.
const MARGIN: Duration = Duration::from_millis(10);

/// Trims the journal beyond the record of what a resting container holds in its L1.
pub(super) async fn trim_while_one_rests(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let rig = client.rig;
    for _ in 0..ROUNDS {
        let sleeper = rig.container("entries", rng);
        operations.push(perform(client, client.workload.put_quiet(rng), rng).await);
        operations.push(client.perform(&sleeper, read(rng)).await);
        rig.rest(Some(sleeper.clone()));
        let kept = rng.usize(..=MOST_KEPT);
        operations.push(perform(client, client.workload.end_quiet(rng), rng).await);
        for _ in 0..kept {
            operations.push(perform(client, client.workload.mutation(rng), rng).await);
        }
        rig.redis(&["XTRIM", &format!("{KEY_PREFIX}{{j}}journal"), "MAXLEN", &kept.to_string()]).await;
        tokio::time::sleep(rig.promise + MARGIN).await;
        rig.rest(None);
        operations.push(client.perform(&sleeper, read(rng)).await);
    }
    operations
}

/// Fills the journal with records of other keys before and after that of what a container holds, which rests meanwhile, or
/// works on, or is a new one.
pub(super) async fn fill_while_others_work(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let rig = client.rig;
    let mut records = 0;
    for round in 0..ROUNDS {
        operations.extend(left::store(client, rng).await);
        operations.push(perform(client, client.workload.put_quiet(rng), rng).await);
        let keys = left::keys().chain([QUIET]);
        operations.extend(left::read_everywhere(client, keys.clone()).await);
        let sleeper = rig.container("entries", rng);
        if round > 0 {
            rig.rest(Some(sleeper.clone()));
        }
        records += flood(client, rng.usize(BURST)).await;
        operations.push(perform(client, client.workload.end_quiet(rng), rng).await);
        let container = rig.container(if rng.bool() { "entries" } else { "invalidate" }, rng);
        operations.extend(left::end(client, &container, rng).await);
        records += flood(client, rng.usize(BURST)).await;
        tokio::time::sleep(rig.promise + MARGIN).await;
        rig.rest(None);
        if round == ROUNDS - 1 {
            rig.kill(&sleeper).await;
        }
        for key in keys {
            operations.push(client.perform(&sleeper, Action::Get { key, no_cache: false }).await);
            pause(rng, 0, 50).await;
        }
    }
    client.remark(format!("{records} records"));
    operations
}

fn read(rng: &mut Rng) -> Action {
    Action::Get { key: QUIET, no_cache: rng.bool() }
}
