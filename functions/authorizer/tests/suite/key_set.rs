//! The issuer's keys: which are used, when they are fetched, and what happens when they cannot be.

use authorizer::fetch::MAX_BYTES;
use authorizer::keyring::{MAX_AGE, MAX_STALENESS, MIN_INTERVAL, RETRY_INTERVAL};
use authorizer::refusal::Refusal;
use authorizer::{AuthorizeError, Authorizer};
use serde_json::json;

use crate::issuer::Issuer;
use crate::signer::Signer;
use crate::{SECRET, ask, ask_at, assert_refused, assert_unavailable, authorizer, claims, now};

fn asking(issuer: &Issuer) -> Authorizer {
    authorizer(None, Some(&issuer.url()))
}

#[tokio::test]
async fn every_kind_of_key() {
    let keys = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let issuer = Issuer::of(&keys.each_ref());
    let authorizer = asking(&issuer);
    assert_eq!(issuer.requests(), 0, "nothing is fetched before a token needs it");
    for key in &keys {
        ask(&authorizer, &key.sign(&claims())).await.unwrap();
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_token_without_a_name_when_there_is_no_choice() {
    let (ec, ed) = (Signer::ec("e"), Signer::ed("d"));
    let issuer = Issuer::of(&[&ec, &ed]);
    let token = ec.sign_as(None, &claims());
    ask(&asking(&issuer), &token).await.unwrap();
    issuer.publish(&[&ec, &Signer::ec("e2")]);
    assert_refused(ask(&asking(&issuer), &token).await, Refusal::Algorithm);
}

#[tokio::test]
async fn another_key_of_the_same_name() {
    let issuer = Issuer::of(&[&Signer::rsa("r")]);
    let token = Signer::other_rsa("r").sign(&claims());
    assert_refused(ask(&asking(&issuer), &token).await, Refusal::Signature);
}

#[tokio::test]
async fn a_key_of_another_type() {
    let ec = Signer::ec("k");
    let issuer = Issuer::of(&[&Signer::rsa("k")]);
    let authorizer = asking(&issuer);
    assert_refused(ask(&authorizer, &ec.sign(&claims())).await, Refusal::Algorithm);
    let pss = json!({"alg": "PS256", "kid": "k"});
    assert_refused(ask(&authorizer, &crate::signer::raw(&pss, &claims(), "c2ln")).await, Refusal::Algorithm);
}

/// A key for something else stays unused, though its owner could sign with it.
#[tokio::test]
async fn keys_for_other_purposes() {
    let (rsa, ec) = (Signer::rsa("r"), Signer::ec("e"));
    let good = Signer::ed("d").jwk();
    let other = [
        rsa.jwk_with([("use", json!("enc"))]),
        rsa.jwk_with([("alg", json!("RSA-OAEP"))]),
        rsa.jwk_with([("alg", json!("RS512"))]),
        rsa.jwk_with([("alg", json!("HS256"))]),
        rsa.jwk_with([("key_ops", json!(["encrypt"]))]),
        rsa.jwk_with([("kty", json!("quantum"))]),
        json!({"kty": "oct", "kid": "r", "k": "c2VjcmV0"}),
        json!("no object"),
    ];
    for jwk in other {
        let issuer = Issuer::of(&[]);
        issuer.publish_jwks(vec![jwk.clone(), good.clone()]);
        let verdict = ask(&asking(&issuer), &rsa.sign(&claims())).await;
        assert!(verdict.is_err(), "{jwk}");
        assert_refused(verdict, Refusal::UnknownKey);
    }
    for good in [ec.jwk_with([("key_ops", json!(["verify"]))]), ec.jwk_with([("alg", json!("ES256"))])] {
        let issuer = Issuer::of(&[]);
        issuer.publish_jwks(vec![good]);
        ask(&asking(&issuer), &ec.sign(&claims())).await.unwrap();
    }
}

#[tokio::test]
async fn the_issuer_changes_its_keys() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let issuer = Issuer::of(&[&old]);
    let authorizer = asking(&issuer);
    ask(&authorizer, &old.sign(&claims())).await.unwrap();
    issuer.publish(&[&new]);

    let new_token = new.sign(&claims());
    assert_refused(ask_at(&authorizer, &new_token, now() + MIN_INTERVAL - 2).await, Refusal::UnknownKey);
    assert_eq!(issuer.requests(), 1, "not asked again so soon");
    ask_at(&authorizer, &new_token, now() + MIN_INTERVAL).await.unwrap();
    assert_eq!(issuer.requests(), 2);
    assert_refused(ask_at(&authorizer, &old.sign(&claims()), now() + MIN_INTERVAL).await, Refusal::UnknownKey);
}

#[tokio::test]
async fn a_removed_key_ends_with_the_sets_age() {
    let old = Signer::ec("old");
    let issuer = Issuer::of(&[&old]);
    let authorizer = asking(&issuer);
    ask(&authorizer, &old.sign(&claims())).await.unwrap();
    issuer.publish(&[&Signer::ec("new")]);
    ask_at(&authorizer, &old.sign(&claims()), now() + MAX_AGE - 2).await.unwrap();
    assert_refused(ask_at(&authorizer, &old.sign(&claims()), now() + MAX_AGE).await, Refusal::UnknownKey);
}

#[tokio::test]
async fn invented_names_do_not_load_the_issuer() {
    let key = Signer::ec("k");
    let issuer = Issuer::of(&[&key]);
    let authorizer = asking(&issuer);
    for i in 0..20 {
        let token = key.sign_as(Some(&format!("invented-{i}")), &claims());
        assert_refused(ask(&authorizer, &token).await, Refusal::UnknownKey);
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_down() {
    let key = Signer::ec("k");
    let issuer = Issuer::of(&[]);
    let authorizer = asking(&issuer);
    let token = key.sign(&claims());
    issuer.answer(503, "down");
    assert_unavailable(ask(&authorizer, &token).await);
    assert_unavailable(ask(&authorizer, &token).await);
    assert_eq!(issuer.requests(), 1, "not asked again at once");

    issuer.publish(&[&key]);
    ask_at(&authorizer, &token, now() + RETRY_INTERVAL).await.unwrap();

    issuer.answer(503, "down");
    ask_at(&authorizer, &token, now() + MAX_AGE + RETRY_INTERVAL).await.unwrap();
    assert_eq!(issuer.requests(), 3, "asked, and the old keys used on");
    let unknown = key.sign_as(Some("perhaps new"), &claims());
    assert_refused(ask_at(&authorizer, &unknown, now() + MAX_AGE + RETRY_INTERVAL).await, Refusal::UnknownKey);
    assert_unavailable(ask_at(&authorizer, &token, now() + MAX_STALENESS + 60).await);
    assert_unavailable(ask_at(&authorizer, &unknown, now() + MAX_STALENESS + 60).await);
}

#[tokio::test]
async fn a_clock_that_was_set_back() {
    let old = Signer::ec("old");
    let issuer = Issuer::of(&[&old]);
    let authorizer = asking(&issuer);
    ask_at(&authorizer, &old.sign(&claims()), now() + 10 * MAX_AGE).await.unwrap();
    issuer.publish(&[&Signer::ec("new")]);
    assert_refused(ask(&authorizer, &old.sign(&claims())).await, Refusal::UnknownKey);
}

#[tokio::test]
async fn answers_that_are_no_key_set() {
    let key = Signer::ec("k");
    let set = json!({"keys": [key.jwk()]}).to_string();
    let padding = " ".repeat(MAX_BYTES);
    let bad = [
        (200, String::new()),
        (200, "<html>".to_owned()),
        (200, "[]".to_owned()),
        (200, json!({"keys": []}).to_string()),
        (200, json!({"keys": {"k": key.jwk()}}).to_string()),
        (200, format!("{set}{padding}")),
        (301, set.clone()),
        (404, set.clone()),
    ];
    for (status, body) in bad {
        let issuer = Issuer::of(&[]);
        issuer.answer(status, body);
        assert_unavailable(ask(&asking(&issuer), &key.sign(&claims())).await);
        assert_eq!(issuer.requests(), 1, "no redirect is followed");
    }
}

/// What the log says of it is the text of this error.
#[tokio::test]
async fn nobody_listens_and_the_url_is_not_told() {
    let url = Some("http://user:hunter2@127.0.0.1:1/keys?code=hunter2");
    let Err(AuthorizeError::Unavailable(cause)) = ask(&authorizer(None, url), &Signer::ec("k").sign(&claims())).await
    else {
        panic!("nobody listens there")
    };
    assert!(!cause.to_string().contains("hunter2"), "{cause}");
}

#[tokio::test]
async fn an_issuer_that_accepts_and_says_nothing() {
    let issuer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", issuer.local_addr().unwrap());
    assert_unavailable(ask(&authorizer(None, Some(&url)), &Signer::ec("k").sign(&claims())).await);
}

#[tokio::test]
async fn secret_and_key_set_together() {
    let key = Signer::ec("k");
    let issuer = Issuer::of(&[&key]);
    let authorizer = authorizer(Some(SECRET), Some(&issuer.url()));
    ask(&authorizer, &crate::signer::hs256(SECRET.as_bytes(), &claims())).await.unwrap();
    assert_eq!(issuer.requests(), 0);
    ask(&authorizer, &key.sign(&claims())).await.unwrap();
}
