//! The drill of `docs/recovery.md`, as far as it can be practised without AWS: the table as it was at some time, under a
//! second stack that starts with an empty Redis.

use crate::{
    support::{fresh, invalidate, put_tagged},
    tables::{self, client, text_of},
};
use serde_json::json;
use strata_it::{Api, entry, patient};

const TABLE: &str = "cache_entries";

#[tokio::test]
async fn a_restored_table_is_served_and_what_was_deleted_since_is_back() {
    let old = Api::with(patient().functions(["authorizer", "entries", "invalidate"])).await;
    for key in ["kept:1", "kept:2", "deleted", "invalidated:1"] {
        put_tagged(&old, key, &["tagged"]).await;
    }
    let point = tables::all(&old, TABLE).await;
    old.delete(&entry("deleted")).send().await.expect(200);
    assert_eq!(invalidate(&old, json!({"pattern": "invalidated:*"})).await.expect(200).json()["invalidated_count"], 1);
    put_tagged(&old, "stored since", &[]).await;

    let new = Api::with(patient().functions(["authorizer", "entries", "invalidate"])).await;
    for item in point.into_iter().filter(|item| text_of(item, "pk") != "deployment") {
        client(&new).put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    }
    for key in ["kept:1", "kept:2", "deleted", "invalidated:1"] {
        let found = fresh(&new, key).await.expect(200);
        assert_eq!((found.value(), found.level().as_str()), (json!(key).to_string().as_str(), "L3_DATABASE"));
    }
    fresh(&new, "stored since").await.expect(404);
    // What was removed since is removed again, and stays away.
    new.delete(&entry("deleted")).send().await.expect(200);
    assert_eq!(invalidate(&new, json!({"pattern": "invalidated:*"})).await.expect(200).json()["invalidated_count"], 1);
    for key in ["deleted", "invalidated:1"] {
        fresh(&new, key).await.expect(404);
    }
    assert_eq!(invalidate(&new, json!({"tags": ["tagged"]})).await.expect(200).json()["invalidated_count"], 2);
    fresh(&new, "kept:1").await.expect(404);
}
