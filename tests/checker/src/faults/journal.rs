//! A journal that is shorter than a container's rest.

use std::time::Duration;

use fastrand::Rng;

use super::perform;
use crate::client::Client;
use crate::history::{Action, Operation};
use crate::keys::QUIET;
use crate::rig::KEY_PREFIX;

/// How often a container rests.
const ROUNDS: usize = 3;
/// Most records that stay. With none of them a new epoch begins; with some, only a gap tells that others are missing.
const MOST_KEPT: usize = 3;
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

fn read(rng: &mut Rng) -> Action {
    Action::Get { key: QUIET, no_cache: rng.bool() }
}
