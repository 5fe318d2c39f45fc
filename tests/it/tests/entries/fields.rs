//! Every field, status and message of the contract.

use serde_json::{Value, json};
use strata_it::{Answer, Api};

const PATH: &str = "/entries/customer:12345";

/// Seconds since the epoch of an RFC 3339 time as the API writes them, which must be of that form.
#[track_caller]
fn seconds(time: &Value) -> i64 {
    let text = time.as_str().unwrap();
    assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let months = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = (1970..year).map(|year| 365 + leap(year)).sum::<i64>()
        + months.iter().take(usize::try_from(month).unwrap() - 1).sum::<i64>()
        + day
        - 1;
    days * 86_400 + part(11..13) * 3600 + part(14..16) * 60 + part(17..19)
}

/// The names of an object's members, sorted.
fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn metadata(answer: &Answer) -> Value {
    answer.json()["metadata"].take()
}

#[tokio::test]
async fn a_put_says_what_was_stored() {
    let api = Api::start().await;
    let text = format!(r#"{{"id":12345,"name":"{}"}}"#, "John Doe ".repeat(200));
    let body = format!(r#"{{"value":{text},"ttl_seconds":600,"tags":["customer","active"]}}"#);
    let created = api.put(PATH, body.clone()).send().await.expect(201);
    let answer = created.json();
    assert_eq!(names(&answer), ["key", "message", "metadata", "success"]);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["message"], "Cache entry set successfully");
    assert_eq!(answer["key"], "customer:12345");
    let said = metadata(&created);
    let expected = [
        "compressed",
        "compression_ratio",
        "created_at",
        "expires_at",
        "levels_stored",
        "serialization_format",
        "size_bytes",
    ];
    assert_eq!(names(&said), expected);
    assert_eq!(said["levels_stored"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    assert_eq!(said["size_bytes"], text.len());
    assert_eq!(said["compressed"], true);
    let ratio = said["compression_ratio"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio < 0.2, "{ratio}");
    assert_eq!(said["serialization_format"], "bincode");
    assert_eq!(seconds(&said["expires_at"]), seconds(&said["created_at"]) + 600);
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(created.header("cache-control"), Some("no-store"));

    let updated = api.put(PATH, body).send().await.expect(200);
    assert_eq!(updated.json()["message"], "Cache entry set successfully");
}

#[tokio::test]
async fn a_get_tells_everything_of_the_entry() {
    let api = Api::start().await;
    let put = api.put(PATH, r#"{"value":{"id":12345}}"#).send().await.expect(201);
    let found = api.get(PATH).pin(put.container()).send().await.expect(200);
    let answer = found.json();
    assert_eq!(names(&answer), ["found", "key", "metadata", "value"]);
    assert_eq!((&answer["found"], &answer["key"]), (&json!(true), &json!("customer:12345")));
    assert_eq!(found.value(), r#"{"id":12345}"#);
    let (said, stored) = (metadata(&found), metadata(&put));
    let expected = [
        "access_count",
        "compressed",
        "created_at",
        "expires_at",
        "last_accessed",
        "level",
        "serialization_format",
        "size_bytes",
        "ttl_seconds",
    ];
    assert_eq!(names(&said), expected);
    assert_eq!(said["level"], "L1_MEMORY");
    assert_eq!((&said["ttl_seconds"], &said["size_bytes"]), (&json!(3600), &json!(12)));
    assert_eq!((&said["compressed"], &said["serialization_format"]), (&json!(false), &json!("bincode")));
    for field in ["created_at", "expires_at"] {
        assert_eq!(said[field], stored[field], "{field}");
    }
    assert!(seconds(&said["last_accessed"]) >= seconds(&said["created_at"]));
    assert_eq!(said["access_count"], 1);
    let again = api.get(PATH).pin(put.container()).send().await.expect(200);
    assert_eq!(metadata(&again)["access_count"], 2);
    assert_eq!(found.cache_status("L1_MEMORY").split("; ttl=").next(), Some("hit"));
}

#[tokio::test]
async fn a_delete_says_where_the_entry_was() {
    let api = Api::start().await;
    let put = api.put(PATH, r#"{"value":1}"#).send().await.expect(201);
    let deleted = api.delete(PATH).pin(put.container()).send().await.expect(200);
    let answer = deleted.json();
    assert_eq!(names(&answer), ["deleted_at", "deleted_from_levels", "key", "message", "success"]);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["message"], "Cache entry deleted successfully");
    assert_eq!(answer["key"], "customer:12345");
    assert_eq!(answer["deleted_from_levels"], json!(["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]));
    seconds(&answer["deleted_at"]);

    api.delete(PATH).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
    api.put(PATH, r#"{"value":2}"#).send().await.expect(201);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_that_says_where_it_was_sought() {
    let api = Api::start().await;
    for request in [api.get("/entries/customer:99999"), api.delete("/entries/customer:99999")] {
        let missing = request.send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
        assert_eq!(missing.json()["error"]["message"], "The specified cache key was not found");
        let details = json!({"key": "customer:99999", "searched_levels": ["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]});
        assert_eq!(missing.details(), details);
        seconds(&missing.json()["error"]["timestamp"]);
    }
}

#[tokio::test]
async fn a_put_replaces_all_of_the_entry() {
    let api = Api::start().await;
    let put = api.put(PATH, r#"{"value":{"a":1},"ttl_seconds":60,"tags":["x"]}"#).send().await.expect(201);
    api.put(PATH, r#"{"value":null}"#).pin(put.container()).send().await.expect(200);
    let found = api.get(PATH).pin(put.container()).send().await.expect(200);
    assert_eq!(found.value(), "null");
    assert_eq!(metadata(&found)["ttl_seconds"], 3600);
    assert_eq!(metadata(&found)["access_count"], 1);
}

/// The end is moved by chance, only ever towards now, and a GET repeats what was asked for.
#[tokio::test]
async fn jitter_spreads_ends_and_lengthens_none() {
    const LIFE: i64 = 100_000;
    let api = Api::start().await;
    let mut lives = Vec::new();
    for number in 0..20 {
        let path = format!("/entries/jittered:{number}");
        let put = json!({"value": 1, "ttl_seconds": LIFE, "ttl_jitter": 0.5}).to_string();
        let stored = metadata(&api.put(&path, put).send().await.expect(201));
        let found = metadata(&api.get(&path).send().await.expect(200));
        assert_eq!(found["ttl_seconds"], json!(LIFE));
        assert_eq!(stored["expires_at"], found["expires_at"]);
        lives.push(seconds(&found["expires_at"]) - seconds(&found["created_at"]));
    }
    assert!(lives.iter().all(|life| (LIFE / 2 - 1..=LIFE).contains(life)), "{lives:?}");
    lives.sort_unstable();
    lives.dedup();
    assert!(lives.len() > 10, "{lives:?}");
    let plain = metadata(&api.put(PATH, json!({"value": 1, "ttl_seconds": LIFE}).to_string()).send().await.expect(201));
    assert_eq!(plain.get("ttl_jitter"), None);
    let found = metadata(&api.get(PATH).send().await.expect(200));
    assert_eq!(seconds(&found["expires_at"]) - seconds(&found["created_at"]), LIFE, "{found}");
}
