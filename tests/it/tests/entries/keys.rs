//! Keys are opaque: each arrives as it was sent, by path where HTTP can carry it and by query always.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use strata_it::{Api, entry, entry_by_query};

const HOSTILE: [&str; 24] = [
    "customer:12345",
    "a/b/c",
    "a//b",
    "/",
    "a/",
    "a b",
    "a+b",
    "100%",
    "%2F",
    "%252F",
    "..",
    "../..",
    "a/../b",
    ".",
    "./a",
    "a?b=c&d",
    "a#b",
    "a\\b",
    "😀/🏳️‍🌈",
    "é",
    "e\u{301}",
    "\"quoted\" <tag> {brace} `tick` |pipe|",
    "key=a&key=b",
    "*?[a-z]",
];

/// All that stands unencoded in the target of a request.
const PLAIN: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

#[tokio::test]
async fn every_key_is_one_entry_by_either_address() {
    let api = Api::start().await;
    for (number, key) in HOSTILE.into_iter().enumerate() {
        let body = format!(r#"{{"value":{number}}}"#);
        let put = api.put(&entry_by_query(key), body).send().await.expect(201);
        assert_eq!(put.json()["key"], key);
    }
    for (number, key) in HOSTILE.into_iter().enumerate() {
        for path in [entry(key), entry_by_query(key)] {
            let found = api.get(&path).send().await.expect(200);
            assert_eq!(found.json()["key"], key, "{path}");
            assert_eq!(found.value(), number.to_string(), "{path}");
        }
    }
    for key in HOSTILE {
        api.delete(&entry(key)).send().await.expect(200);
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

#[tokio::test]
async fn the_longest_key_works() {
    let api = Api::start().await;
    for key in ["x".repeat(512), "\"".repeat(512), "é".repeat(256)] {
        api.put(&entry_by_query(&key), r#"{"value":1}"#).send().await.expect(201);
        assert_eq!(api.get(&entry(&key)).send().await.expect(200).json()["key"], key);
    }
}
