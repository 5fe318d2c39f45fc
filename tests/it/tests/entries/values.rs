//! Values come back byte for byte, of any size, through every level, with both compressions.

use crate::tables;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use strata_it::{
    Api, entry,
    stack::{Options, Stack, repository},
};

/// About `bytes` of JSON text that compresses badly, with an escape per `escape_every` characters.
fn text(bytes: usize, escape_every: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = String::with_capacity(bytes + 2);
    text.push('"');
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if text.len() % escape_every < 2 {
            text.push_str("\\\"");
        }
        text.push(char::from(b'a' + (state >> 60) as u8));
    }
    text.push('"');
    text
}

fn values() -> Vec<String> {
    let small = [
        "{}",
        "null",
        "0",
        "-0.0",
        "1.0e+2",
        "12345678901234567890.123456789012345678901234567890",
        "\"\"",
        r#""\u0041\/\ud83d\ude00""#,
        "{\"b\":1, \"a\" :\t[1.10,1.1]\n}",
        r#"{"a":1,"a":2}"#,
        "\"é😀\u{7f}\u{2028}\"",
    ];
    let large = [text(1_023, 100), text(1_024, 100), text(390_000, 100), text(700_000, 3)];
    small.into_iter().map(str::to_owned).chain(large).collect()
}

/// Unoptimised builds take their time with megabytes, and how long a level may take is not the question here.
fn options(algorithm: &str) -> Options {
    let config = json!({
        "compression": {"algorithm": algorithm},
        "l2_config": {"timeout_ms": 5_000},
        "l3_config": {"timeout_ms": 20_000},
    });
    Options::default().env("CACHE_CONFIG", config.to_string())
}

/// Puts a value in one container and reads it in the other from L2, after a flush from L3, and then from L1.
async fn round_trip(api: &Api, key: &str, value: &str, compress: bool) {
    let body = format!(r#"{{"value": {value} ,"compression_enabled":{compress}}}"#);
    let put = api.put(&entry(key), body).pin("entries-1").send().await.expect(201);
    let metadata = &put.json()["metadata"];
    assert_eq!(metadata["size_bytes"], value.len());
    assert!(compress || metadata["compressed"] == false, "{put:?}");
    for level in ["L2_REDIS", "L3_DATABASE", "L1_MEMORY"] {
        if level == "L3_DATABASE" {
            super::levels::flush(api).await;
        }
        let request = api.get(&entry(key)).pin(if level == "L1_MEMORY" { "entries-1" } else { "entries-2" });
        let found = request.send().await.expect(200);
        assert!(found.value() == value, "{level} {found:?}");
    }
}

async fn round_trips(algorithm: &str) {
    let api = Api::with(options(algorithm)).await;
    for (number, value) in values().iter().enumerate() {
        for compress in [true, false] {
            round_trip(&api, &format!("{number}:{compress}"), value, compress).await;
        }
    }
}

#[tokio::test]
async fn with_lz4() {
    round_trips("lz4").await;
}

#[tokio::test]
async fn with_zstd() {
    round_trips("zstd").await;
}

/// One after the other: several at once would keep a small machine too busy for the time a level has to answer.
#[tokio::test]
async fn of_five_megabytes() {
    for (algorithm, compress) in [("lz4", false), ("lz4", true), ("zstd", true)] {
        let api = Api::with(options(algorithm)).await;
        round_trip(&api, "few escapes", &text(5 << 20, 1000), compress).await;
        round_trip(&api, "many escapes", &text(7 << 19, 2), compress).await;
    }
}

/// A body that arrives as base64 takes less of Lambda's limit than its value does when it is answered.
#[tokio::test]
async fn what_could_not_be_carried_back_is_refused() {
    let stack = Stack::start(Options::default().functions(["entries"])).await.unwrap();
    let event = std::fs::read_to_string(repository().join("events/entries_put.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    let body = format!(r#"{{"value":"{}"}}"#, "\\\"".repeat(3 << 19));
    event["body"] = json!(BASE64_STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
    let answer = stack.invoke("entries", event, None).await.unwrap();
    assert_eq!(answer["statusCode"], 413, "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "ENTRY_TOO_LARGE");
    assert_eq!(body["error"]["details"]["max_answer_bytes"], 6 * 1024 * 1024);
}

#[tokio::test]
async fn what_lambda_cannot_carry_is_refused_by_the_gateway() {
    let api = Api::start().await;
    let body = format!(r#"{{"value":{}}}"#, text(7 << 20, 1000));
    api.put("/entries/k", body).send().await.expect_error(413, "ENTRY_TOO_LARGE");
}

#[tokio::test]
async fn what_belongs_to_a_value_in_the_tables_goes_with_it() {
    let api = Api::start().await;
    let large = format!(r#"{{"value":{},"tags":["a","b"],"compression_enabled":false}}"#, text(900_000, 100));
    let rows = async || tables::entries(&api).await.len();

    api.put(&entry("k"), large.clone()).send().await.expect(201);
    assert_eq!(rows().await, 1 + 3 + 2, "the row, its chunks, and a row for each tag");
    api.put(&entry("k"), large.clone()).send().await.expect(200);
    assert_eq!(rows().await, 1 + 3 + 2, "those of the new value");
    api.put(&entry("k"), r#"{"value":1}"#).send().await.expect(200);
    assert_eq!(rows().await, 1);

    api.put(&entry("k"), large).send().await.expect(200);
    api.delete(&entry("k")).send().await.expect(200);
    assert_eq!(rows().await, 1, "a tombstone");
}
