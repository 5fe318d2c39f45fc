//! Keys that the configured issuer says the place of.

use authorizer::{AuthorizeError, Authorizer};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::signer::Signer;
use crate::{ask, ask_at, assert_unavailable, authorizer_with, claims_with, now};

/// An issuer, and an authorizer that trusts what it says. Its own name ends in a slash or not.
fn discovering(provider: &Issuer, slash: &str) -> (String, Authorizer) {
    let issuer = format!("{}{slash}", provider.origin());
    let authorizer = authorizer_with(&[("JWT_ISSUER", &issuer), ("JWKS_DISCOVERY", "on")]);
    (issuer, authorizer)
}

fn token(key: &Signer, issuer: &str) -> String {
    key.sign(&claims_with([("iss", Some(json!(issuer)))]))
}

fn document(issuer: &str, keys: &str) -> String {
    json!({"issuer": issuer, "jwks_uri": keys, "authorization_endpoint": "https://elsewhere"}).to_string()
}

#[tokio::test]
async fn the_issuer_says_where_its_keys_are() {
    for slash in ["", "/"] {
        let key = Signer::ec("k");
        let (provider, keys) = (Issuer::of(&[]), Issuer::of(&[&key]));
        let (issuer, authorizer) = discovering(&provider, slash);
        provider.answer(200, document(&issuer, &keys.url()));
        ask(&authorizer, &token(&key, &issuer)).await.unwrap();
        assert_eq!(provider.paths(), ["/.well-known/openid-configuration"]);
        assert_eq!((provider.requests(), keys.requests()), (1, 1));
        ask(&authorizer, &token(&key, &issuer)).await.unwrap();
        assert_eq!((provider.requests(), keys.requests()), (1, 1), "both are kept");
    }
}

#[tokio::test]
async fn an_issuer_may_move_its_keys() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let provider = Issuer::of(&[]);
    let (first, second) = (Issuer::of(&[&old]), Issuer::of(&[&new]));
    let (issuer, authorizer) = discovering(&provider, "");
    provider.answer(200, document(&issuer, &first.url()));
    ask(&authorizer, &token(&old, &issuer)).await.unwrap();
    provider.answer(200, document(&issuer, &second.url()));
    ask_at(&authorizer, &token(&new, &issuer), now() + 30).await.unwrap();
}

#[tokio::test]
async fn nobody_else_says_it() {
    let key = Signer::ec("k");
    let keys = Issuer::of(&[&key]);
    let of = |issuer: &str, keys: &str| (200, document(issuer, keys));
    let elsewhere = format!("{}/keys", keys.origin());
    let bad = |issuer: &str| -> Vec<(u16, String)> {
        vec![
            of("https://evil.example", &keys.url()),
            of(&format!("{issuer}/"), &keys.url()),
            of(&issuer.to_uppercase(), &keys.url()),
            of("", &keys.url()),
            of(issuer, "http://keys.example/"),
            of(issuer, "https://127.0.0.1:1/"),
            of(issuer, "file:///dev/null"),
            of(issuer, "keys"),
            (200, json!({"jwks_uri": keys.url()}).to_string()),
            (200, json!({"issuer": issuer}).to_string()),
            (200, json!({"issuer": [issuer], "jwks_uri": keys.url()}).to_string()),
            (200, Value::Null.to_string()),
            (200, "<html>".to_owned()),
            (302, document(issuer, &elsewhere)),
            (404, document(issuer, &keys.url())),
        ]
    };
    let cases = bad("x").len();
    for case in 0..cases {
        let provider = Issuer::of(&[]);
        let (issuer, authorizer) = discovering(&provider, "");
        let (status, body) = bad(&issuer).swap_remove(case);
        provider.answer(status, body.clone());
        let verdict = ask(&authorizer, &token(&key, &issuer)).await;
        assert!(matches!(verdict, Err(AuthorizeError::Unavailable(_))), "{status} {body}");
        assert_unavailable(verdict);
        assert_eq!((provider.requests(), keys.requests()), (1, 0), "{status} {body}");
    }
}
