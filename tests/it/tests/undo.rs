//! What an undo brings back, what it leaves as it is, and who may make it.

mod kept;
mod list;
mod refusals;

use crate::support::{fresh, get, invalidate, put, put_tagged, wait_out_the_window};
use serde_json::{Value, json};
use strata_it::{Answer, Api, entry};

/// Invalidates so that it can be undone; returns the name.
pub async fn undoably(api: &Api, mut body: Value) -> String {
    body["undo_seconds"] = json!(600);
    let done = invalidate(api, body).await.expect(200).json();
    assert!(done["undo_until"].is_string(), "{done}");
    done["invalidation_id"].as_str().unwrap().to_owned()
}

/// Asks for an undo.
pub async fn undo(api: &Api, id: &str) -> Answer {
    api.request("POST", &format!("/invalidate/{id}/undo")).send().await
}

/// The counts of an undo.
pub async fn undone(api: &Api, id: &str) -> [u64; 3] {
    counts(&undo(api, id).await.expect(200).json())
}

fn counts(answer: &Value) -> [u64; 3] {
    ["restored", "overwritten", "expired"].map(|name| answer[name].as_u64().unwrap_or_else(|| panic!("{answer}")))
}

/// A value that DynamoDB keeps in chunks.
fn large() -> String {
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(900_000).collect();
    json!(noise).to_string()
}

/// Entries of every kind of row: small, with tags, and in chunks.
async fn stock(api: &Api) -> String {
    let large = large();
    put(api, "entries-1", "a:1", "1.50").await.expect(201);
    put_tagged(api, "a:2", &["t", "u"]).await;
    let body = format!(r#"{{"value":{large},"tags":["t"]}}"#);
    api.put(&entry("a:3"), body).pin("entries-1").send().await.expect(201);
    put(api, "entries-1", "b", "2").await.expect(201);
    large
}

#[tokio::test]
async fn what_was_invalidated_is_back_in_every_container() {
    let api = Api::start().await;
    let large = stock(&api).await;
    let before = get(&api, "entries-2", "a:1").await.expect(200);
    let (etag, metadata) = (before.header("etag").unwrap().to_owned(), before.json()["metadata"].clone());
    for body in [json!({"pattern": "a:*"}), json!({"tags": ["t", "u"]}), json!({"keys": ["a:1", "a:2", "a:3"]})] {
        let by_tag = body.get("tags").is_some();
        let meant: u64 = if by_tag { 2 } else { 3 };
        let id = undoably(&api, body.clone()).await;
        wait_out_the_window().await;
        for container in ["entries-1", "entries-2"] {
            get(&api, container, "a:2").await.expect(404);
            get(&api, container, "a:3").await.expect(404);
            get(&api, container, "b").await.expect(200);
        }
        let first = undo(&api, &id).await.expect(200).json();
        assert_eq!((counts(&first), first.get("level2_only")), ([meant, 0, 0], None), "{body}");
        for container in ["entries-1", "entries-2", "entries-1"] {
            let back = get(&api, container, "a:1").await.expect(200);
            assert_eq!((back.value(), back.header("etag")), ("1.50", Some(&*etag)));
            assert_eq!(back.json()["metadata"]["created_at"], metadata["created_at"]);
            get(&api, container, "a:2").await.expect(200);
            assert_eq!(get(&api, container, "a:3").await.expect(200).value(), large);
        }
        let listed = api.get("/keys?prefix=a:2").send().await.expect(200).json();
        assert_eq!(listed["keys"][0]["tags"], json!(["t", "u"]), "{listed}");
        assert_eq!(undo(&api, &id).await.expect(200).json(), first, "the same again");
    }
    let journal = api.get("/journal?kind=undo").send().await.expect(200).json();
    let told = journal["mutations"].as_array().unwrap();
    assert_eq!(told.len(), 3, "{journal}");
    assert_eq!((&told[0]["pattern"], &told[0]["by"]), (&json!("a:*"), &json!("local")));
    let why = api.get("/explain?key=a:1").send().await.expect(200).json();
    assert_eq!((&why["verdict"], why.get("reason")), (&json!("hit"), None));
}

#[tokio::test]
async fn a_delete_is_undone() {
    let api = Api::start().await;
    stock(&api).await;
    for (path, key) in [(entry("a:2"), "a:2"), ("/entries?key=a:3".to_owned(), "a:3")] {
        let joint = if path.contains('?') { '&' } else { '?' };
        let deleted = api.delete(&format!("{path}{joint}undo_seconds=60")).send().await.expect(200).json();
        let id = deleted["invalidation_id"].as_str().unwrap_or_else(|| panic!("{deleted}")).to_owned();
        fresh(&api, key).await.expect(404);
        assert_eq!(undone(&api, &id).await, [1, 0, 0]);
        fresh(&api, key).await.expect(200);
    }
    let deleted = api.delete(&entry("a:1")).send().await.expect(200).json();
    assert!(deleted.get("invalidation_id").is_none(), "nobody has asked for it: {deleted}");
    let gone = api.delete(&format!("{}?undo_seconds=60", entry("a:1"))).send().await;
    gone.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

#[tokio::test]
async fn deletes_of_a_batch_are_undone_one_by_one() {
    let api = Api::start().await;
    for key in ["a", "b", "c"] {
        put_tagged(&api, key, &["t"]).await;
    }
    let operations = json!([
        {"op": "delete", "key": "a", "undo_seconds": 60},
        {"op": "delete", "key": "b", "undo_seconds": 60},
        {"op": "delete", "key": "c"},
        {"op": "put", "key": "d", "value": 1},
    ]);
    let body = json!({ "operations": operations }).to_string();
    let done = api.request("POST", "/batch").body(body).send().await.expect(200).json();
    let id = |at: usize| done["results"][at]["invalidation_id"].as_str();
    assert_eq!((id(0).is_some(), id(1).is_some(), id(2), id(3)), (true, true, None, None), "{done}");
    assert!(done["results"][0]["undo_until"].is_string() && id(0) != id(1), "{done}");
    for key in ["a", "b", "c"] {
        fresh(&api, key).await.expect(404);
    }
    assert_eq!(undone(&api, id(1).unwrap()).await, [1, 0, 0]);
    assert_eq!(fresh(&api, "b").await.expect(200).value(), r#""b""#);
    fresh(&api, "a").await.expect(404);
    assert_eq!(undone(&api, id(0).unwrap()).await, [1, 0, 0]);
    fresh(&api, "a").await.expect(200);
}

#[tokio::test]
async fn what_something_else_has_touched_since_stays_as_it_is() {
    let api = Api::start().await;
    for key in ["k:put", "k:deleted", "k:pattern", "k:named", "k:left"] {
        put(&api, "entries-1", key, "1").await.expect(201);
    }
    for key in ["k:tag", "k:both", "k:spared"] {
        put_tagged(&api, key, &["x", "y", key]).await;
    }
    let id = undoably(&api, json!({"pattern": "k:*"})).await;
    put(&api, "entries-2", "k:put", "2").await.expect(201);
    api.delete(&entry("k:deleted")).send().await.expect(404);
    for body in [
        json!({"pattern": "k:pat*"}),
        json!({"keys": ["k:named"]}),
        json!({"tags": ["k:tag"]}),
        json!({"tags": ["k:both", "x"], "match": "all"}),
        json!({"pattern": "k:spared", "except_tags": ["x"]}),
        json!({"pattern": "k:left", "levels": ["L1_MEMORY", "L2_REDIS"]}),
    ] {
        let done = invalidate(&api, body).await.expect(200).json();
        assert_eq!(done["invalidated_count"], 0, "{done}");
    }
    assert_eq!(undone(&api, &id).await, [2, 6, 0]);
    for key in ["k:deleted", "k:pattern", "k:named", "k:tag", "k:both"] {
        fresh(&api, key).await.expect(404);
    }
    assert_eq!(fresh(&api, "k:put").await.expect(200).value(), "2");
    for key in ["k:left", "k:spared"] {
        fresh(&api, key).await.expect(200);
    }
}

/// One of two is undone: the other has killed what it has killed.
#[tokio::test]
async fn of_two_invalidations_each_brings_back_its_own() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let first = undoably(&api, json!({"pattern": "k"})).await;
    put(&api, "entries-1", "k", "2").await.expect(201);
    let second = undoably(&api, json!({"pattern": "k"})).await;
    assert_eq!(undone(&api, &first).await, [0, 1, 0]);
    fresh(&api, "k").await.expect(404);
    assert_eq!(undone(&api, &second).await, [1, 0, 0]);
    assert_eq!(fresh(&api, "k").await.expect(200).value(), "2");
}

/// What is back is an entry like any other.
#[tokio::test]
async fn what_is_back_can_be_listed_changed_and_removed() {
    let api = Api::start().await;
    let keys = ["k:1", "k:2", "k:3", "k:4", "k:5"];
    for key in keys {
        put_tagged(&api, key, &["t", "u"]).await;
    }
    let id = undoably(&api, json!({"pattern": "k:*"})).await;
    assert_eq!(undone(&api, &id).await, [5, 0, 0]);
    let listed = api.get("/keys?tag=t").send().await.expect(200).json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 5, "{listed}");
    let dry = invalidate(&api, json!({"tags": ["t", "u"], "match": "all", "dry_run": true})).await.expect(200).json();
    assert_eq!(dry["invalidated_count"], 5);
    api.request("PATCH", &entry("k:1")).body(r#"{"ttl_seconds":900,"add_tags":["v"]}"#).send().await.expect(200);
    let changed = api.get("/keys?tag=v").send().await.expect(200).json();
    assert_eq!(changed["keys"][0]["tags"], json!(["t", "u", "v"]), "{changed}");
    api.delete(&entry("k:2")).send().await.expect(200);
    let again = undoably(&api, json!({"tags": ["u", "t"], "match": "all"})).await;
    assert_eq!(undone(&api, &again).await, [4, 0, 0]);
    let gone = invalidate(&api, json!({"tags": ["t"]})).await.expect(200).json();
    assert_eq!(gone["invalidated_count"], 4);
    for key in keys {
        fresh(&api, key).await.expect(404);
    }
    assert_eq!(undone(&api, &again).await, [4, 0, 0], "as it was answered");
    fresh(&api, "k:3").await.expect(404);
}

#[tokio::test]
async fn what_has_expired_or_was_in_redis_alone_is_not_back() {
    let api = Api::start().await;
    api.put(&entry("k:short"), r#"{"value":1,"ttl_seconds":3}"#).send().await.expect(201);
    api.put(&entry("k:2"), r#"{"value":1,"cache_levels":["L2_REDIS"]}"#).send().await.expect(201);
    put(&api, "entries-1", "k:3", "1").await.expect(201);
    let id = undoably(&api, json!({"pattern": "k:*"})).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let answer = undo(&api, &id).await.expect(200).json();
    assert_eq!((counts(&answer), &answer["level2_only"]), ([1, 0, 1], &json!(1)));
    fresh(&api, "k:2").await.expect(404);
}
