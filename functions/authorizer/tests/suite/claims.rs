//! What a good token says, and that a claim of the wrong type makes it a bad one.

use authorizer::policy::Context;
use authorizer::refusal::Refusal;
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

/// In the order in which they count.
const SCOPE_CLAIMS: [&str; 4] = ["scope", "scopes", "scp", "permissions"];

#[tokio::test]
async fn scopes_as_text_or_list() {
    assert_eq!(context([]).await.scopes, r#"["cache:read","cache:write"]"#);
    for name in SCOPE_CLAIMS {
        for (said, read) in [
            (json!("  a   b "), r#"["a","b"]"#),
            (json!(["a", "b c"]), r#"["a","b c"]"#),
            (json!(""), "[]"),
            (json!([]), "[]"),
        ] {
            let mut claims = claims_with([("scope", None)]);
            claims[name] = said;
            let token = hs256(SECRET.as_bytes(), &claims);
            assert_eq!(ask(&authorizer(Some(SECRET), None), &token).await.unwrap().context.scopes, read, "{name}");
        }
    }
    assert_eq!(context([("scope", None)]).await.scopes, "[]");
}

/// Also where it grants nothing: what two claims say together nobody has granted.
#[tokio::test]
async fn of_several_scope_claims_the_first_counts_alone() {
    for first in 0..SCOPE_CLAIMS.len() {
        for granted in [json!("own"), json!(["own"]), json!(""), json!([])] {
            let mut claims = claims_with([("scope", None)]);
            for name in &SCOPE_CLAIMS[first..] {
                claims[name] = json!(["other"]);
            }
            claims[SCOPE_CLAIMS[first]] = granted;
            let token = hs256(SECRET.as_bytes(), &claims);
            let scopes = ask(&authorizer(Some(SECRET), None), &token).await.unwrap().context.scopes;
            assert!([r#"["own"]"#, "[]"].contains(&scopes.as_str()), "{scopes} of {claims}");
        }
    }
}

#[tokio::test]
async fn a_deployment_names_its_issuer_s_claims() {
    let names = [
        ("JWT_SCOPES_CLAIM", "permissions"),
        ("JWT_PREFIXES_CLAIM", "https://example.com/prefixes"),
        ("JWT_API_KEY_CLAIM", "azp"),
    ];
    let authorizer = crate::authorizer_with(&names);
    let claims = claims_with([
        ("permissions", Some(json!(["cache:read"]))),
        ("https://example.com/prefixes", Some(json!(["a:"]))),
        ("azp", Some(json!("client-1"))),
        ("api_key", Some(json!("another"))),
        ("cache_key_prefixes", Some(json!(["another:"]))),
    ]);
    let context = ask(&authorizer, &hs256(SECRET.as_bytes(), &claims)).await.unwrap().context;
    assert_eq!(context.scopes, r#"["cache:read"]"#, "and not what scope says");
    assert_eq!((context.prefixes.as_deref(), context.api_key.as_deref()), (Some(r#"["a:"]"#), Some("client-1")));
    for (_, name) in names {
        let wrong = claims_with([(name, Some(json!(1)))]);
        assert_refused(ask(&authorizer, &hs256(SECRET.as_bytes(), &wrong)).await, Refusal::Claims);
    }
    let without = claims_with([]);
    let context = ask(&authorizer, &hs256(SECRET.as_bytes(), &without)).await.unwrap().context;
    assert_eq!(context.scopes, "[]", "no other claim stands in");
}

/// Access tokens of Cognito name their client, and no audience; their scopes begin with the resource server's name.
#[tokio::test]
async fn an_audience_by_another_name_and_scopes_with_a_prefix() {
    let cognito = crate::authorizer_with(&[("JWT_AUDIENCE_CLAIM", "client_id"), ("JWT_SCOPE_PREFIX", "strata/")]);
    let says = |name: &str, value: Value| {
        let mut claims = claims_with([("aud", None), ("client_id", Some(json!("strata")))]);
        claims["scope"] = json!("strata/cache:read cache:write other/cache:admin");
        claims[name] = value;
        hs256(SECRET.as_bytes(), &claims)
    };
    let good = says("token_use", json!("access"));
    assert_eq!(ask(&cognito, &good).await.unwrap().context.scopes, r#"["cache:read"]"#);
    ask(&cognito, &says("client_id", json!(["other", "strata"]))).await.unwrap();
    // An audience in the usual claim is for nobody then, whichever it is.
    ask(&cognito, &says("aud", json!("another"))).await.unwrap();
    for bad in [json!("other"), json!(null), json!(["other"]), json!({"strata": "strata"}), json!("")] {
        assert_refused(ask(&cognito, &says("client_id", bad)).await, Refusal::Audience);
    }
    let id_token = hs256(SECRET.as_bytes(), &claims_with([]));
    assert_refused(ask(&cognito, &id_token).await, Refusal::Audience);
    assert_refused(ask(&authorizer(Some(SECRET), None), &good).await, Refusal::Claims);
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
    assert_eq!(context([("exp", Some(json!(end)))]).await.exp, end + 5, "the functions know no leeway");
    assert_eq!(context([("exp", Some(json!(end as f64 + 0.9)))]).await.exp, end + 5, "rounded down");
    context([("nbf", Some(json!(now() + 2))), ("iat", Some(json!(now() + 2)))]).await;
    context([("iat", None)]).await;
}

#[tokio::test]
async fn several_audiences() {
    context([("aud", Some(json!(["another", "strata"])))]).await;
}

#[tokio::test]
async fn wrong_types() {
    for bad in [json!(null), json!(1), json!([1]), json!([null]), json!(["a", ["b"]]), json!({"0": "cache:read"})] {
        refused("scope", bad).await;
    }
    for bad in [json!(null), json!(1), json!(""), json!(["key"])] {
        refused("api_key", bad).await;
    }
    for bad in [json!(null), json!("customer:"), json!([""]), json!(["a", ""]), json!([1]), json!([["a"]]), json!({})] {
        refused("cache_key_prefixes", bad).await;
    }
}
