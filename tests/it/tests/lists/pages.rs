//! Pages of keys: every entry that lives throughout is in exactly one, whatever happens between them.

use super::{assert_names, keys, listed, options, start, store, whole, without_l3};
use crate::{
    support::{command, copy_name, eventually, invalidate, shard},
    tables,
};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use strata_it::{Api, entry};

const UNUSUAL: [&str; 16] =
    [" ", "!", "%", "%2F", "+", "/", "//a/", "A", "a", "a b", "a%2Fb", "a/b", "a?b#c&d=e", "é", "日本", "😀"];

#[tokio::test]
async fn every_entry_is_listed_with_what_is_said_of_it() {
    let api = start().await;
    store(&api, "a:1", json!({"tags": ["red", "round"], "ttl_seconds": 60})).await;
    store(&api, "a:2", json!({"value": {"n": [1.50, 2]}, "cache_levels": ["L3_DATABASE"]})).await;
    store(&api, "b:1", json!({"tags": ["red"]})).await;
    let found = api.get("/entries/a:1").send().await.expect(200).json();
    let page = api.get("/keys?prefix=a:").send().await.expect(200).json();
    assert_eq!(page.get("next"), None, "{page}");
    let lines = page["keys"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "{page}");
    let metadata = &found["metadata"];
    for member in ["created_at", "expires_at", "size_bytes"] {
        assert_eq!(lines[0][member], metadata[member], "{member}");
    }
    assert_eq!((&lines[0]["key"], &lines[0]["tags"]), (&json!("a:1"), &json!(["red", "round"])));
    assert_eq!(lines[0]["levels"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    assert_eq!((&lines[1]["levels"], &lines[1]["tags"]), (&json!(["L3_DATABASE"]), &json!([])));
    assert_eq!(lines[1]["size_bytes"], r#"{"n":[1.5,2]}"#.len());
    assert_eq!(keys(&api, &[("tag", "red")]).await, ["a:1", "b:1"]);
    assert_eq!(keys(&api, &[("tag", "red"), ("prefix", "b")]).await, ["b:1"]);
    assert_eq!(keys(&api, &[("tag", "re")]).await, [""; 0]);
    assert_eq!(keys(&api, &[("prefix", "a:1")]).await, ["a:1"]);
}

/// The same of both registers.
async fn unusual_keys(api: Api) {
    let long = "ü".repeat(256);
    let mut expected: Vec<&str> = UNUSUAL.into_iter().chain([long.as_str()]).collect();
    for key in expected.iter().rev() {
        store(&api, key, json!({"tags": ["all", "日本 %"]})).await;
    }
    expected.sort_unstable();
    for limit in ["1", "2", "7", "16", "17", "1000"] {
        assert_eq!(keys(&api, &[("limit", limit)]).await, expected, "by {limit}");
        assert_eq!(keys(&api, &[("limit", limit), ("tag", "日本 %")]).await, expected, "by {limit}");
    }
    for prefix in expected.iter().copied().chain(["a?", "日", "\u{10FFFF}"]) {
        let under: Vec<&str> = expected.iter().copied().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(keys(&api, &[("prefix", prefix), ("limit", "2")]).await, under, "{prefix}");
    }
}

#[tokio::test]
async fn unusual_keys_come_in_the_order_of_their_bytes() {
    unusual_keys(start().await).await;
}

#[tokio::test]
async fn and_from_the_index_of_l2() {
    unusual_keys(without_l3().await).await;
}

/// Lists, and changes something between any two pages: keys come and go, those that stay are overwritten, and their tags
/// change but for one.
async fn changes_between_pages(api: Api) {
    let stays: Vec<String> = (0..60).map(|number| format!("k:{number:03}:stays")).collect();
    for key in &stays {
        store(&api, key, json!({"tags": ["t"]})).await;
    }
    for (tag, limit) in [(None, 7_usize), (Some("t"), 7), (None, 1), (Some("t"), 20)] {
        let (mut found, mut cursor, mut page) = (Vec::new(), None::<String>, 0);
        loop {
            let limit = limit.to_string();
            let mut parameters = vec![("prefix", "k:"), ("limit", &limit)];
            parameters.extend(tag.map(|tag| ("tag", tag)));
            parameters.extend(cursor.iter().map(|cursor| ("cursor", cursor.as_str())));
            let answer = api.get(&listed("keys", &parameters)).send().await.expect(200).json();
            let lines = answer["keys"].as_array().unwrap();
            found.extend(lines.iter().map(|line| line["key"].as_str().unwrap().to_owned()));
            page += 1;
            let Some(next) = answer["next"].as_str() else { break };
            cursor = Some(next.to_owned());
            let (here, there) = (page * 13 % 60, page * 29 % 60);
            store(&api, &format!("k:{here:03}:comes"), json!({"tags": ["t"]})).await;
            store(&api, &format!("k:{there:03}:stays"), json!({"tags": ["t", format!("of {page}")]})).await;
            api.delete(&entry(&format!("k:{there:03}:comes"))).pin("entries-2").send().await;
            // The very one at which the page ended.
            let last = found.last().unwrap();
            if last.ends_with("comes") {
                api.delete(&entry(last)).pin("entries-2").send().await;
            } else {
                store(&api, last, json!({"tags": ["other", "t"]})).await;
            }
        }
        assert!(found.is_sorted_by(|one, next| one < next), "in order, each once: {found:?}");
        found.retain(|key| key.ends_with("stays"));
        assert_eq!(found, stays, "tag {tag:?}, limit {limit}");
    }
}

#[tokio::test]
async fn what_lives_throughout_is_listed_exactly_once() {
    changes_between_pages(start().await).await;
}

#[tokio::test]
async fn and_so_it_is_from_the_index_of_l2() {
    changes_between_pages(without_l3().await).await;
}

async fn gone_is_gone(api: Api) {
    for key in ["deleted", "invalidated", "kept", "short"] {
        let ttl = if key == "short" { 1 } else { 600 };
        store(&api, key, json!({"tags": ["t"], "ttl_seconds": ttl})).await;
    }
    api.delete("/entries/deleted").pin("entries-2").send().await.expect(200);
    invalidate(&api, json!({"pattern": "inv*"})).await.expect(200);
    for parameters in [&[][..], &[("tag", "t")]] {
        eventually("expiry", async || keys(&api, parameters).await == ["kept"]).await;
    }
    store(&api, "kept", json!({"tags": ["other"]})).await;
    assert_eq!(keys(&api, &[("tag", "t")]).await, [""; 0], "it has another tag now");
    store(&api, "deleted", json!({"tags": ["t"]})).await;
    assert_eq!(keys(&api, &[("tag", "t")]).await, ["deleted"], "it is there again");
}

#[tokio::test]
async fn what_is_gone_is_not_listed() {
    gone_is_gone(start().await).await;
}

#[tokio::test]
async fn what_is_gone_from_l2_is_not_listed_where_that_decides() {
    gone_is_gone(without_l3().await).await;
}

/// Writes an invalidation as one whose container is at work.
async fn leave_open(api: &Api, mut open: Value) {
    let now: (u64, u64) = command(api, &["TIME"]).await;
    open["version"] = json!((now.0 * 1_000_000 + now.1) << 12);
    let open = open.to_string();
    let record = ["XADD", "strata:cache:{j}journal", "*", "kind", "invalidate", "body", &open];
    let at = command::<String>(api, &record).await;
    command::<i64>(api, &["HSET", "strata:cache:{j}open", &at, &open]).await;
}

async fn hidden(api: Api) {
    for (key, tag) in [("a:1", "x"), ("a:2", "y"), ("b:1", "x"), ("b:2", "y")] {
        store(&api, key, json!({"tags": [tag]})).await;
    }
    leave_open(&api, json!({"levels": 7, "pattern": "a:*"})).await;
    assert_eq!(keys(&api, &[]).await, ["b:1", "b:2"]);
    leave_open(&api, json!({"levels": 7, "tags": ["y"]})).await;
    assert_eq!(keys(&api, &[]).await, ["b:1"]);
    assert_eq!(keys(&api, &[("tag", "y")]).await, [""; 0]);
    assert_eq!(keys(&api, &[("tag", "x")]).await, ["b:1"]);
    store(&api, "a:1", json!({"tags": ["y"]})).await;
    assert_eq!(keys(&api, &[("tag", "y")]).await, ["a:1"], "it is newer");
}

#[tokio::test]
async fn what_an_open_invalidation_hides_is_not_listed() {
    hidden(start().await).await;
}

#[tokio::test]
async fn what_an_open_invalidation_hides_in_l2_is_not_listed_where_that_decides() {
    hidden(without_l3().await).await;
}

#[tokio::test]
async fn a_value_that_is_in_l2_only_is_listed_while_it_is_there() {
    let api = start().await;
    store(&api, "l1", json!({"cache_levels": ["L1_MEMORY"]})).await;
    store(&api, "l2", json!({"cache_levels": ["L2_REDIS"], "tags": ["t"]})).await;
    store(&api, "l3", json!({"tags": ["t"]})).await;
    let page = api.get("/keys").send().await.expect(200).json();
    let (line, all) = (&page["keys"][0], page["keys"].as_array().unwrap());
    assert_eq!((&line["key"], &line["levels"], all.len()), (&json!("l2"), &json!(["L2_REDIS"]), 2), "{page}");
    assert_eq!((&line["size_bytes"], &line["tags"]), (&json!(4), &json!(["t"])));
    assert_eq!(keys(&api, &[("tag", "t")]).await, ["l2", "l3"]);
    command::<()>(&api, &["DEL", &copy_name("l2")]).await;
    assert_eq!(keys(&api, &[]).await, ["l3"]);
    assert_eq!(keys(&api, &[("tag", "t")]).await, ["l3"]);
}

#[tokio::test]
async fn what_a_release_before_stored_is_listed_without_what_it_did_not_say() {
    let api = start().await;
    store(&api, "old", json!({"tags": ["t"]})).await;
    let pk = AttributeValue::S(format!("e#{}", shard("old")));
    let row = tables::client(&api).update_item().table_name("cache_entries");
    let row = row.key("pk", pk).key("sk", AttributeValue::S("old".to_owned()));
    let row = row.update_expression("REMOVE created_at, #size").expression_attribute_names("#size", "size");
    row.send().await.unwrap();
    let page = api.get("/keys").send().await.expect(200).json();
    let line = &page["keys"][0];
    assert_eq!((&line["key"], line.get("created_at"), line.get("size_bytes")), (&json!("old"), None, None), "{page}");
    assert!(line["expires_at"].is_string(), "{page}");
}

/// Rows of an index are left over where their removal fails.
#[tokio::test]
async fn what_an_index_names_is_listed_only_if_it_has_the_tag() {
    let api = start().await;
    store(&api, "k", json!({"tags": ["new"]})).await;
    let text = |text: String| AttributeValue::S(text);
    let row = tables::client(&api).put_item().table_name("cache_entries");
    let row = row.item("pk", text(format!("t#{}#old", shard("k"))));
    row.item("sk", text(format!("k\u{1}{:020}", 1))).send().await.unwrap();
    assert_eq!(keys(&api, &[("tag", "old")]).await, [""; 0]);
    assert_eq!(keys(&api, &[("tag", "new")]).await, ["k"]);
}

/// DynamoDB bills whole rows, so that a page of large ones has fewer of them.
#[tokio::test]
async fn large_values_make_short_pages() {
    let api = start().await;
    let large = "x".repeat(300_000);
    let expected: Vec<String> = (0..40).map(|number| format!("large:{number:02}")).collect();
    for (number, key) in expected.iter().enumerate() {
        // Every tenth in chunks, which are no part of its row.
        let value = if number % 10 == 0 { large.repeat(3) } else { large.clone() };
        let body =
            json!({"value": value, "compression_enabled": false, "tags": ["t"], "cache_levels": ["L3_DATABASE"]});
        api.put(&entry(key), body.to_string()).pin("entries-1").send().await.expect(201);
    }
    store(&api, "small", json!({})).await;
    // What is not seen has to be looked at in each of sixteen partitions, so that a row is read about twice.
    for (parameters, most_mb) in [(&[("prefix", "large:")][..], 30.0), (&[("tag", "t")], 12.0)] {
        let page = api.get(&listed("keys", parameters)).send().await.expect(200).json();
        let lines = page["keys"].as_array().unwrap();
        assert!((1..40).contains(&lines.len()) && page["next"].is_string(), "{} of 40", lines.len());
        assert_eq!(lines[0]["size_bytes"], 900_002);
        assert_eq!(lines[1]["size_bytes"], 300_002);
        let before = api.stack.l3().consumed();
        assert_eq!(keys(&api, parameters).await, expected);
        let read_mb = (api.stack.l3().consumed() - before).read * 4.0 / 1024.0;
        assert!(read_mb < most_mb, "{read_mb} MB for 11 MB of rows");
    }
}

#[tokio::test]
async fn a_prefix_or_a_tag_costs_its_matches() {
    let api = start().await;
    for number in 0..20 {
        store(&api, &format!("mine:{number:02}"), json!({"tags": ["mine"]})).await;
    }
    let read = async |parameters: &[(&str, &str)]| {
        let before = api.stack.l3().consumed();
        assert_eq!(keys(&api, parameters).await.len(), 20);
        let after = api.stack.l3().consumed();
        after.read - before.read
    };
    let (prefix, tag) = (&[("prefix", "mine:")][..], &[("tag", "mine")][..]);
    let few = [read(prefix).await, read(tag).await];
    for number in 0..300 {
        store(&api, &format!("others:{number:03}"), json!({"tags": ["others"], "value": "x".repeat(4000)})).await;
    }
    assert_eq!([read(prefix).await, read(tag).await], few);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let api = start().await;
    for (path, field, said) in [
        ("/keys?limit=0", "limit", "from 1 to 1000"),
        ("/keys?limit=1001", "limit", "from 1 to 1000"),
        ("/keys?limit=ten", "limit", "from 1 to 1000"),
        ("/keys?limit=1&limit=2", "limit", "twice"),
        ("/keys?prefx=a", "prefx", "did you mean prefix?"),
        ("/keys?prefix=a%0Ab", "prefix", "control"),
        ("/keys?tag=", "tag", "1 to 128 bytes"),
        ("/keys?cursor=", "cursor", "next of a page"),
        ("/keys?cursor=customer:1", "cursor", "next of a page"),
        ("/tags?tag=a", "tag", "known are"),
        ("/tags?limit=-1", "limit", "from 1 to 1000"),
        ("/tags?cursor=AAAA", "cursor", "next of a page"),
        ("/stats?depth=4", "depth", "from 1 to 3"),
        ("/stats?separator=::", "separator", "one of"),
        ("/stats?prefix=a", "prefix", "known are"),
    ] {
        let refused = api.get(path).send().await.expect_error(400, "INVALID_REQUEST");
        assert_names(&refused, field, said);
    }
    let long = "p".repeat(513);
    let refused = api.get(&listed("keys", &[("prefix", &long)])).send().await.expect_error(400, "INVALID_REQUEST");
    assert_names(&refused, "prefix", "at most 512 bytes");
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list() {
    let api = start().await;
    for key in ["a:1", "a:2", "a:3"] {
        store(&api, key, json!({"tags": [key, "t"]})).await;
    }
    let first = api.get("/keys?prefix=a:&limit=1").send().await.expect(200).json();
    let cursor = first["next"].as_str().unwrap();
    assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{cursor}");
    let own = listed("keys", &[("prefix", "a:"), ("limit", "5"), ("cursor", cursor)]);
    assert_eq!(api.get(&own).send().await.expect(200).json()["keys"].as_array().unwrap().len(), 2);
    let changed = format!("{}A", &cursor[..cursor.len() - 1]);
    for other in [
        listed("keys", &[("prefix", "a"), ("cursor", cursor)]),
        listed("keys", &[("cursor", cursor)]),
        listed("keys", &[("prefix", "a:"), ("tag", "t"), ("cursor", cursor)]),
        listed("tags", &[("prefix", "a:"), ("cursor", cursor)]),
        listed("keys", &[("prefix", "a:"), ("cursor", &changed)]),
        listed("keys", &[("prefix", "a:"), ("cursor", &cursor[1..])]),
    ] {
        let refused = api.get(&other).send().await.expect_error(400, "INVALID_REQUEST");
        assert_names(&refused, "cursor", "same list");
    }
}

#[tokio::test]
async fn lists_are_limited_as_bulk_operations() {
    let api = Api::with(options(json!({})).env("RATE_LIMITS", "on").env("RATE_LIMIT_BULK", "3")).await;
    for path in ["/keys", "/tags", "/stats"] {
        let answer = api.get(path).send().await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""bulk";q=3;w=60"#), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    api.get("/keys").send().await.expect_error(429, "RATE_LIMITED");
    assert_eq!(whole("keys", &[], |path| api.get(path).bearer(&other(&api))).await, [Value::Null; 0]);
}

/// A token of another API key.
fn other(api: &Api) -> String {
    api.stack.token(strata_it::stack::Claims::default().api_key("other"))
}
