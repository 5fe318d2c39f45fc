//! What the census counted, by prefix.

use super::{options, start, store};
use crate::{
    support::{eventually, shard},
    tables::{client, item},
};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use strata_it::Api;

async fn stats(api: &Api, query: &str) -> Value {
    api.get(&format!("/stats?{query}")).send().await.expect(200).json()
}

async fn fill(api: &Api) {
    for (prefix, count) in [("customer:", 5), ("order:2024:", 3), ("order:2023:", 2), ("a/b/", 1), ("plain", 1)] {
        for number in 0..count {
            store(api, &format!("{prefix}{number}"), json!({"value": "x".repeat(100), "compression_enabled": false}))
                .await;
        }
    }
}

#[track_caller]
fn assert_counted(stats: &Value, expected: &[(&str, u64)], other: u64) {
    let groups = stats["prefixes"].as_array().unwrap().iter();
    let groups: Vec<(&str, u64)> =
        groups.map(|group| (group["prefix"].as_str().unwrap(), group["entries"].as_u64().unwrap())).collect();
    assert_eq!(groups, expected, "{stats}");
    assert_eq!((&stats["other"]["entries"], &stats["total"]["entries"]), (&json!(other), &json!(12)), "{stats}");
    let bytes = stats["prefixes"].as_array().unwrap().iter().chain([&stats["other"]]);
    let bytes: u64 = bytes.map(|group| group["stored_bytes"].as_u64().unwrap()).sum();
    assert_eq!(stats["total"]["stored_bytes"], bytes, "{stats}");
    assert!(bytes > 12 * 100, "{stats}");
}

#[track_caller]
fn assert_by_prefix(by: [Value; 4]) {
    assert_counted(&by[0], &[("customer:", 5), ("order:", 5)], 2);
    assert_counted(&by[1], &[("order:2024:", 3), ("order:2023:", 2)], 7);
    assert_counted(&by[2], &[("a/", 1)], 11);
    assert_counted(&by[3], &[], 12);
}

async fn each(api: &Api) -> [Value; 4] {
    [
        stats(api, "").await,
        stats(api, "depth=2&separator=:").await,
        stats(api, "separator=%2F").await,
        stats(api, "depth=3&separator=.").await,
    ]
}

#[tokio::test]
async fn a_small_table_is_counted_when_somebody_asks_first() {
    let api = start().await;
    fill(&api).await;
    let by = each(&api).await;
    assert_eq!(
        (&by[0]["level"], &by[0]["separator"], &by[0]["depth"]),
        (&json!("L3_DATABASE"), &json!(":"), &json!(1))
    );
    assert!(by[0]["counted_at"].is_string() && by[0]["age_seconds"].as_u64().unwrap() < 600, "{}", by[0]);
    assert_by_prefix(by);
    store(&api, "customer:new", json!({})).await;
    assert_counted(&stats(&api, "").await, &[("customer:", 5), ("order:", 5)], 2);
}

#[tokio::test]
async fn maintenance_counts() {
    let functions = ["authorizer", "entries", "status", "warmer"];
    let api = Api::with(options(json!({})).functions(functions)).await;
    fill(&api).await;
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["census_finished"], true, "{done:?}");
    assert_by_prefix(each(&api).await);
    let again = api.stack.tick().await.unwrap();
    assert_eq!(again[0]["census_finished"], false, "the next one is not due yet");
}

/// Has so many minutes pass for when the next census is due.
async fn pass(api: &Api, minutes: i64) {
    let row = client(api).update_item().table_name("cache_control").set_key(Some(item("maintenance", "census")));
    let earlier = AttributeValue::N((minutes * -60_000).to_string());
    let row = row.update_expression("ADD next_at :earlier").expression_attribute_values(":earlier", earlier);
    row.condition_expression("attribute_exists(next_at)").send().await.unwrap();
}

/// Whether a call of maintenance finishes a census.
async fn counts(api: &Api) -> bool {
    api.stack.tick().await.unwrap()[0]["census_finished"].as_bool().unwrap()
}

#[tokio::test]
async fn what_is_small_is_counted_again_soon_and_what_is_large_a_day_later() {
    let functions = ["authorizer", "entries", "status", "warmer"];
    let api = Api::with(options(json!({})).functions(functions)).await;
    assert!(counts(&api).await);
    let empty = stats(&api, "").await;
    assert_eq!((&empty["total"]["entries"], empty["counted_at"].is_string()), (&json!(0), true));
    fill(&api).await;
    assert!(!counts(&api).await, "it is not due yet");
    pass(&api, 15).await;
    assert!(counts(&api).await);
    assert_by_prefix(each(&api).await);
    // More than a page of one shard.
    let large = (0..).map(|number| format!("large:{number}")).filter(|key| shard(key) == "0").take(6);
    for key in large {
        store(&api, &key, json!({"value": "x".repeat(250_000), "compression_enabled": false})).await;
    }
    pass(&api, 15).await;
    assert!(counts(&api).await);
    assert_eq!(stats(&api, "").await["total"]["entries"], 18);
    pass(&api, 23 * 60).await;
    assert!(!counts(&api).await, "it costs too much");
    pass(&api, 60).await;
    assert!(counts(&api).await);
}

#[tokio::test]
async fn maintenance_counts_copies_where_l2_decides() {
    let functions = ["authorizer", "entries", "status", "warmer"];
    let api = Api::with(options(json!({"l3_config": {"enabled": false}})).functions(functions)).await;
    fill(&api).await;
    store(&api, "customer:short", json!({"ttl_seconds": 1})).await;
    let before = stats(&api, "").await;
    assert_eq!((&before["prefixes"], before.get("counted_at"), before.get("total")), (&json!([]), None, None));
    eventually("expiry", async || api.get("/entries/customer:short").send().await.status == 404).await;
    assert_eq!(api.stack.tick().await.unwrap()[0]["census_finished"], true);
    let by = each(&api).await;
    assert_eq!(by[0]["level"], "L2_REDIS");
    assert_by_prefix(by);
    assert_eq!(api.stack.tick().await.unwrap()[0]["census_finished"], false);
}

#[tokio::test]
async fn a_census_is_of_the_level_that_decides_now() {
    let functions = ["authorizer", "entries", "status", "config"];
    let api = Api::with(options(json!({})).functions(functions)).await;
    fill(&api).await;
    assert_counted(&stats(&api, "").await, &[("customer:", 5), ("order:", 5)], 2);
    api.put("/config", r#"{"l3_config":{"enabled":false}}"#).send().await.expect(200);
    let after = stats(&api, "").await;
    assert_eq!((&after["level"], &after["prefixes"], after.get("total")), (&json!("L2_REDIS"), &json!([]), None));
}
