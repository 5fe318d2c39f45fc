//! The shared secret in Secrets Manager: when it is fetched, what a rotation means, and what happens when it cannot be
//! had.

use std::collections::HashMap;

use authorizer::Authorizer;
use authorizer::keyring::{MAX_AGE, MAX_STALENESS, MIN_INTERVAL, RETRY_INTERVAL};
use authorizer::refusal::Refusal;
use authorizer::secret_store::OVERLAP;
use authorizer::settings::Settings;
use strata_stack::{SecretsFault, SecretsManager};

use crate::signer::{Signer, hs256};
use crate::{AUDIENCE, ISSUER, SECRET, ask, ask_at, assert_refused, assert_unavailable, claims, now};

const NEW_SECRET: &str = "another secret of more than 32 bytes, after a rotation";
/// Requests of one fetch: current and previous version.
const ONE_FETCH: usize = 2;

async fn store() -> SecretsManager {
    SecretsManager::start(SECRET).await.unwrap()
}

/// The authorizer of a deployment whose secret is stored.
fn asking(store: &SecretsManager) -> Authorizer {
    let given = [
        ("JWT_ISSUER", ISSUER),
        ("JWT_AUDIENCE", AUDIENCE),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ];
    let given = given.map(|(name, value)| (name, value.to_owned()));
    let all: HashMap<_, _> = given.into_iter().chain(store.variables()).collect();
    Authorizer::new(Settings::from_lookup(|name| all.get(name).cloned()).unwrap())
}

fn token(secret: &str) -> String {
    hs256(secret.as_bytes(), &claims())
}

#[tokio::test]
async fn it_is_fetched_once_and_not_before_a_token_needs_it() {
    let store = store().await;
    let authorizer = asking(&store);
    assert_refused(ask(&authorizer, &Signer::ec("k").sign(&claims())).await, Refusal::Algorithm);
    assert_eq!(store.requests(), 0);
    for _ in 0..3 {
        ask(&authorizer, &token(SECRET)).await.unwrap();
    }
    assert_eq!(store.requests(), ONE_FETCH);
}

#[tokio::test]
async fn a_wrong_signature_asks_again_but_seldom() {
    let store = store().await;
    let authorizer = asking(&store);
    for _ in 0..5 {
        assert_refused(ask(&authorizer, &token(NEW_SECRET)).await, Refusal::Signature);
    }
    assert_eq!(store.requests(), ONE_FETCH);
    store.rotate(NEW_SECRET);
    assert_refused(ask_at(&authorizer, &token(NEW_SECRET), now() + MIN_INTERVAL - 2).await, Refusal::Signature);
    ask_at(&authorizer, &token(NEW_SECRET), now() + MIN_INTERVAL).await.unwrap();
    assert_eq!(store.requests(), 2 * ONE_FETCH);
}

#[tokio::test]
async fn the_previous_version_is_good_for_the_overlap() {
    let store = store().await;
    store.rotate(NEW_SECRET);
    let authorizer = asking(&store);
    for secret in [SECRET, NEW_SECRET] {
        ask(&authorizer, &token(secret)).await.unwrap();
        ask_at(&authorizer, &token(secret), now() + OVERLAP - 2).await.unwrap();
    }
    assert_refused(ask_at(&authorizer, &token(SECRET), now() + OVERLAP).await, Refusal::Signature);
    ask_at(&authorizer, &token(NEW_SECRET), now() + OVERLAP).await.unwrap();

    // Nor does it live on because Secrets Manager cannot be asked.
    store.set(SecretsFault::Denied);
    assert_refused(ask_at(&authorizer, &token(SECRET), now() + OVERLAP + MAX_AGE).await, Refusal::Signature);
    ask_at(&authorizer, &token(NEW_SECRET), now() + OVERLAP + MAX_AGE).await.unwrap();
}

#[tokio::test]
async fn a_version_whose_label_is_taken_away_ends_with_the_age_of_what_was_fetched() {
    let store = store().await;
    store.rotate(NEW_SECRET);
    let authorizer = asking(&store);
    ask(&authorizer, &token(SECRET)).await.unwrap();
    store.forget_previous();
    ask_at(&authorizer, &token(SECRET), now() + MAX_AGE - 2).await.unwrap();
    assert_refused(ask_at(&authorizer, &token(SECRET), now() + MAX_AGE).await, Refusal::Signature);
}

#[tokio::test]
async fn a_store_that_refuses() {
    let store = store().await;
    let authorizer = asking(&store);
    store.set(SecretsFault::Denied);
    assert_unavailable(ask(&authorizer, &token(SECRET)).await);
    let asked = store.requests();
    assert_unavailable(ask(&authorizer, &token(SECRET)).await);
    assert_eq!(store.requests(), asked, "not asked again at once");

    store.set(SecretsFault::None);
    ask_at(&authorizer, &token(SECRET), now() + RETRY_INTERVAL).await.unwrap();

    store.set(SecretsFault::Denied);
    let late = now() + MAX_AGE + RETRY_INTERVAL;
    ask_at(&authorizer, &token(SECRET), late).await.unwrap();
    assert_refused(ask_at(&authorizer, &token(NEW_SECRET), late).await, Refusal::Signature);
    assert_unavailable(ask_at(&authorizer, &token(SECRET), now() + MAX_STALENESS + 60).await);
}

#[tokio::test]
async fn a_store_that_says_nothing() {
    let store = store().await;
    store.set(SecretsFault::Silent);
    assert_unavailable(ask(&asking(&store), &token(SECRET)).await);
}

#[tokio::test]
async fn a_secret_that_is_too_short() {
    let store = SecretsManager::start("hunter2").await.unwrap();
    assert_unavailable(ask(&asking(&store), &token("hunter2")).await);
    store.rotate(SECRET);
    let authorizer = asking(&store);
    assert_refused(ask(&authorizer, &token("hunter2")).await, Refusal::Signature);
    ask(&authorizer, &token(SECRET)).await.unwrap();
}
