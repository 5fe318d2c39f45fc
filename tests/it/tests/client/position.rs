//! A client reads what it has done itself, whichever container answers.

use super::client;
use crate::support::get;
use serde_json::json;
use strata_client::Selector;
use strata_it::{Api, configured, stack::Claims};

/// With a window that no test outlives: what a container has in memory it answers, unless it is told of something newer.
async fn slow_to_hear() -> Api {
    Api::with(configured(json!({"l1_config": {"coherence_window_ms": 60_000}})).containers(2)).await
}

/// Lets both containers have `k` in memory.
async fn known(api: &Api) {
    for container in ["entries-1", "entries-2"] {
        get(api, container, "k").await.expect(200);
        get(api, container, "k").await.expect(200);
    }
}

#[tokio::test]
async fn ones_own_writes_are_read_in_every_container() {
    let api = slow_to_hear().await;
    let (client, other) = (client(&api), client(&api));
    for round in 0..10 {
        client.put("k", &round).await.unwrap();
        known(&api).await;
        client.put("k", &(round + 100)).await.unwrap();
        for _ in 0..4 {
            let found = client.get("k").await.unwrap().unwrap();
            assert_eq!(found.parse::<u32>().unwrap(), round + 100);
        }
        client.invalidate(Selector::pattern("k")).await.unwrap();
        for _ in 0..4 {
            assert!(client.get("k").await.unwrap().is_none());
        }
        // It is told of what somebody else did, and reads that.
        other.put("k", &(round + 200)).await.unwrap();
        client.has_seen(other.position().unwrap());
        for _ in 0..4 {
            assert_eq!(client.get("k").await.unwrap().unwrap().parse::<u32>().unwrap(), round + 200);
        }
    }
    assert_eq!(client.position().unwrap().split(", ").count(), 1, "one after the other is one");
}

#[tokio::test]
async fn what_another_deployment_said_is_forgotten() {
    let api = Api::start().await;
    let client = strata_client::Client::new(api.stack.url(), api.stack.token(Claims::default())).unwrap();
    client.has_seen("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    client.put("k", &1).await.unwrap();
    assert_eq!(client.get("k").fresh().await.unwrap().unwrap().value.get(), "1");
}
