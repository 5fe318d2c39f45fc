//! Undos that others have come before, or come between: what they have ended is not to be brought back.

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
/// How slow L3 is: rows are looked for first and changed then, and others come in between.
const SLOW_MS: Range<u64> = 5..60;
/// How long before an undo others begin, at the most.
const BEFORE_MS: u64 = 150;

/// Invalidates a key, has others end what it was while that is undone, and reads in every container what is left.
pub(super) async fn race_ends(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    let l3 = client.rig.api.stack.l3();
    for _ in 0..ROUNDS {
        operations.push(perform(client, client.workload.put_with(QUIET, vec![LEFT_TAG], &[], rng), rng).await);
        let action = end(client, rng);
        let container = client.rig.container(Client::function(&action), rng);
        let (removed, id) = client.perform_undoably(&container, action).await;
        operations.push(removed.clone());
        let Some(id) = id else { continue };
        l3.set(L3Fault::Slow { ms: rng.u64(SLOW_MS) }).await;
        let (ended_by, moment, mut own) = (end(client, rng), rng.u64(..BEFORE_MS), rng.fork());
        let ending = perform(client, ended_by, &mut own);
        let undoing = async {
            tokio::time::sleep(Duration::from_millis(moment)).await;
            client.undo(&removed, &id, rng).await
        };
        let (ended, undone) = tokio::join!(ending, undoing);
        l3.set(L3Fault::Ok).await;
        operations.push(ended);
        operations.extend(undone);
        // Whatever came between: what it waited for then is over.
        operations.extend(client.undo(&removed, &id, rng).await);
        tokio::time::sleep(client.rig.promise).await;
        operations.extend(left::read_everywhere(client, std::iter::once(QUIET)).await);
        operations.push(perform(client, Action::Get { key: QUIET, no_cache: true }, rng).await);
        pause(rng, 0, 100).await;
    }
    operations
}

fn end(client: &Client<'_>, rng: &mut Rng) -> Action {
    match rng.u32(..4) {
        0 => Action::Delete { key: QUIET },
        1 | 2 => Action::Invalidate { scope: client.workload.keys.quiet(), levels: &[] },
        _ => Action::Invalidate { scope: Scope::Tag(LEFT_TAG), levels: &[] },
    }
}
