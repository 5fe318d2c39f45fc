//! Faults that come at a moment of an operation: the operations are the fault's own, and are written down like all
//! others.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use strata_stack::L3Fault;

use super::left;
use super::steps::{pause, perform, slowness};
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::QUIET;

/// How often a container is killed in the midst of a mutation.
const KILLS: usize = 4;
/// The time a mutation takes, about: one of its moments is when the container dies.
const MUTATION_MS: u64 = 40;
/// How often a write is late.
const ROUNDS: usize = 3;
/// When the late attempt takes effect: later than an attempt is waited for, and than its repetition takes.
const LATE_MS: Range<u64> = 500..1200;
/// For how long after the write began its attempts are late. The repetition comes when 300 ms are up.
const LATE_SPELL: Duration = Duration::from_millis(200);

/// Cuts a container off from Redis and lets it make an end of values that nobody else touches. It has heard late of Redis
/// time before: what it puts then, others invalidate by a time that they have just heard.
pub(super) async fn mutate_cut_off(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let function = if rng.u32(..4) == 0 { "invalidate" } else { "entries" };
    let container = client.rig.container(function, rng);
    let mut operations = left::store(client, rng).await;
    let path = client.rig.api.stack.redis_path(&container);
    let puts = function == "entries";
    if puts {
        path.delay(slowness(client, rng)).await;
        operations.push(client.perform(&container, Action::Get { key: QUIET, no_cache: true }).await);
    }
    path.cut().await;
    if puts {
        operations.extend(left::store_and_invalidate(client, &container, rng).await);
    }
    operations.extend(left::end(client, &container, rng).await);
    pause(rng, 100, 2500).await;
    path.restore().await;
    operations
}

/// Kills containers at random moments of random mutations.
pub(super) async fn kill_in_mutations(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for _ in 0..KILLS {
        let action = client.workload.mutation(rng);
        let container = client.rig.container(Client::function(&action), rng);
        let moment = Duration::from_millis(rng.u64(..MUTATION_MS));
        let killing = async {
            tokio::time::sleep(moment).await;
            client.rig.kill(&container).await;
        };
        let (operation, ()) = tokio::join!(client.perform(&container, action), killing);
        operations.push(operation);
        pause(rng, 0, 300).await;
    }
    operations
}

/// Writes whose first attempt reaches L3 after the second was acknowledged, and after others made an end of the value.
pub(super) async fn delay_first_attempts(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    for _ in 0..ROUNDS {
        let late = rng.u64(LATE_MS);
        l3.set(L3Fault::Slow { ms: late }).await;
        let spell = async {
            tokio::time::sleep(LATE_SPELL).await;
            l3.set(L3Fault::Ok).await;
        };
        let put = perform(client, client.workload.put_quiet(rng), rng);
        let (put, ()) = tokio::join!(put, spell);
        operations.push(put);
        operations.push(perform(client, client.workload.end_quiet(rng), rng).await);
        tokio::time::sleep(LATE_SPELL + Duration::from_millis(late)).await;
        operations.push(perform(client, Action::Get { key: QUIET, no_cache: true }, rng).await);
    }
    operations
}
