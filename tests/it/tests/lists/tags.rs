//! Tags with their counts, by the indexes of L2.

use super::{start, store, whole, without_l3};
use crate::support::{command, eventually};
use serde_json::{Value, json};
use strata_it::Api;

async fn tags(api: &Api, parameters: &[(&str, &str)]) -> Vec<(String, u64)> {
    let found = whole("tags", parameters, |path| api.get(path)).await;
    let pair = |line: &Value| (line["tag"].as_str().unwrap().to_owned(), line["entries"].as_u64().unwrap());
    found.iter().map(pair).collect()
}

async fn counted(api: Api) {
    for number in 0..60 {
        let tags = json!(["all", format!("third {}", number % 3), format!("own {number:02}"), "日本"]);
        store(&api, &format!("k:{number}"), json!({ "tags": tags })).await;
    }
    store(&api, "k:0", json!({"tags": ["all"]})).await;
    api.delete("/entries/k:1").pin("entries-1").send().await.expect(200);
    let mut expected: Vec<(String, u64)> = vec![("all".to_owned(), 59)];
    expected.extend((2..60).map(|number| (format!("own {number:02}"), 1)));
    expected
        .extend([("third 0", 19), ("third 1", 19), ("third 2", 20), ("日本", 58)].map(|(tag, n)| (tag.to_owned(), n)));
    for limit in ["1", "5", "63", "1000"] {
        assert_eq!(tags(&api, &[("limit", limit)]).await, expected, "by {limit}");
    }
    let thirds: Vec<_> = expected.iter().filter(|(tag, _)| tag.starts_with("third")).cloned().collect();
    assert_eq!(tags(&api, &[("prefix", "third")]).await, thirds);
    assert_eq!(tags(&api, &[("prefix", "own 60")]).await, []);
}

#[tokio::test]
async fn every_tag_is_listed_with_its_entries() {
    counted(start().await).await;
}

#[tokio::test]
async fn every_tag_is_listed_where_l2_decides() {
    counted(without_l3().await).await;
}

/// The list has of a long tag its beginning and its hash only.
#[tokio::test]
async fn long_tags_are_listed_with_all_their_text() {
    let api = start().await;
    // The 42nd byte is the first of a character in one, and all that of which the list has the same beginning.
    let [common, cut] = ["c".repeat(50), format!("{}{}", "d".repeat(41), "é".repeat(20))];
    let long = |number: usize| format!("{common} {number:077}");
    let whole = "c".repeat(43);
    for number in 0..40 {
        let tags = json!([long(number), cut, whole, long(100)]);
        store(&api, &format!("k:{number}"), json!({ "tags": tags })).await;
    }
    api.delete("/entries/k:7").pin("entries-1").send().await.expect(200);
    let mut expected: Vec<(String, u64)> =
        (0..40).filter(|number| *number != 7).map(|number| (long(number), 1)).collect();
    expected.extend([(long(100), 39), (whole.clone(), 39), (cut.clone(), 39)]);
    expected.sort_unstable();
    for limit in ["1", "7", "1000"] {
        let found = tags(&api, &[("limit", limit)]).await;
        assert_eq!(
            found.iter().map(|(tag, _)| tag.as_bytes()[0]).collect::<Vec<_>>(),
            [vec![b'c'; 41], vec![b'd']].concat()
        );
        let mut found = found;
        found.sort_unstable();
        assert_eq!(found, expected, "by {limit}");
    }
    assert_eq!(tags(&api, &[("prefix", &cut[..45])]).await, [(cut, 39)]);
    assert_eq!(tags(&api, &[("prefix", &long(12)[..127])]).await.len(), 10);
    let mut under = tags(&api, &[("prefix", &common)]).await;
    under.sort_unstable();
    expected.retain(|(tag, _)| tag.starts_with(&common));
    assert_eq!(under, expected);
}

#[tokio::test]
async fn what_has_expired_is_not_counted_where_a_tag_has_few_entries() {
    let api = start().await;
    store(&api, "long", json!({"tags": ["t", "u"]})).await;
    store(&api, "short", json!({"tags": ["t", "v"], "ttl_seconds": 1})).await;
    let expected = [("t".to_owned(), 1), ("u".to_owned(), 1)];
    eventually("expiry", async || tags(&api, &[]).await == expected).await;
}

#[tokio::test]
async fn what_has_no_copy_in_l2_is_not_counted() {
    let api = start().await;
    store(&api, "k", json!({"tags": ["t"]})).await;
    command::<()>(&api, &["FLUSHALL"]).await;
    assert_eq!(tags(&api, &[]).await, []);
}
