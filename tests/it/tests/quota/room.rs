//! What many PUTs at once, promotions and an undo may add: what finds no room in Redis stays in DynamoDB.

use super::{entries, of, quotas, status, taken, token};
use crate::support::{eventually, invalidate, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Api, entry};

/// Stores the keys through one container.
async fn put_all(api: &Api, keys: &[String], body: &Value) {
    for key in keys {
        let request = api.put(&entry(key), body.to_string()).pin("entries-1");
        request.bearer(&token(api, "a")).send().await.expect(201);
    }
}

/// Reads the keys, each of which has a value, through both containers.
async fn read_all(api: &Api, keys: &[String]) {
    for container in ["entries-1", "entries-2"] {
        for key in keys {
            api.get(&entry(key)).pin(container).send().await.expect(200);
        }
        let operations: Value = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
        let body = json!({"operations": operations}).to_string();
        api.request("POST", "/batch").body(body).pin(container).send().await.expect(200);
    }
}

fn named(what: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{what}:{number}")).collect()
}

#[tokio::test]
async fn what_is_read_from_dynamodb_finds_room_in_redis_or_stays_where_it_is() {
    let api = Api::with(quotas(&[("QUOTA_MB", "1")])).await;
    let mut all = Vec::new();
    for round in 0..4 {
        let keys = named(&format!("by{round}"), 3);
        put_all(&api, &keys, &of(300_000)).await;
        let body = json!({"pattern": format!("by{round}:*"), "levels": ["L1_MEMORY", "L2_REDIS"]});
        invalidate(&api, body).await.expect(200);
        all.extend(keys);
    }
    assert_eq!(entries(&api, "a").await, 0);
    wait_out_the_window().await;
    read_all(&api, &all).await;
    let usage = status(&api, &token(&api, "a")).await["usage"].clone();
    let bytes = usage["bytes"].as_u64().unwrap();
    assert!((600_000..=1 << 20).contains(&bytes), "{usage}");
    assert!(taken(&api).await < 1_300_000);

    // Nor does a warm job bring more.
    let begun = api.request("POST", "/warm").body(json!({"keys": all}).to_string()).send().await.expect(202).json();
    let report = format!("/warm/{}", begun["warming_job_id"].as_str().unwrap());
    eventually("the job", async || {
        api.stack.tick().await.unwrap();
        api.get(&report).send().await.expect(200).json()["state"] == "done"
    })
    .await;
    let told = api.get(&report).send().await.expect(200).json();
    let over_quota = told["errors"]["over_quota"].as_u64().unwrap();
    assert_eq!(told["done"].as_u64().unwrap() + over_quota, 12, "{told}");
    assert!(over_quota >= 9 && taken(&api).await < 1_300_000, "{told}");
}

#[tokio::test]
async fn what_an_undo_brings_back_finds_room_in_redis_or_stays_where_it_is() {
    let api = Api::with(quotas(&[("QUOTA_ENTRIES", "12")])).await;
    let (before, since) = (named("before", 12), named("since", 12));
    put_all(&api, &before, &of(10)).await;
    let removed = invalidate(&api, json!({"pattern": "before:*", "undo_seconds": 600})).await.expect(200).json();
    put_all(&api, &since, &of(10)).await;
    let undo = format!("/invalidate/{}/undo", removed["invalidation_id"].as_str().unwrap());
    assert_eq!(api.request("POST", &undo).send().await.expect(200).json()["restored"], 12);
    wait_out_the_window().await;
    read_all(&api, &[before, since].concat()).await;
    assert_eq!(entries(&api, "a").await, 12);
}

#[tokio::test]
async fn the_puts_of_a_batch_find_together_what_room_there_is() {
    let api = Api::with(quotas(&[("QUOTA_ENTRIES", "60")])).await;
    let batch = async |what: &str, count: usize| {
        let put = |key: String| json!({"op": "put", "key": key, "value": 1});
        let body = json!({"operations": named(what, count).into_iter().map(put).collect::<Value>()}).to_string();
        let request = api.request("POST", "/batch").body(body).bearer(&token(&api, "a"));
        let done = request.send().await.expect(200).json();
        let of = |status: u64| done["results"].as_array().unwrap().iter().filter(|one| one["status"] == status).count();
        assert_eq!(of(201) + of(429), count, "{done}");
        of(201)
    };
    assert_eq!(batch("first", 59).await, 59);
    assert_eq!(batch("one-free", 50).await, 1);
    invalidate(&api, json!({"pattern": "*"})).await.expect(200);
    assert_eq!(batch("all-free", 100).await, 60);
    assert_eq!(entries(&api, "a").await, 60);
}
