//! An L3 that answers whoever asks for little, and never many at once: what needs much of it is done without.

use crate::support::{eventually, get, put};
use serde_json::json;
use std::time::Duration;
use strata_it::{Api, configured, stack::L3Fault};

/// L3 has this long for an operation, and 600 ms for each attempt.
const L3_TIMEOUT_MS: u64 = 2000;
/// Sixteen partitions at once do not come to their end in that time, one request does.
const CROWDED: L3Fault = L3Fault::Crowded { at_once: 3, ms: 350 };
/// By then the retries that the SDK allows itself are used up.
const ROUNDS: usize = 8;
/// By then there are as many again, or nearly.
const RETRIES_BACK: Duration = Duration::from_secs(6);

#[tokio::test]
async fn notes_that_are_not_read_in_time_keep_nobody_from_l3() {
    let api = Api::with(configured(json!({"l3_config": {"timeout_ms": L3_TIMEOUT_MS}}))).await;
    put(&api, "entries-1", "k", "0").await.expect(201);
    let path = api.stack.redis_path("entries-1");
    path.cut().await;
    assert_eq!(put(&api, "entries-1", "k", "1").await.expect(200).json()["degraded"], true);
    api.stack.l3().set(CROWDED).await;
    path.restore().await;
    for round in 1..=ROUNDS {
        let value = round.to_string();
        assert_eq!(get(&api, "entries-1", "k").await.expect(200).value(), value, "round {round}");
        let told = put(&api, "entries-1", "k", &(round + 1).to_string()).await.expect(200);
        assert_eq!(told.json()["degraded"], true, "its notes are not in the journal yet: round {round}");
    }
    api.stack.l3().set(L3Fault::Failing { k: 1, of: 2 }).await;
    tokio::time::sleep(RETRIES_BACK).await;
    for round in 0..20 {
        let told = put(&api, "entries-1", "k", "\"retried\"").await;
        assert_eq!(told.status, 200, "retries are allowed again: round {round}: {told:?}");
    }
    api.stack.l3().set(L3Fault::Ok).await;
    eventually("trust", async || {
        put(&api, "entries-1", "k", "\"last\"").await.expect(200).json().get("degraded").is_none()
    })
    .await;
    assert_eq!(get(&api, "entries-2", "k").await.value(), "\"last\"");
}
