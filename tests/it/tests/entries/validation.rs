//! What is wrong with a request is said by name, and nothing of it is stored.

use serde_json::{Value, json};
use strata_it::{Answer, Api, configured, entry, entry_by_query};

const PATH: &str = "/entries/k";

/// The fields a 400 names.
#[track_caller]
fn named(answer: &Answer) -> Vec<String> {
    let errors = answer.details()["errors"].take();
    errors.as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

fn with(field: &str, value: Value) -> String {
    let mut body = json!({"value": 1});
    body[field] = value;
    body.to_string()
}

#[tokio::test]
async fn every_field_of_a_body_is_checked() {
    let api = Api::with(configured(json!({"l2_config": {"enabled": false}}))).await;
    let tags: Vec<String> = (0..51).map(|i| i.to_string()).collect();
    for (body, fields) in [
        ("{}".to_owned(), vec!["value"]),
        (with("ttl_seconds", json!(0)), vec!["ttl_seconds"]),
        (with("ttl_seconds", json!(31_536_001)), vec!["ttl_seconds"]),
        (with("ttl_seconds", json!("60")), vec!["ttl_seconds"]),
        (with("ttl_seconds", json!(1.5)), vec!["ttl_seconds"]),
        (with("ttl_seconds", json!(null)), vec!["ttl_seconds"]),
        (with("tags", json!("a")), vec!["tags"]),
        (with("tags", json!([1])), vec!["tags"]),
        (with("tags", json!([""])), vec!["tags"]),
        (with("tags", json!(tags)), vec!["tags"]),
        (with("tags", json!(["x".repeat(129)])), vec!["tags"]),
        (with("compression_enabled", json!("yes")), vec!["compression_enabled"]),
        (with("cache_levels", json!("L1_MEMORY")), vec!["cache_levels"]),
        (with("cache_levels", json!(["L4"])), vec!["cache_levels"]),
        (with("cache_levels", json!([])), vec!["cache_levels"]),
        (with("cache_levels", json!(["L1_MEMORY", "L1_MEMORY"])), vec!["cache_levels"]),
        (with("cache_levels", json!(["L2_REDIS"])), vec!["cache_levels"]),
        (with("ttl_jitter", json!(0.51)), vec!["ttl_jitter"]),
        (with("ttl_jitter", json!(-0.1)), vec!["ttl_jitter"]),
        (with("ttl_jitter", json!("0.1")), vec!["ttl_jitter"]),
        (with("grace_seconds", json!(-1)), vec!["grace_seconds"]),
        (with("grace_seconds", json!(31_536_001)), vec!["grace_seconds"]),
        (with("grace_seconds", json!("60")), vec!["grace_seconds"]),
        (with("ttl", json!(60)), vec!["ttl"]),
        (r#"{"value":1,"value":2}"#.to_owned(), vec!["value"]),
        (r#"{"tagz":1,"ttl_seconds":-1}"#.to_owned(), vec!["tagz", "value", "ttl_seconds"]),
        (String::new(), vec!["body"]),
        ("{".to_owned(), vec!["body"]),
        ("[]".to_owned(), vec!["body"]),
        (r#"{"value":1}}"#.to_owned(), vec!["body"]),
        (r#"{"value":01}"#.to_owned(), vec!["body"]),
    ] {
        let answer = api.put(PATH, body).send().await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(named(&answer), fields, "{answer:?}");
    }
    let not_utf8 = api.put(PATH, &b"{\"value\":\"\xff\"}"[..]).send().await.expect_error(400, "INVALID_REQUEST");
    assert_eq!(named(&not_utf8), ["body"]);
    let close = api.put(PATH, with("ttl_second", json!(1))).send().await.expect(400);
    assert!(close.details().to_string().contains("did you mean ttl_seconds?"), "{close:?}");
    api.get(PATH).send().await.expect(404);
}

#[tokio::test]
async fn limits_themselves_are_allowed() {
    let api = Api::start().await;
    let tags: Vec<String> = (0..50).map(|i| format!("{i:0>128}")).collect();
    let body = json!({"value": 1, "ttl_seconds": 31_536_000, "tags": tags, "compression_enabled": false});
    api.put(PATH, body.to_string()).send().await.expect(201);
    api.put(PATH, with("ttl_seconds", json!(1))).send().await.expect(200);
    api.put(PATH, with("tags", json!(["a", "a"]))).send().await.expect(200);
}

#[tokio::test]
async fn addresses_are_checked() {
    let api = Api::start().await;
    for (path, field) in [
        ("/entries", "key"),
        ("/entries?key=", "key"),
        ("/entries?key=a&key=b", "key"),
        ("/entries/a?key=a", "key"),
        ("/entries/a?b", "b"),
        ("/entries/%zz", "key"),
        ("/entries/a%", "key"),
        ("/entries/%ff", "key"),
        ("/entries/%", "key"),
        ("/entries/%%20", "key"),
        ("/entries/%u002F", "key"),
        // A slash, a surrogate and more than Unicode has, in bytes that are not UTF-8.
        ("/entries/%C0%AF", "key"),
        ("/entries/%E0%80%AF", "key"),
        ("/entries/%ED%A0%80", "key"),
        ("/entries/%F4%90%80%80", "key"),
        ("/entries/a%00b", "key"),
        ("/entries/%7F", "key"),
        ("/entries/%C2%85", "key"),
        ("/entries?key=%00", "key"),
        ("/entries?key=a%0Ab", "key"),
        ("/entries?Key=a", "Key"),
        ("/entries?key[]=a", "key[]"),
        ("/entries?key=a&key=", "key"),
    ] {
        for request in [api.get(path), api.put(path, r#"{"value":1}"#), api.delete(path)] {
            let answer = request.send().await.expect_error(400, "INVALID_REQUEST");
            assert_eq!(named(&answer), [field], "{answer:?}");
        }
    }
    for bytes in [513, 10_000] {
        for path in [entry(&"x".repeat(bytes)), entry_by_query(&"x".repeat(bytes)), entry(&"é".repeat(bytes / 2 + 1))]
        {
            let answer = api.get(&path).send().await.expect_error(400, "INVALID_REQUEST");
            assert_eq!(named(&answer), ["key"], "{answer:?}");
        }
    }
    for path in [entry(&"x".repeat(512)), entry_by_query(&"é".repeat(256))] {
        api.get(&path).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
    }
}

#[tokio::test]
async fn too_large_is_413_with_the_sizes() {
    let api = Api::with(configured(json!({"max_entry_size_mb": 1}))).await;
    let text = |len: usize| format!(r#"{{"value":"{}"}}"#, "x".repeat(len - 2));
    api.put(PATH, text(1 << 20)).send().await.expect(201);
    let refused = api.put(PATH, text((1 << 20) + 1)).send().await.expect_error(413, "ENTRY_TOO_LARGE");
    assert_eq!(refused.details(), json!({"size_bytes": 1_048_577, "max_size_bytes": 1_048_576}));
}
