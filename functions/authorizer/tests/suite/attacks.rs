//! Tokens that must not get in, and why.

use authorizer::refusal::Refusal;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::signer::{Signer, hs256, hs256_text, raw, rsa_public_pem};
use crate::{SECRET, ask, assert_refused, authorizer, claims, claims_with, now};

async fn refused(token: &str, why: Refusal) {
    assert_refused(ask(&authorizer(Some(SECRET), None), token).await, why);
}

/// Refused in spite of the good signature.
async fn refused_header(header: &str, why: Refusal) {
    refused(&hs256_text(SECRET.as_bytes(), header, &claims().to_string()), why).await;
}

async fn refused_claims<const N: usize>(changes: [(&str, Option<Value>); N], why: Refusal) {
    refused(&hs256(SECRET.as_bytes(), &claims_with(changes)), why).await;
}

#[tokio::test]
async fn a_good_token_gets_in() {
    let policy = ask(&authorizer(Some(SECRET), None), &hs256(SECRET.as_bytes(), &claims())).await.unwrap();
    assert_eq!(policy.resource(), "arn:aws:execute-api:eu-central-1:123456789012:abc123/v1/*");
    assert_eq!(policy.principal_id, "alice");
}

#[tokio::test]
async fn no_algorithm() {
    for alg in ["none", "None", "NONE", "nOnE", "", " none", "none\0", "hs256", "HS256 ", "HS256\0"] {
        let header = json!({"alg": alg, "typ": "JWT"});
        refused(&raw(&header, &claims(), ""), Refusal::Malformed).await;
        refused(&raw(&header, &claims(), "c2lnbmVk"), Refusal::Malformed).await;
        refused_header(&header.to_string(), Refusal::Malformed).await;
    }
    for header in
        [r#"{"\u0061lg":"none"}"#, "{}", r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":0}"#, r#""HS256""#]
    {
        refused_header(header, Refusal::Malformed).await;
    }
}

#[tokio::test]
async fn wrong_signature() {
    refused(&hs256(b"another secret of more than 32 bytes", &claims()), Refusal::Signature).await;
    refused(&hs256(b"", &claims()), Refusal::Signature).await;
    let signed = hs256(SECRET.as_bytes(), &claims());
    let (message, signature) = signed.rsplit_once('.').unwrap();
    refused(&format!("{message}."), Refusal::Signature).await;
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    refused(&format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes)), Refusal::Signature).await;
    refused(&format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes[..16])), Refusal::Signature).await;
}

#[tokio::test]
async fn claims_exchanged_under_a_good_signature() {
    let signed = hs256(SECRET.as_bytes(), &claims());
    let mut parts = signed.split('.');
    let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
    let root = BASE64_URL_SAFE_NO_PAD.encode(claims_with([("sub", Some(json!("root")))]).to_string());
    refused(&format!("{header}.{root}.{signature}"), Refusal::Signature).await;
}

#[tokio::test]
async fn other_algorithms_of_the_same_secret() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(algorithm), &claims(), &key).unwrap();
        refused(&token, Refusal::Algorithm).await;
    }
}

/// The public key is public, so HMAC with it as the secret is anyone's signature.
#[tokio::test]
async fn hmac_with_the_public_key() {
    let rsa = Signer::rsa("rsa-1");
    let issuer = Issuer::of(&[&rsa]);
    let (pem, jwk) = (rsa_public_pem(), rsa.jwk());
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [pem, pem.trim_end(), &pem.replace('\n', "\r\n"), modulus, &jwk.to_string()].map(str::to_owned);
    for secret in secrets {
        for kid in [None, Some("rsa-1")] {
            let header = Header { kid: kid.map(str::to_owned), ..Header::default() };
            let token = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap();
            assert_refused(ask(&authorizer(None, Some(&issuer.url())), &token).await, Refusal::Algorithm);
            assert_refused(ask(&authorizer(Some(SECRET), Some(&issuer.url())), &token).await, Refusal::Signature);
        }
    }
    assert_eq!(issuer.requests(), 0, "an HS256 token has nothing to ask the issuer for");
}

#[tokio::test]
async fn keys_that_the_token_brings_along() {
    let mine = Signer::ec("mine");
    let issuer = Issuer::of(&[&Signer::ec("theirs")]);
    let authorizer = authorizer(None, Some(&issuer.url()));
    let evil = Issuer::of(&[&mine]);
    let honest = Header { kid: Some("theirs".to_owned()), ..Header::new(Algorithm::ES256) };
    let jwk: Option<Jwk> = serde_json::from_value(mine.jwk()).unwrap();
    let der = rsa_public_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let headers = [
        Header { jwk: jwk.clone(), ..honest.clone() },
        Header { jwk, kid: None, ..honest.clone() },
        Header { jku: Some(evil.url()), ..honest.clone() },
        Header { x5u: Some(evil.url()), ..honest.clone() },
        Header { x5c: Some(vec![der]), ..honest },
    ];
    for header in headers {
        assert_refused(ask(&authorizer, &mine.sign_with(header, &claims())).await, Refusal::Signature);
    }
    assert_eq!(evil.requests(), 0);
}

/// The name of a key is looked up in a list, and nowhere else.
#[tokio::test]
async fn names_of_keys_that_mean_something_elsewhere() {
    let mine = Signer::ec("mine");
    let issuer = Issuer::of(&[&Signer::ec("theirs")]);
    let authorizer = authorizer(Some(SECRET), Some(&issuer.url()));
    let long = "k".repeat(100_000);
    let evil = issuer.url();
    for kid in ["../../../../dev/null", "file:///dev/null", "' UNION SELECT '' --", "|sleep 9", "\0", "", &evil, &long]
    {
        assert_refused(ask(&authorizer, &mine.sign_as(Some(kid), &claims())).await, Refusal::UnknownKey);
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        let empty = hs256_text(b"", &header, &claims().to_string());
        assert_refused(ask(&authorizer, &empty).await, Refusal::Signature);
    }
    assert_eq!(issuer.requests(), 1);
    for kid in [json!(null), json!(1), json!(["theirs"]), json!({"theirs": 1})] {
        let token = raw(&json!({"alg": "ES256", "kid": kid}), &claims(), "c2lnbmVk");
        assert!(ask(&authorizer, &token).await.is_err(), "{kid}");
    }
}

#[tokio::test]
async fn an_extension_that_must_be_understood() {
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    refused(&raw(&header, &claims(), "c2lnbmVk"), Refusal::CriticalHeader).await;
    refused_header(&header.to_string(), Refusal::CriticalHeader).await;
    refused_header(r#"{"alg":"HS256","crit":[]}"#, Refusal::CriticalHeader).await;
    refused_header(r#"{"alg":"HS256","crit":["exp"]}"#, Refusal::CriticalHeader).await;
    refused_header(r#"{"alg":"HS256","crit":"exp"}"#, Refusal::Malformed).await;
    // Claims that are not encoded (RFC 7797) would be read as what they are signed as.
    let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","b64":false}"#), claims());
    refused(&format!("{message}.c2lnbmVk"), Refusal::NotBearer).await;
}

#[tokio::test]
async fn time() {
    refused_claims([("exp", Some(json!(now() - 60)))], Refusal::Expired).await;
    refused_claims([("exp", Some(json!(now() - 6)))], Refusal::Expired).await;
    refused_claims([("exp", Some(json!(0)))], Refusal::Expired).await;
    // Nobody is told that a token has expired unless it was good.
    for (name, value, why) in [
        ("iss", json!("https://evil.example"), Refusal::Issuer),
        ("aud", json!("another"), Refusal::Audience),
        ("sub", json!(""), Refusal::Claims),
        ("nbf", json!(now() + 60), Refusal::NotYetValid),
        ("cache_key_prefixes", json!("a:"), Refusal::Claims),
    ] {
        refused_claims([("exp", Some(json!(now() - 60))), (name, Some(value))], why).await;
    }
    let stale = claims_with([("exp", Some(json!(now() - 60)))]);
    refused(&hs256(b"another secret of more than 32 bytes", &stale), Refusal::Signature).await;
    refused_claims([("nbf", Some(json!(now() + 60)))], Refusal::NotYetValid).await;
    refused_claims([("iat", Some(json!(now() + 60)))], Refusal::NotYetValid).await;
    refused_claims([("exp", None)], Refusal::Claims).await;
    for bad in [
        json!("2099-01-01"),
        json!("4102444800"),
        json!(null),
        json!(-1),
        json!(1e300),
        json!([4102444800u64]),
        json!(true),
    ] {
        refused_claims([("exp", Some(bad))], Refusal::Claims).await;
    }
    for bad in [json!("0"), json!([0]), json!({}), json!(null), json!(false)] {
        refused_claims([("nbf", Some(bad.clone()))], Refusal::Claims).await;
        refused_claims([("iat", Some(bad))], Refusal::Claims).await;
    }
}

#[tokio::test]
async fn audience() {
    refused_claims([("aud", None)], Refusal::Claims).await;
    refused_claims([("aud", Some(json!("another")))], Refusal::Audience).await;
    refused_claims([("aud", Some(json!(["another", "strata2"])))], Refusal::Audience).await;
    refused_claims([("aud", Some(json!([])))], Refusal::Audience).await;
    for bad in [json!(null), json!(1), json!({"strata": 1}), json!([["strata"]])] {
        refused_claims([("aud", Some(bad))], Refusal::Claims).await;
    }
}

#[tokio::test]
async fn issuer() {
    refused_claims([("iss", None)], Refusal::Claims).await;
    refused_claims([("iss", Some(json!("https://issuer.example/")))], Refusal::Issuer).await;
    refused_claims([("iss", Some(json!("https://evil.example")))], Refusal::Issuer).await;
    for bad in [json!([crate::ISSUER]), json!([crate::ISSUER, "https://evil.example"]), json!(null), json!(1)] {
        refused_claims([("iss", Some(bad))], Refusal::Claims).await;
    }
}

#[tokio::test]
async fn subject() {
    for bad in [None, Some(json!("")), Some(json!(null)), Some(json!(7)), Some(json!(["alice"]))] {
        refused_claims([("sub", bad)], Refusal::Claims).await;
    }
}

/// What one parser takes first, another may take last.
#[tokio::test]
async fn a_claim_twice() {
    let mut all = claims_with([("nbf", Some(json!(0))), ("api_key", Some(json!("key")))]);
    all["scopes"] = json!([]);
    all["cache_key_prefixes"] = json!(["customer:"]);
    for (name, value) in all.as_object().unwrap() {
        let text = all.to_string().replacen('{', &format!("{{{}:{value},", json!(name)), 1);
        let token = hs256_text(SECRET.as_bytes(), r#"{"alg":"HS256"}"#, &text);
        refused(&token, Refusal::Claims).await;
    }
    refused_header(r#"{"alg":"HS256","alg":"none"}"#, Refusal::Malformed).await;
    refused_header(r#"{"alg":"none","alg":"HS256"}"#, Refusal::Malformed).await;
    refused_header(r#"{"alg":"HS256","kid":"a","kid":"b"}"#, Refusal::Malformed).await;
}

#[tokio::test]
async fn garbage() {
    for text in ["a", "a.b", "a.b.c", "...", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.."] {
        let verdict = ask(&authorizer(Some(SECRET), None), text).await;
        assert!(verdict.is_err(), "{text}");
    }
    refused("a.b.c", Refusal::Malformed).await;
    refused("", Refusal::NotBearer).await;
    let signed = hs256(SECRET.as_bytes(), &claims());
    refused(&format!("{signed} {signed}"), Refusal::NotBearer).await;
    refused(&format!("{signed},Bearer {signed}"), Refusal::NotBearer).await;
    refused(&hs256(SECRET.as_bytes(), &json!("not an object")), Refusal::Claims).await;
    refused(&hs256(SECRET.as_bytes(), &json!([claims()])), Refusal::Claims).await;
}
