//! Invalidations that take their time: what they mean is read while L3 still has it.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join, join_all};
use strata_stack::L3Fault;

use super::steps::perform;
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::{Keys, QUIET};
use crate::rig::Rig;

/// How often an invalidation is raced.
const ROUNDS: usize = 3;
/// How slow L3 is: an invalidation searches first and removes then, and a read comes in between.
const SLOW_MS: Range<u64> = 60..200;
/// How much longer than the window it takes until every container must know.
const MARGIN: Duration = Duration::from_millis(10);

/// Reads a key in every container while an invalidation that means it is under way, and again when that is over.
pub(super) async fn race_reads(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    // They begin the same way as what is invalidated, and stay.
    for neighbour in Keys::left().take(ROUNDS) {
        let neighbour = client.workload.put_with(neighbour, vec![], &[], rng);
        for put in [client.workload.put_quiet(rng), neighbour] {
            operations.push(perform(client, put, rng).await);
        }
        let slow = rng.u64(SLOW_MS);
        l3.set(L3Fault::Slow { ms: slow }).await;
        let moments: Vec<Duration> =
            Rig::containers("entries").map(|_| Duration::from_millis(rng.u64(..slow))).collect();
        let sweep = Action::Invalidate { scope: client.workload.keys.quiet(), levels: &[] };
        let (swept, read) = join(perform(client, sweep, rng), read_everywhere(client, &moments)).await;
        l3.set(L3Fault::Ok).await;
        operations.push(swept);
        operations.extend(read);
        tokio::time::sleep(client.rig.promise + MARGIN).await;
        operations.extend(read_everywhere(client, &[]).await);
    }
    operations
}

/// Reads the key in every container, in each after its own time.
async fn read_everywhere(client: &Client<'_>, after: &[Duration]) -> Vec<Operation> {
    let reads = Rig::containers("entries").enumerate().map(|(number, container)| async move {
        tokio::time::sleep(after.get(number).copied().unwrap_or_default()).await;
        client.perform(&container, Action::Get { key: QUIET, no_cache: false }).await
    });
    join_all(reads).await
}
