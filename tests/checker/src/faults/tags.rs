//! PUTs that keep the tags of what they replace, while others give it different ones or make an end of it: what has a tag
//! then is found by it, and nothing else is.

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
const ROUNDS: usize = 4;
/// How slow L3 is: tags are known from before it is asked, and others come in between.
const SLOW_MS: Range<u64> = 20..80;
/// Another tag.
const OTHER_TAG: usize = 0;

/// Replaces a value by one with the same tags while others change it, removes what has the tag, and reads in every container.
pub(super) async fn race_others(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    let put = |tags: &[usize], rng: &mut Rng| client.workload.put_with(QUIET, tags.to_vec(), &[], rng);
    for _ in 0..ROUNDS {
        operations.push(perform(client, put(&[LEFT_TAG], rng), rng).await);
        let slow = rng.u64(SLOW_MS);
        let (same, others) = (put(&[LEFT_TAG], rng), other(client, rng));
        l3.set(L3Fault::Slow { ms: slow }).await;
        let (behind, mut own) = (Duration::from_millis(rng.u64(..2 * slow)), rng.fork());
        let keeping = async {
            tokio::time::sleep(behind).await;
            perform(client, same, &mut own).await
        };
        let (kept, changed) = tokio::join!(keeping, perform(client, others, rng));
        l3.set(L3Fault::Ok).await;
        operations.extend([kept, changed]);
        operations.push(perform(client, by_tag(LEFT_TAG), rng).await);
        operations.extend(look(client).await);
        operations.push(perform(client, by_tag(OTHER_TAG), rng).await);
        operations.extend(look(client).await);
        pause(rng, 0, 100).await;
    }
    operations
}

/// Reads in every container when all must have heard.
async fn look(client: &Client<'_>) -> Vec<Operation> {
    tokio::time::sleep(client.rig.promise).await;
    left::read_everywhere(client, std::iter::once(QUIET)).await
}

fn by_tag(tag: usize) -> Action {
    Action::Invalidate { scope: Scope::Tag(tag), levels: &[] }
}

fn other(client: &Client<'_>, rng: &mut Rng) -> Action {
    match rng.u32(..8) {
        0 => client.workload.patch(QUIET, rng),
        1 => Action::MakeStale { scope: Scope::Tag(LEFT_TAG) },
        2 => client.workload.end_quiet(rng),
        3 => client.workload.put_with(QUIET, vec![LEFT_TAG], &[], rng),
        _ => client.workload.put_with(QUIET, vec![OTHER_TAG], &[], rng),
    }
}
