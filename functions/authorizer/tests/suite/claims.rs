//! What a good token says, and that a claim of the wrong type makes it a bad one.

use authorizer::policy::Context;
use authorizer::token::Refusal;
use serde_json::{Value, json};

use crate::signer::hs256;
use crate::{SECRET, ask, assert_refused, authorizer, claims_with, now};

async fn context<const N: usize>(changes: [(&str, Option<Value>); N]) -> Context {
    let token = hs256(SECRET.as_bytes(), &claims_with(changes));
    ask(&authorizer(Some(SECRET), None), &token).await.unwrap().context
}

async fn refused(name: &str, value: Value) {
    let token = hs256(SECRET.as_bytes(), &claims_with([(name, Some(value))]));
    assert_refused(ask(&authorizer(Some(SECRET), None), &token).await, Refusal::Claims);
}

#[tokio::test]
async fn scopes_as_text_or_list() {
    assert_eq!(context([]).await.scopes, r#"["cache:read","cache:write"]"#);
    assert_eq!(context([("scope", Some(json!("  a   b ")))]).await.scopes, r#"["a","b"]"#);
    assert_eq!(context([("scope", None)]).await.scopes, "[]");
    assert_eq!(context([("scope", None), ("scopes", Some(json!(["cache:admin"])))]).await.scopes, r#"["cache:admin"]"#);
    let both = [("scope", Some(json!("cache:read"))), ("scopes", Some(json!(["cache:admin"])))];
    assert_eq!(context(both).await.scopes, r#"["cache:read"]"#, "the standard claim decides");
}

#[tokio::test]
async fn an_api_key_is_not_a_subject() {
    assert_eq!(context([]).await.api_key, None);
    assert_eq!(context([("api_key", Some(json!("key-1")))]).await.api_key.as_deref(), Some("key-1"));
    assert_eq!(context([("api_key", Some(json!("alice")))]).await.api_key.as_deref(), Some("alice"));
}

#[tokio::test]
async fn names_have_a_bound() {
    let (longest, longer) = ("é".repeat(128), format!("{}e", "é".repeat(128)));
    assert_eq!(context([("sub", Some(json!(longest)))]).await.sub, longest);
    assert_eq!(context([("api_key", Some(json!(longest)))]).await.api_key, Some(longest));
    refused("sub", json!(longer)).await;
    refused("api_key", json!(longer)).await;
}

#[tokio::test]
async fn prefixes() {
    assert_eq!(context([]).await.prefixes, None);
    assert_eq!(context([("cache_key_prefixes", Some(json!([])))]).await.prefixes.unwrap(), "[]");
    let some = json!(["customer:", "ä\"b"]);
    let passed = context([("cache_key_prefixes", Some(some.clone()))]).await.prefixes.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&passed).unwrap(), some);
}

#[tokio::test]
async fn dates() {
    let end = now() + 100;
    assert_eq!(context([("exp", Some(json!(end)))]).await.exp, end);
    assert_eq!(context([("exp", Some(json!(end as f64 + 0.9)))]).await.exp, end, "rounded down");
    context([("nbf", Some(json!(now() + 2))), ("iat", Some(json!(now() + 2)))]).await;
    context([("iat", None)]).await;
}

#[tokio::test]
async fn several_audiences() {
    context([("aud", Some(json!(["another", "strata"])))]).await;
}

#[tokio::test]
async fn wrong_types() {
    for bad in [json!(null), json!(1), json!(["cache:read"]), json!({})] {
        refused("scope", bad).await;
    }
    for bad in [json!(null), json!("cache:read"), json!([1]), json!([null]), json!({"0": "cache:read"})] {
        refused("scopes", bad).await;
    }
    for bad in [json!(null), json!(1), json!(""), json!(["key"])] {
        refused("api_key", bad).await;
    }
    for bad in [json!(null), json!("customer:"), json!([""]), json!(["a", ""]), json!([1]), json!([["a"]]), json!({})] {
        refused("cache_key_prefixes", bad).await;
    }
}
