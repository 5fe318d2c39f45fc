//! PATCHes that are overtaken: one has read a value, and writes it once more while others make an end of it.

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
/// How slow L3 is: a PATCH reads first and writes then, and others come in between.
const SLOW_MS: Range<u64> = 60..200;

/// PATCHes a value while others make an end of it, and reads in every container what is left.
pub(super) async fn race_ends(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    for _ in 0..ROUNDS {
        operations.push(perform(client, client.workload.put_with(QUIET, vec![LEFT_TAG], &[], rng), rng).await);
        let slow = rng.u64(SLOW_MS);
        l3.set(L3Fault::Slow { ms: slow }).await;
        let (patch, end) = (client.workload.patch(QUIET, rng), end(client, rng));
        let (moment, mut own) = (Duration::from_millis(rng.u64(..2 * slow)), rng.fork());
        // Either may be the first.
        let waits = if rng.bool() { [Duration::ZERO, moment] } else { [moment, Duration::ZERO] };
        let ending = async {
            tokio::time::sleep(waits[1]).await;
            perform(client, end, &mut own).await
        };
        let patching = async {
            tokio::time::sleep(waits[0]).await;
            perform(client, patch, rng).await
        };
        let (patched, ended) = tokio::join!(patching, ending);
        l3.set(L3Fault::Ok).await;
        operations.extend([patched, ended]);
        tokio::time::sleep(client.rig.promise).await;
        operations.extend(left::read_everywhere(client, std::iter::once(QUIET)).await);
        operations.push(perform(client, Action::Get { key: QUIET, no_cache: true }, rng).await);
        pause(rng, 0, 100).await;
    }
    operations
}

fn end(client: &Client<'_>, rng: &mut Rng) -> Action {
    if rng.u32(..3) == 0 {
        return Action::Invalidate { scope: Scope::Tag(LEFT_TAG), levels: &[] };
    }
    client.workload.end_quiet(rng)
}
