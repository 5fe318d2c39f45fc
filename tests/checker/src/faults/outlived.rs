//! What is left in L2 when the history of the journal has been outlived.
//!
//! For 2T every container's recent changes say what happened to a key, and a copy that should not be there is found
//! out, and dropped by whoever reads it. So a copy that a promotion, an overwrite or an index has left behind by
//! mistake shows only when nobody reads its key for that long.

use std::time::Duration;

use fastrand::Rng;

use super::promotions::{Watch, race};
use super::steps::perform;
use crate::client::Client;
use crate::history::{Action, KeyId, L3, Operation, Scope};
use crate::keys::{Keys, LEFT_TAG, QUIET};
use crate::rig::Rig;
use crate::rules::OPERATION_LIFE;

/// 2T, and time for the last records to be older than that.
const OUTLIVED: Duration = OPERATION_LIFE.saturating_mul(2).saturating_add(Duration::from_secs(2));

/// How much later than its timeout a write that the container has given up can arrive, and something more.
const ARRIVED: Duration = Duration::from_millis(1200);

/// Makes an end of many values in every way that could leave a copy, and then waits.
pub(super) async fn leave_copies(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for key in Keys::left() {
        let put = |tags, levels, rng: &mut Rng| client.workload.put_with(key, tags, levels, rng);
        let before = match key % 4 {
            0 | 1 => vec![put(vec![], &[], rng), client.workload.demote(key)],
            2 => vec![put(vec![], &[], rng), put(vec![LEFT_TAG], &[], rng)],
            _ => vec![put(vec![], &[], rng)],
        };
        for action in before {
            operations.push(perform(client, action, rng).await);
        }
        operations.extend(match key % 4 {
            // A late copy of an older version is refused while a newer one stands: most find none.
            0 | 1 => {
                let end = if rng.u32(..4) == 0 { put(vec![], &[], rng) } else { Action::Delete { key } };
                race(client, key, end, Watch::No, rng).await
            }
            2 => vec![perform(client, sweep_tag(), rng).await],
            _ => vec![perform(client, end_in_l3(client, key, rng), rng).await],
        });
    }
    // A container whose write had no answer takes it back with its next request, when it can arrive no more. One that
    // is not asked again in time counts as killed.
    tokio::time::sleep(client.rig.patience + ARRIVED).await;
    for container in Rig::containers("entries") {
        operations.push(client.perform(&container, Action::Get { key: QUIET, no_cache: true }).await);
    }
    tokio::time::sleep(OUTLIVED).await;
    operations
}

fn sweep_tag() -> Action {
    Action::Invalidate { scope: Scope::Tag(LEFT_TAG), levels: &[] }
}

/// A mutation after which L2 has no copy.
fn end_in_l3(client: &Client<'_>, key: KeyId, rng: &mut Rng) -> Action {
    if rng.bool() { Action::Delete { key } } else { client.workload.put_with(key, vec![], &[L3], rng) }
}
