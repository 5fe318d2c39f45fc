//! Values whose life an invalidation ends while others make an end of them altogether: whoever takes what has expired is given
//! them until then, and not after.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use strata_stack::L3Fault;

use super::left;
use super::steps::{pause, perform};
use crate::client::Client;
use crate::history::{Action, Operation, Scope};
use crate::keys::{LEFT_TAG, QUIET};
use crate::rig::Rig;

/// How often one is raced.
const ROUNDS: usize = 4;
/// How slow L3 is: rows are looked at first and changed then, and others come in between.
const SLOW_MS: Range<u64> = 5..60;
/// How much earlier one of the two begins, at the most.
const BEFORE_MS: u64 = 100;

/// Ends a value's life while others may end the value, ends what is left of it, and reads in every container.
pub(super) async fn race_ends(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    for _ in 0..ROUNDS {
        let put = client.workload.put_with_grace(QUIET, vec![LEFT_TAG], rng);
        operations.push(perform(client, put, rng).await);
        let (soft, other) = (Action::MakeStale { scope: scope(client, rng) }, other(client, rng));
        l3.set(L3Fault::Slow { ms: rng.u64(SLOW_MS) }).await;
        let moment = Duration::from_millis(rng.u64(..BEFORE_MS));
        let waits = if rng.bool() { [Duration::ZERO, moment] } else { [moment, Duration::ZERO] };
        let (mut own, mut others) = (rng.fork(), rng.fork());
        let ending = async {
            tokio::time::sleep(waits[0]).await;
            perform(client, soft, &mut own).await
        };
        let meanwhile = async {
            tokio::time::sleep(waits[1]).await;
            perform(client, other, &mut others).await
        };
        let (ended, done) = tokio::join!(ending, meanwhile);
        l3.set(L3Fault::Ok).await;
        operations.extend([ended, done]);
        operations.extend(look(client).await);
        // What has expired is meant as well by whatever removes.
        operations.push(perform(client, Action::Invalidate { scope: scope(client, rng), levels: &[] }, rng).await);
        operations.extend(look(client).await);
        pause(rng, 0, 100).await;
    }
    operations
}

/// Reads in every container when all must have heard, as it would be read and as somebody who takes what has expired.
async fn look(client: &Client<'_>) -> Vec<Operation> {
    tokio::time::sleep(client.rig.promise).await;
    let mut operations = left::read_everywhere(client, std::iter::once(QUIET)).await;
    for container in Rig::containers("entries") {
        operations.push(client.perform(&container, Action::GetStale { key: QUIET, no_cache: false }).await);
    }
    operations
}

fn scope(client: &Client<'_>, rng: &mut Rng) -> Scope {
    if rng.bool() { client.workload.keys.quiet() } else { Scope::Tag(LEFT_TAG) }
}

fn other(client: &Client<'_>, rng: &mut Rng) -> Action {
    match rng.u32(..6) {
        0 => Action::GetStale { key: QUIET, no_cache: true },
        1 => client.workload.patch(QUIET, rng),
        2 => Action::MakeStale { scope: scope(client, rng) },
        _ => client.workload.end_quiet(rng),
    }
}
