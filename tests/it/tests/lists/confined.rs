//! A token with prefixes lists what lies under them, and learns nothing of the rest.

use super::{assert_names, listed, start, store, whole};
use serde_json::{Value, json};
use strata_it::{Api, stack::Claims};

fn token(api: &Api, prefixes: &[&str]) -> String {
    api.stack.token(Claims::default().prefixes(prefixes))
}

async fn tenants() -> Api {
    let api = start().await;
    for tenant in ["a", "b", "c"] {
        for number in 0..9 {
            let tags = [format!("of {tenant}"), "all".to_owned(), format!("{number}")];
            store(&api, &format!("{tenant}:{number}"), json!({ "tags": tags })).await;
        }
    }
    store(&api, "b", json!({"tags": ["of nobody", "all"]})).await;
    api
}

async fn keys(api: &Api, token: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let found = whole("keys", parameters, |path| api.get(path).bearer(token)).await;
    found.iter().map(|line| line["key"].as_str().unwrap().to_owned()).collect()
}

async fn tags(api: &Api, token: &str, parameters: &[(&str, &str)]) -> Vec<(String, u64)> {
    let found = whole("tags", parameters, |path| api.get(path).bearer(token)).await;
    let pair = |line: &Value| (line["tag"].as_str().unwrap().to_owned(), line["entries"].as_u64().unwrap());
    found.iter().map(pair).collect()
}

fn all(prefixes: &[&str]) -> Vec<String> {
    prefixes.iter().flat_map(|prefix| (0..9).map(move |number| format!("{prefix}{number}"))).collect()
}

#[tokio::test]
async fn it_lists_its_own_keys_only() {
    let api = tenants().await;
    let (b, ac) = (token(&api, &["b:"]), token(&api, &["c:", "a:", "a:1", "none:"]));
    for limit in ["1", "4", "100"] {
        assert_eq!(keys(&api, &b, &[("limit", limit)]).await, all(&["b:"]));
        assert_eq!(keys(&api, &ac, &[("limit", limit)]).await, all(&["a:", "c:"]));
        assert_eq!(keys(&api, &ac, &[("limit", limit), ("tag", "all")]).await, all(&["a:", "c:"]));
        assert_eq!(keys(&api, &ac, &[("limit", limit), ("tag", "of b")]).await, [""; 0]);
    }
    assert_eq!(keys(&api, &b, &[("prefix", "b")]).await, all(&["b:"]), "narrowed to what is its own");
    assert_eq!(keys(&api, &b, &[("prefix", "b:7")]).await, ["b:7"]);
    for prefix in ["a", "a:", "c:1", "B:"] {
        let refused = api.get(&listed("keys", &[("prefix", prefix)])).bearer(&b).send().await;
        assert_eq!(refused.expect_error(403, "FORBIDDEN").details(), json!({ "prefix": prefix }));
    }
    let nothing = token(&api, &[]);
    for resource in ["keys", "tags"] {
        api.get(&format!("/{resource}")).bearer(&nothing).send().await.expect_error(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_foreign_cursor_is_worth_nothing() {
    let api = tenants().await;
    let (a, b, wide) = (token(&api, &["a:"]), token(&api, &["b:"]), token(&api, &["a:", "b:"]));
    let cursor = async |token: &str, path: &str| {
        let page = api.get(path).bearer(token).send().await.expect(200).json();
        page["next"].as_str().unwrap().to_owned()
    };
    let others = [cursor(&a, "/keys?limit=3").await, cursor(&wide, "/keys?limit=3").await];
    for cursor in others {
        let refused = api.get(&listed("keys", &[("cursor", &cursor)])).bearer(&b).send().await;
        assert_names(&refused.expect_error(400, "INVALID_REQUEST"), "cursor", "within the list");
    }
    let claims = Claims::default().prefixes(&["a:"]).api_key("another's");
    let foreign = cursor(&api.stack.token(claims), "/keys?limit=3").await;
    let refused = api.get(&listed("keys", &[("cursor", &foreign)])).bearer(&a).send().await;
    assert_names(&refused.expect_error(400, "INVALID_REQUEST"), "cursor", "same list");
}

#[tokio::test]
async fn it_sees_the_tags_and_counts_of_its_own_keys_only() {
    let api = tenants().await;
    let (b, ac) = (token(&api, &["b:"]), token(&api, &["a:", "c:"]));
    let numbers = (0..9).map(|number| number.to_string());
    let expected = |each: u64, others: &[(&str, u64)]| -> Vec<(String, u64)> {
        let others = others.iter().map(|(tag, count)| ((*tag).to_owned(), *count));
        numbers.clone().map(|tag| (tag, each)).chain(others).collect()
    };
    for limit in ["1", "2", "100"] {
        assert_eq!(tags(&api, &b, &[("limit", limit)]).await, expected(1, &[("all", 9), ("of b", 9)]));
        let both = expected(2, &[("all", 18), ("of a", 9), ("of c", 9)]);
        assert_eq!(tags(&api, &ac, &[("limit", limit)]).await, both);
    }
    assert_eq!(tags(&api, &b, &[("prefix", "of a")]).await, []);
    assert_eq!(tags(&api, &b, &[("prefix", "of")]).await, [("of b".to_owned(), 9)]);
}

#[tokio::test]
async fn it_sees_what_was_counted_under_its_prefixes_only() {
    let api = tenants().await;
    api.get("/stats").send().await.expect(200);
    let stats = api.get("/stats").bearer(&token(&api, &["b:", "c:1"])).send().await.expect(200).json();
    assert_eq!(stats["prefixes"].as_array().unwrap().len(), 1, "{stats}");
    assert_eq!((&stats["prefixes"][0]["prefix"], &stats["prefixes"][0]["entries"]), (&json!("b:"), &json!(9)));
    assert!(stats.get("total").is_none() && stats.get("other").is_none(), "{stats}");
}
