//! What tombstones keep, and for how long.

use super::{large, undoably, undone};
use crate::{
    support::{invalidate, put, put_tagged, shard},
    tables::{Item, all, client, entries, item, partition, text_of},
};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use strata_it::{Api, entry};

async fn row(api: &Api, key: &str) -> Item {
    let rows = partition(api, "cache_entries", &format!("e#{}", shard(key))).await;
    rows.into_iter().find(|row| text_of(row, "sk") == key).unwrap_or_else(|| panic!("no row of {key}"))
}

#[tokio::test]
async fn nothing_is_kept_where_nothing_can_be_undone() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["t"]).await;
    let body = format!(r#"{{"value":{}}}"#, large());
    api.put(&entry("large"), body).send().await.expect(201);
    invalidate(&api, json!({"pattern": "*", "undo_seconds": 0})).await.expect(200);
    let left = entries(&api).await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|row| text_of(row, "kind") == "gone" && !row.contains_key("body")), "{left:?}");
    assert!(all(&api, "cache_control").await.iter().all(|item| !text_of(item, "pk").starts_with("undo")));
}

#[tokio::test]
async fn a_tombstone_keeps_its_value_until_something_else_means_it() {
    let api = Api::start().await;
    put_tagged(&api, "k", &["t"]).await;
    let before = row(&api, "k").await;
    let id = undoably(&api, json!({"pattern": "k"})).await;
    let kept = row(&api, "k").await;
    assert_eq!((text_of(&kept, "kind"), &kept["body"]), ("gone", &before["body"]));
    assert_eq!((&kept["born"], &kept["parts"]), (&before["version"], &before["parts"]));
    assert_eq!(undone(&api, &id).await, [1, 0, 0]);
    let back = row(&api, "k").await;
    assert_eq!((text_of(&back, "kind"), &back["body"], back.get("born")), ("value", &before["body"], None));
    undoably(&api, json!({"keys": ["k"]})).await;
    invalidate(&api, json!({"tags": ["t"]})).await.expect(200);
    assert!(!row(&api, "k").await.contains_key("body"));
    assert_eq!(entries(&api).await.len(), 1, "the row of its tag is gone as well");
}

/// After its time maintenance takes the values away, with their chunks and the rows of their tags.
#[tokio::test]
async fn maintenance_takes_away_what_cannot_be_undone_any_more() {
    let api = Api::start().await;
    put_tagged(&api, "k:tagged", &["t"]).await;
    put(&api, "entries-1", "k:small", "1").await.expect(201);
    let body = format!(r#"{{"value":{}}}"#, large());
    api.put(&entry("k:large"), body).send().await.expect(201);
    let over = undoably(&api, json!({"pattern": "k:*"})).await;
    put(&api, "entries-1", "other", "1").await.expect(201);
    let other = undoably(&api, json!({"keys": ["other"]})).await;
    for (pk, name) in [("undos", "until"), ("undos#due", "until")] {
        let past = client(&api).update_item().table_name("cache_control").set_key(Some(item(pk, &over)));
        let past = past.update_expression("SET #until = :past").expression_attribute_names("#until", name);
        past.expression_attribute_values(":past", AttributeValue::N("1".to_owned())).send().await.unwrap();
    }
    let done = api.stack.tick().await.unwrap();
    assert_eq!(done[0]["invalidations_tidied"], 1, "{done:?}");
    let left = entries(&api).await;
    let with_body: Vec<&str> =
        left.iter().filter(|row| row.contains_key("body")).map(|row| text_of(row, "sk")).collect();
    assert_eq!((left.len(), with_body), (4, vec!["other"]), "{left:?}");
    assert_eq!(undone(&api, &other).await, [1, 0, 0]);
}
