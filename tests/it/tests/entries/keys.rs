//! Keys are opaque: each arrives as it was sent, by path where HTTP can carry it and by query always.

use crate::support::invalidate;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::json;
use strata_it::{Api, entry, entry_by_query, patient};

const MAX_KEY_BYTES: usize = 512;
const MAX_PATTERN_BYTES: usize = 256;
const MAX_TAG_BYTES: usize = 128;

/// Keys that mean something to somebody on their way: a parser of URLs, a shell, Redis, DynamoDB, a template.
const HOSTILE: [&str; 88] = [
    "customer:12345",
    "a/b/c",
    "a//b",
    "/",
    "//",
    "a/",
    "a b",
    " a",
    "a ",
    " ",
    "a+b",
    "+",
    "100%",
    "%",
    "%2F",
    "%252F",
    "%25%32%46",
    "%00",
    "%c0%af",
    "%u002F",
    "..",
    "../..",
    "a/../b",
    "..%2f..%2f",
    "..;/",
    "/../../etc/passwd",
    ".",
    "./a",
    "a/.",
    "~",
    "a?b=c&d",
    "?",
    "&",
    "=",
    ";a=b",
    "a#b",
    "#",
    "a\\b",
    "\\",
    "\\*",
    "..\\",
    "😀/🏳️‍🌈",
    "é",
    "e\u{301}",
    "\u{301}",
    "\u{1100}\u{1161}",
    "a\u{200d}b",
    "\u{feff}a",
    "\u{202e}txt.exe",
    "שלום",
    "ß",
    "ss",
    "İ",
    "ａ",
    "\u{2028}",
    "\u{fffd}",
    "\u{10ffff}",
    "A",
    "a",
    "\"quoted\" <tag> {brace} `tick` |pipe|",
    "'; DROP TABLE cache_entries; --",
    "$(id)",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "key=a&key=b",
    "__proto__",
    "null",
    "0",
    "-",
    "-1",
    "*",
    "*?[a-z]",
    "[",
    "]",
    "[^a]",
    "a,b",
    "{",
    "}",
    "{}",
    "{a}",
    "}{",
    "strata:cache:{e0}c:a",
    "{e0}c:a",
    "journal",
    "e#0",
    "t#0#a",
    "job#1",
    "KEYS *",
];

/// All that stands unencoded in the target of a request.
const PLAIN: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// The hostile ones, and the longest that there may be.
fn keys() -> Vec<String> {
    let longest = ["x", "\"", "%", "*", "\\", "é", "😀"].map(|text| text.repeat(MAX_KEY_BYTES / text.len()));
    HOSTILE.into_iter().map(str::to_owned).chain(longest).collect()
}

/// The pattern that matches this key, or, as long as patterns may be, all keys that begin like it.
fn literal(key: &str) -> String {
    let mut pattern = String::new();
    for c in key.chars() {
        let escape = if "*?[]\\".contains(c) { "\\" } else { "" };
        if pattern.len() + escape.len() + c.len_utf8() > MAX_PATTERN_BYTES - 1 {
            return pattern + "*";
        }
        pattern = format!("{pattern}{escape}{c}");
    }
    pattern
}

/// Removes one entry, by pattern, by tag or by itself, whichever turn it is.
async fn remove(api: &Api, turn: usize, key: &str, tag: &str) {
    let selector = match turn % 3 {
        0 => json!({ "pattern": literal(key) }),
        1 => json!({ "tags": [tag] }),
        _ => {
            assert_eq!(api.delete(&entry(key)).send().await.expect(200).json()["key"], key);
            return;
        }
    };
    assert_eq!(invalidate(api, selector).await.expect(200).json()["invalidated_count"], 1, "{key}");
}

/// A tag of the key's own, which is the key where tags may be as long.
fn tag(number: usize, key: &str) -> String {
    if key.len() <= MAX_TAG_BYTES { key.to_owned() } else { number.to_string().repeat(3) }
}

#[tokio::test]
async fn every_key_is_one_entry_by_either_address() {
    let api = Api::with(patient().env("RATE_LIMITS", "off")).await;
    let keys = keys();
    for (number, key) in keys.iter().enumerate() {
        let body = json!({"value": number, "tags": [tag(number, key)]}).to_string();
        let address = if number % 2 == 0 { entry(key) } else { entry_by_query(key) };
        let put = api.put(&address, body).send().await.expect(201);
        assert_eq!(put.json()["key"], **key);
    }
    for (number, key) in keys.iter().enumerate() {
        for path in [entry(key), entry_by_query(key)] {
            let found = api.get(&path).send().await.expect(200);
            assert_eq!(found.json()["key"], **key, "{path}");
            assert_eq!(found.value(), number.to_string(), "{path}");
        }
    }
    // One after the other, so that what takes more than its key leaves too few for the others.
    for (number, key) in keys.iter().enumerate() {
        remove(&api, number, key, &tag(number, key)).await;
        api.get(&entry_by_query(key)).header("cache-control", "no-cache").send().await.expect(404);
    }
}

#[tokio::test]
async fn paths_are_not_normalised() {
    let api = Api::start().await;
    for key in ["a/../b", "..", "a//b", "./a", "a/", "a\\b", "a+b", "a;b,c='d'(e)!$&*@:"] {
        let path = format!("/entries/{}", utf8_percent_encode(key, PLAIN));
        assert!(path.ends_with(key), "{path}");
        api.put(&path, format!(r#"{{"value":"{}"}}"#, key.len())).send().await.expect(201);
        let found = api.get(&entry_by_query(key)).send().await.expect(200);
        assert_eq!(found.json()["key"], key);
    }
}

#[tokio::test]
async fn case_and_length_of_an_encoding_do_not_matter() {
    let api = Api::start().await;
    api.put("/entries/caf%c3%a9", r#"{"value":1}"#).send().await.expect(201);
    api.get("/entries/c%61f%C3%A9").send().await.expect(200);
    api.get("/entries/cafe%CC%81").send().await.expect(404);
}
