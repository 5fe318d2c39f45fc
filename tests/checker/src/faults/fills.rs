//! Fills that are overtaken: a value is loaded, and others touch its key before it is stored.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use strata_stack::L3Fault;

use super::left;
use super::steps::{pause, perform};
use crate::client::Client;
use crate::history::{Action, Operation, Scope};
use crate::keys::{LEFT_TAG, QUIET};

/// How often one is raced.
const ROUNDS: usize = 5;
/// How slow L3 is: a fill claims its row first and stores the value then, and others come in between.
const SLOW_MS: Range<u64> = 20..100;
/// How long a value is loaded.
const LOAD_MS: Range<u64> = 0..200;

/// Fills a key while others make an end of what is loaded, and reads in every container what is left.
pub(super) async fn race_ends(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    for _ in 0..ROUNDS {
        operations.push(perform(client, Action::Delete { key: QUIET }, rng).await);
        tokio::time::sleep(client.rig.promise).await;
        let Action::Put(put) = client.workload.put_with(QUIET, vec![LEFT_TAG], &[], rng) else { continue };
        let (slow, load) = (rng.u64(SLOW_MS), rng.u64(LOAD_MS));
        l3.set(L3Fault::Slow { ms: slow }).await;
        let containers = [0, 1].map(|_| client.rig.container("entries", rng));
        let (ended_by, moment, mut own) = (end(client, rng), rng.u64(..load + 4 * slow), rng.fork());
        let ending = async {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            perform(client, ended_by, &mut own).await
        };
        let filling = client.fill([&containers[0], &containers[1]], put, Duration::from_millis(load));
        let (filled, ended) = tokio::join!(filling, ending);
        l3.set(L3Fault::Ok).await;
        operations.extend(filled);
        operations.push(ended);
        tokio::time::sleep(client.rig.promise).await;
        operations.extend(left::read_everywhere(client, std::iter::once(QUIET)).await);
        operations.push(perform(client, Action::Get { key: QUIET, no_cache: true }, rng).await);
        pause(rng, 0, 100).await;
    }
    operations
}

fn end(client: &Client<'_>, rng: &mut Rng) -> Action {
    if rng.bool() {
        return Action::Invalidate { scope: Scope::Tag(LEFT_TAG), levels: &[] };
    }
    client.workload.end_quiet(rng)
}
