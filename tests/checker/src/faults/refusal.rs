//! Redis that is up, answers, and takes nothing in.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join;
use strata_stack::Refusal;

use super::left;
use super::steps::pause;
use crate::client::Client;
use crate::history::Operation;
use crate::keys::Keys;
use crate::rules::DEGRADED_BOUND;

/// How long after the bound of what was told to nobody it goes on.
const MARGIN: Duration = Duration::from_secs(2);
/// Longest pause between two mutations.
const PAUSE_MS: u64 = 700;

/// Makes Redis refuse writes for longer than others may take to hear of a mutation, and makes an end of values
/// meanwhile: of some at once, which are read for as long as it lasts, and of others again and again.
pub(super) async fn refuse_writes(client: &Client<'_>, why: Refusal, rng: &mut Rng) -> Vec<Operation> {
    let rig = client.rig;
    let redis = rig.api.stack.redis();
    let mut operations = left::store(client, rng).await;
    operations.extend(left::read_everywhere(client, left::keys()).await);
    // Where another fault has Redis in its hands, it refuses in another way.
    if redis.refuse_writes(why).await.is_err() {
        return operations;
    }
    let half = Keys::left().len() / 8;
    for (function, some) in
        [("entries", left::keys().take(half).collect::<Vec<_>>()), ("invalidate", left::keys().skip(half).collect())]
    {
        let container = rig.container(function, rng);
        operations.extend(left::end_of(client, &container, some.into_iter(), rng).await);
    }
    let until = client.clock.now() + DEGRADED_BOUND + rig.promise + MARGIN;
    let watched: Vec<_> = left::keys().collect();
    let mut own = rng.fork();
    let mutating = async {
        let mut operations = Vec::new();
        while client.clock.now() < until {
            let container = rig.container("entries", &mut own);
            operations.extend(left::store_and_invalidate(client, &container, &mut own).await);
            pause(&mut own, 0, PAUSE_MS).await;
        }
        operations
    };
    let long = until.saturating_sub(client.clock.now());
    let (mutated, read) = join(mutating, left::watch(client, &watched, long, rng)).await;
    operations.extend(mutated.into_iter().chain(read));
    // A server that was replaced meanwhile has forgotten it.
    let _ = redis.accept_writes().await;
    operations.extend(left::watch(client, &watched, MARGIN, rng).await);
    operations
}
