//! Warm jobs beside the clients: they promote what is being changed, and those who run them are killed now and then.
//!
//! A job changes no value, so none stands in a history; what it does wrong, the reads see.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use crate::client::Client;
use crate::keys::Keys;

/// Longest pause between two jobs.
const PAUSE_MS: u64 = 500;
/// Of a hundred jobs, those after which a container of the warmer is killed.
const KILLED: u32 = 20;
/// What is small goes in many waves, with time for changes between them.
const BATCH_SIZES: [usize; 2] = [1, 50];

/// Asks for one job after another until `until`; returns how many were accepted.
pub(crate) async fn keep_warm(client: &Client<'_>, until: Duration, mut rng: Rng) -> usize {
    let mut accepted = 0;
    while client.clock.now() < until {
        tokio::time::sleep(Duration::from_millis(rng.u64(..PAUSE_MS))).await;
        let body = job(&client.workload.keys, &mut rng);
        let answer = client.rig.api.request("POST", "/warm").bearer(&client.token).body(body).send().await;
        accepted += usize::from(answer.status == 202);
        if rng.u32(..100) < KILLED {
            client.rig.kill(&client.rig.container("warmer", &mut rng)).await;
        }
    }
    accepted
}

fn job(keys: &Keys, rng: &mut Rng) -> String {
    let what = if rng.bool() { json!([keys.all()]) } else { json!([]) };
    let key = &keys.names[Keys::any(rng)];
    let strategy = if rng.bool() { "EAGER" } else { "LAZY" };
    let batch_size = BATCH_SIZES[rng.usize(..BATCH_SIZES.len())];
    json!({"patterns": what, "keys": [key], "strategy": strategy, "batch_size": batch_size, "max_concurrent": 2})
        .to_string()
}
