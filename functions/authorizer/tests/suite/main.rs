//! Tokens with real signatures, keys from a real HTTP server on this machine, and every attack that is known to have
//! worked on somebody.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "a suite may spawn threads")]

mod attacks;
mod claims;
mod discovery;
mod forms;
mod issuer;
mod key_set;
mod secret_store;
mod signer;

use std::collections::HashMap;

use authorizer::settings::Settings;
use authorizer::{AuthorizeError, Authorizer, TokenEvent, policy::Policy, refusal::Refusal};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "strata";
const SECRET: &str = "a secret of more than 32 bytes, known to both sides";
const ARN: &str = "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/GET/cache/entries/customer:1";

/// The time that `jsonwebtoken` goes by.
fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// Claims that are good for five minutes.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now(), "exp": now() + 300,
        "scope": "cache:read cache:write"
    })
}

/// Good claims with some replaced, or removed where the new value is missing.
fn claims_with<const N: usize>(changes: [(&str, Option<Value>); N]) -> Value {
    let mut claims = claims();
    let map = claims.as_object_mut().unwrap();
    for (name, value) in changes {
        map.remove(name);
        map.extend(value.map(|value| (name.to_owned(), value)));
    }
    claims
}

/// An authorizer of a deployment with a secret, a JWKS URL, or both.
fn authorizer(secret: Option<&str>, jwks_url: Option<&str>) -> Authorizer {
    let keys = [("JWT_SECRET", secret), ("JWKS_URL", jwks_url)];
    deployed(keys.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

/// An authorizer with the secret, and these variables besides.
fn authorizer_with(variables: &[(&str, &str)]) -> Authorizer {
    deployed([("JWT_SECRET", SECRET)].into_iter().chain(variables.iter().copied()))
}

fn deployed<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Authorizer {
    let all = [("JWT_ISSUER", ISSUER), ("JWT_AUDIENCE", AUDIENCE)].into_iter().chain(variables);
    let all: HashMap<_, _> = all.collect();
    Authorizer::new(Settings::from_lookup(|name| all.get(name).map(|&value| value.to_owned())).unwrap())
}

async fn ask(authorizer: &Authorizer, token: &str) -> Result<Policy, AuthorizeError> {
    ask_at(authorizer, token, now()).await
}

/// Asks at a time of the caller's choice, which moves the age of keys; `exp` and `nbf` go by the real clock.
async fn ask_at(authorizer: &Authorizer, token: &str, now: u64) -> Result<Policy, AuthorizeError> {
    let event = TokenEvent { authorization_token: format!("Bearer {token}"), method_arn: ARN.to_owned() };
    authorizer.authorize(&event, now).await
}

/// The error text that API Gateway gets to see.
fn error_text(error: AuthorizeError) -> String {
    Diagnostic::from(error).error_message
}

#[track_caller]
fn assert_refused(verdict: Result<Policy, AuthorizeError>, why: Refusal) {
    match verdict {
        Err(AuthorizeError::Refused(reason)) => assert_eq!(reason, why),
        other => panic!("expected {why:?}, got {other:?}"),
    }
    assert_eq!(error_text(AuthorizeError::Refused(why)), "Unauthorized");
}

#[track_caller]
fn assert_unavailable(verdict: Result<Policy, AuthorizeError>) {
    match verdict {
        Err(error @ AuthorizeError::Unavailable(_)) => assert_ne!(error_text(error), "Unauthorized"),
        other => panic!("expected no key, got {other:?}"),
    }
}
