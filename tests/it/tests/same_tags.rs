//! What has a tag is found by it, although a PUT that keeps the tags of what it replaces does not write their rows again.

use crate::support::{flush, fresh, get, invalidate, put, shard, wait_out_the_window};
use crate::tables::{Item, client, entries, item, text_of};
use crate::undo::{undoably, undone};
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::json;
use strata_it::{Answer, Api, entry};

/// Stores a value with tags through a container.
async fn tagged(api: &Api, container: &str, key: &str, tags: &[&str]) -> Answer {
    let body = json!({"value": fastrand::u32(..), "tags": tags}).to_string();
    api.put(&entry(key), body).pin(container).send().await
}

/// The row of a key, and the names of its index rows, of that tag.
async fn rows(api: &Api, key: &str, tag: &str) -> (Item, Vec<String>) {
    let all = entries(api).await;
    let row = all.iter().find(|row| text_of(row, "pk").starts_with("e#") && text_of(row, "sk") == key);
    let pk = format!("t#{}#{tag}", shard(key));
    let names = all.iter().filter(|row| text_of(row, "pk") == pk).map(|row| text_of(row, "sk"));
    let names = names.filter_map(|sk| sk.strip_prefix(&format!("{key}\u{1}")).map(str::to_owned));
    (row.unwrap_or_else(|| panic!("no row of {key}")).clone(), names.collect())
}

fn number(row: &Item, name: &str) -> String {
    format!("{:0>20}", row[name].as_n().unwrap())
}

/// Write units of what `happen` does.
async fn written(api: &Api, happen: impl AsyncFnOnce()) -> f64 {
    let before = api.stack.l3().consumed();
    happen().await;
    (api.stack.l3().consumed() - before).written
}

/// Asserts that an invalidation by a tag removes the key, and leaves nothing of it.
async fn goes_by(api: &Api, key: &str, tag: &str) {
    let done = invalidate(api, json!({"tags": [tag]})).await.expect(200).json();
    assert_eq!(done["invalidated_count"], 1, "{done}");
    fresh(api, key).await.expect(404);
    wait_out_the_window().await;
    for container in ["entries-1", "entries-2"] {
        api.get(&entry(key)).pin(container).send().await.expect(404);
    }
    assert_eq!(rows(api, key, tag).await.1, [""; 0]);
}

#[tokio::test]
async fn a_put_that_keeps_the_tags_writes_one_row() {
    let api = Api::start().await;
    tagged(&api, "entries-1", "k", &["red", "blue"]).await.expect(201);
    let (before, names) = rows(&api, "k", "red").await;
    assert_eq!(names, [number(&before, "parts")]);
    for _ in 0..3 {
        let units = written(&api, async || drop(tagged(&api, "entries-1", "k", &["red", "blue"]).await.expect(200)));
        assert!((units.await - 1.0).abs() < f64::EPSILON);
    }
    let (after, still) = rows(&api, "k", "red").await;
    assert!(number(&after, "version") > number(&before, "version") && after["body"] != before["body"]);
    assert_eq!((still, &after["parts"], &after["tags"]), (names, &before["parts"], &before["tags"]));
    goes_by(&api, "k", "blue").await;
}

/// It knows the tags by the copy in Redis, and guesses by what it met last.
#[tokio::test]
async fn a_container_that_has_not_the_key_keeps_the_tags_as_well() {
    let api = Api::start().await;
    for key in ["a", "b", "c"] {
        tagged(&api, "entries-1", key, &["red"]).await.expect(201);
    }
    let (before, _) = rows(&api, "b", "red").await;
    put(&api, "entries-2", "other", "1").await.expect(201);
    tagged(&api, "entries-2", "a", &["red"]).await.expect(200);
    let units = written(&api, async || drop(tagged(&api, "entries-2", "b", &["red"]).await.expect(200))).await;
    assert!(units < 2.5, "its row, and what was written ahead before goes: {units}");
    let units = written(&api, async || drop(tagged(&api, "entries-2", "c", &["red"]).await.expect(200))).await;
    assert!((units - 1.0).abs() < f64::EPSILON, "{units}");
    for key in ["a", "b", "c"] {
        let (row, names) = rows(&api, key, "red").await;
        assert_eq!(names, [number(&row, "parts")], "{key}");
    }
    assert_eq!(rows(&api, "b", "red").await.0["parts"], before["parts"]);
    let done = invalidate(&api, json!({"tags": ["red"]})).await.expect(200).json();
    assert_eq!(done["invalidated_count"], 3);
}

/// The rows of a tag stand before the PUT has a version, under a name that is not greater.
#[tokio::test]
async fn other_tags_have_another_name() {
    let api = Api::start().await;
    put(&api, "entries-1", "other", "1").await.expect(201);
    let mut names = Vec::new();
    for tags in [&["red"][..], &["red", "blue"], &["blue"], &["red"]] {
        tagged(&api, "entries-1", "k", tags).await;
        let (row, of_tag) = rows(&api, "k", tags[0]).await;
        assert!(of_tag.contains(&number(&row, "parts")), "{of_tag:?}");
        assert!(number(&row, "parts") <= number(&row, "version"));
        names.push(number(&row, "parts"));
    }
    assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    put(&api, "entries-1", "other", "2").await.expect(200);
    assert_eq!(rows(&api, "k", "blue").await.1, [""; 0], "what was left over went beside the next write");
    goes_by(&api, "k", "red").await;
}

/// Without tags it need not wait until those of the value before are gone; nor does a DELETE.
#[tokio::test]
async fn a_put_without_tags_leaves_their_rows_to_the_next_write() {
    let api = Api::start().await;
    tagged(&api, "entries-1", "k", &["red", "blue"]).await.expect(201);
    tagged(&api, "entries-1", "l", &["red"]).await.expect(201);
    let units = written(&api, async || drop(put(&api, "entries-1", "k", "1").await.expect(200))).await;
    assert!((units - 1.0).abs() < f64::EPSILON, "{units}");
    invalidate(&api, json!({"tags": ["blue"]})).await.expect(200);
    fresh(&api, "k").await.expect(200);
    api.delete(&entry("l")).pin("entries-1").send().await.expect(200);
    assert_eq!(rows(&api, "k", "red").await.1, [""; 0], "beside the DELETE");
    assert_eq!(rows(&api, "l", "red").await.1.len(), 1);
    put(&api, "entries-1", "other", "1").await.expect(201);
    assert_eq!(rows(&api, "l", "red").await.1, [""; 0]);
}

#[tokio::test]
async fn what_was_brought_back_and_replaced_is_found() {
    let api = Api::start().await;
    tagged(&api, "entries-1", "k", &["red"]).await.expect(201);
    tagged(&api, "entries-1", "k", &["red"]).await.expect(200);
    let id = undoably(&api, json!({"tags": ["red"]})).await;
    fresh(&api, "k").await.expect(404);
    assert_eq!(undone(&api, &id).await, [1, 0, 0]);
    fresh(&api, "k").await.expect(200);
    let (before, _) = rows(&api, "k", "red").await;
    tagged(&api, "entries-2", "k", &["red"]).await.expect(200);
    assert_eq!(rows(&api, "k", "red").await.0["parts"], before["parts"]);
    goes_by(&api, "k", "red").await;
}

#[tokio::test]
async fn a_patch_keeps_the_name_or_takes_another() {
    let api = Api::start().await;
    tagged(&api, "entries-1", "k", &["red"]).await.expect(201);
    let (before, _) = rows(&api, "k", "red").await;
    let patch = async |body: &'static str| {
        api.request("PATCH", &entry("k")).body(body).pin("entries-2").send().await.expect(200);
    };
    let units = written(&api, async || patch(r#"{"ttl_seconds":1800}"#).await).await;
    assert!((units - 1.0).abs() < f64::EPSILON, "{units}");
    assert_eq!(rows(&api, "k", "red").await.0["parts"], before["parts"]);
    patch(r#"{"add_tags":["blue"]}"#).await;
    let (row, names) = rows(&api, "k", "blue").await;
    assert_eq!(names, [number(&row, "parts")]);
    assert_ne!(row["parts"], before["parts"]);
    tagged(&api, "entries-1", "k", &["red", "blue"]).await.expect(200);
    assert_eq!(rows(&api, "k", "blue").await.0["parts"], row["parts"], "it knew other tags, until Redis told it");
    put(&api, "entries-1", "other", "1").await.expect(201);
    goes_by(&api, "k", "blue").await;
}

#[tokio::test]
async fn what_was_filled_is_kept_and_found() {
    let api = Api::start().await;
    let missed = api.get(&entry("k")).header("fill-lease", "60").pin("entries-1").send().await.expect(404);
    let token = missed.header("fill-token").unwrap().to_owned();
    let body = json!({"value": 1, "tags": ["red"]}).to_string();
    api.put(&entry("k"), body).header("fill-token", token).pin("entries-1").send().await.expect(201);
    let (before, names) = rows(&api, "k", "red").await;
    assert_eq!(names, [number(&before, "parts")]);
    let units = written(&api, async || drop(tagged(&api, "entries-1", "k", &["red"]).await.expect(200))).await;
    assert!((units - 1.0).abs() < f64::EPSILON, "{units}");
    goes_by(&api, "k", "red").await;
}

/// Changes attributes of the row of `k`.
async fn change(api: &Api, expression: &str, values: &[(&str, i64)]) {
    let row =
        client(api).update_item().table_name("cache_entries").set_key(Some(item(&format!("e#{}", shard("k")), "k")));
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::N(value.to_string())));
    let values: Item = values.collect();
    let values = (!values.is_empty()).then_some(values);
    row.update_expression(expression).set_expression_attribute_values(values).send().await.unwrap();
}

/// As the release before has written it, or with index rows that are about to end.
#[tokio::test]
async fn rows_that_may_go_before_what_keeps_them_are_written_again() {
    for (expression, values) in
        [("SET version = parts REMOVE parts, parts_until", &[][..]), ("SET parts_until = :soon", &[(":soon", 1)])]
    {
        let api = Api::start().await;
        tagged(&api, "entries-1", "k", &["red"]).await.expect(201);
        let (before, names) = rows(&api, "k", "red").await;
        change(&api, expression, values).await;
        tagged(&api, "entries-1", "k", &["red"]).await.expect(200);
        put(&api, "entries-1", "other", "1").await.expect(201);
        let (row, now) = rows(&api, "k", "red").await;
        assert_eq!(now, [number(&row, "parts")]);
        assert_ne!((now, &row["version"]), (names, &before["version"]));
        let units = written(&api, async || drop(tagged(&api, "entries-1", "k", &["red"]).await.expect(200))).await;
        assert!((units - 1.0).abs() < f64::EPSILON, "{units}");
        goes_by(&api, "k", "red").await;
    }
}

/// Two containers, each of which believes to know the tags. A value says which were put with it.
#[tokio::test]
async fn puts_side_by_side_are_found_by_the_tags_they_have() {
    let api = Api::start().await;
    let lists = [&["red"][..], &["red", "blue"], &["blue"]];
    for round in 0..40 {
        let puts = ["entries-1", "entries-2"].map(|container| {
            let tags = lists[fastrand::usize(..3)];
            api.put(&entry("k"), json!({"value": tags, "tags": tags}).to_string()).pin(container).send()
        });
        for told in join_all(puts).await {
            assert!([200, 201].contains(&told.status), "{told:?}");
        }
        let put: Vec<String> = serde_json::from_str(fresh(&api, "k").await.expect(200).value()).unwrap();
        let (row, names) = rows(&api, "k", &put[0]).await;
        let tags: Vec<&String> = row["tags"].as_l().unwrap().iter().map(|tag| tag.as_s().unwrap()).collect();
        assert_eq!(tags, put.iter().collect::<Vec<_>>(), "round {round}");
        assert!(names.contains(&number(&row, "parts")), "round {round}: {row:?} {names:?}");
        if round % 10 == 9 {
            let done = invalidate(&api, json!({"tags": [put[0]]})).await.expect(200).json();
            assert_eq!(done["invalidated_count"], 1, "{done}");
            fresh(&api, "k").await.expect(404);
        }
    }
}

/// Its life is over, its index rows are not.
#[tokio::test]
async fn what_was_made_stale_and_replaced_lives_and_is_found() {
    let api = Api::start().await;
    let graceful = async |container: &str| {
        let body = json!({"value": fastrand::u32(..), "tags": ["red"], "grace_seconds": 600}).to_string();
        api.put(&entry("k"), body).pin(container).send().await
    };
    let make_stale = async || invalidate(&api, json!({"tags": ["red"], "mode": "stale"})).await.expect(200).json();
    graceful("entries-1").await.expect(201);
    let (before, names) = rows(&api, "k", "red").await;
    for container in ["entries-1", "entries-2"] {
        assert_eq!(make_stale().await["stale_count"], 1);
        let (ended, _) = rows(&api, "k", "red").await;
        assert!(ended.contains_key("ended_at") && ended["parts"] == before["parts"], "{ended:?}");
        fresh(&api, "k").await.expect(404);
        // What it knows is what a reader of what has expired has left in Redis.
        let read = api.get(&entry("k")).header("cache-control", "no-cache, max-stale").pin(container);
        assert_eq!(read.send().await.expect(200).json()["metadata"]["stale"], true);
        graceful(container).await.expect(201);
        fresh(&api, "k").await.expect(200);
        let (row, now) = rows(&api, "k", "red").await;
        assert!(!row.contains_key("ended_at"), "{row:?}");
        assert!(now.contains(&number(&row, "parts")), "{now:?} {names:?}");
    }
    assert_eq!(invalidate(&api, json!({"tags": ["red"]})).await.expect(200).json()["invalidated_count"], 1);
    fresh(&api, "k").await.expect(404);
}

/// The row says what any row of such a value says.
#[tokio::test]
async fn nothing_stays_of_what_was_said_before() {
    let api = Api::start().await;
    let put = async |key: &str, more: serde_json::Value| {
        let mut body = json!({"value": [key], "tags": ["red"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.put(&entry(key), body.to_string()).pin("entries-1").send().await
    };
    put("k", json!({"grace_seconds": 60, "ttl_seconds": 3000, "idle_seconds": 300})).await.expect(201);
    let (before, _) = rows(&api, "k", "red").await;
    put("k", json!({"ttl_seconds": 1000})).await.expect(200);
    put("l", json!({"ttl_seconds": 1000})).await.expect(201);
    let [(kept, _), (new, _)] = [rows(&api, "k", "red").await, rows(&api, "l", "red").await];
    assert_eq!(kept["parts"], before["parts"], "it was kept");
    let names = |row: &Item| row.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&kept), names(&new));
    for name in ["kind", "levels", "size", "bytes", "tags"] {
        assert_eq!(kept[name], new[name], "{name}");
    }
    // And what it says is what is read of it.
    flush(&api).await;
    let read = get(&api, "entries-2", "k").await.expect(200);
    assert_eq!((read.value(), read.level().as_str()), (r#"["k"]"#, "L3_DATABASE"));
    assert_eq!(read.json()["metadata"].get("grace_seconds"), None);
}
