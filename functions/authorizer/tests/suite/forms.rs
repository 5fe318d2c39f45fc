//! Signatures and texts that are almost those of a good token.

use authorizer::refusal::Refusal;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::issuer::Issuer;
use crate::signer::{Signer, hs256, hs256_text, raw};
use crate::{SECRET, ask, assert_refused, authorizer, claims};

/// The order of P-256, big-endian (FIPS 186-5).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
/// The order of Ed25519's group, little-endian (RFC 8032).
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The token's signature.
fn signature(token: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(token.rsplit_once('.').unwrap().1).unwrap()
}

/// The token with another signature.
fn signed(token: &str, signature: &[u8]) -> String {
    format!("{}.{}", token.rsplit_once('.').unwrap().0, BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// `a - b` of two numbers, big-endian.
fn minus(a: &[u8; 32], b: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut digits: Vec<u8> = Vec::new();
    for (a, b) in a.iter().zip(b).rev() {
        let (digit, first) = a.overflowing_sub(*b);
        let (digit, second) = digit.overflowing_sub(borrow.into());
        borrow = first || second;
        digits.insert(0, digit);
    }
    digits
}

/// Adds one number to another, little-endian.
fn add(a: &mut [u8], b: &[u8; 32]) {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        *a = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

/// Fails unless every one of `forged`, made of a good signature, is refused.
async fn none_of(key: &Signer, forged: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let issuer = Issuer::of(&[key]);
    let authorizer = authorizer(None, Some(&issuer.url()));
    let token = key.sign(&claims());
    ask(&authorizer, &token).await.unwrap();
    for (number, forged) in forged(&signature(&token)).into_iter().enumerate() {
        let verdict = ask(&authorizer, &signed(&token, &forged)).await;
        assert!(verdict.is_err(), "{:?} {number}", key.algorithm);
        assert_refused(verdict, Refusal::Signature);
    }
}

/// Zeros satisfy the equation of ECDSA where nobody excludes them (CVE-2022-21449).
#[tokio::test]
async fn signatures_of_nothing() {
    for key in [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")] {
        let forged = |good: &[u8]| {
            let length = good.len();
            let mut one = vec![0; length];
            one[length - 1] = 1;
            vec![vec![], vec![0], vec![0; length], vec![0xff; length], one, vec![0; 2 * length]]
        };
        none_of(&key, forged).await;
    }
    none_of(&Signer::ec("e"), |good| {
        let zero = [0; 32];
        let (r, s, n) = (&good[..32], &good[32..], &P256_ORDER[..]);
        [[n, n], [&zero, n], [n, &zero], [&zero, s], [r, &zero]].map(|pair| pair.concat()).to_vec()
    })
    .await;
}

#[tokio::test]
async fn signatures_of_another_length_or_form() {
    for key in [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")] {
        let forged =
            |good: &[u8]| vec![[good, &[0]].concat(), [&[0], good].concat(), good[1..].to_vec(), good[..32].to_vec()];
        none_of(&key, forged).await;
    }
    let as_der = |good: &[u8]| [&[0x30, 70, 2, 33, 0], &good[..32], &[2, 33, 0], &good[32..]].concat();
    none_of(&Signer::ec("e"), |good| vec![as_der(good)]).await;
}

/// EdDSA has one signature of a text. ECDSA has two, both by who has the key: that is of use to nobody here, because
/// nothing goes by a token's signature but whether it is good.
#[tokio::test]
async fn second_signatures() {
    none_of(&Signer::ed("d"), |good| {
        let mut second = good.to_vec();
        add(&mut second[32..], &ED25519_ORDER);
        vec![second]
    })
    .await;
    let key = Signer::ec("e");
    let issuer = Issuer::of(&[&key]);
    let authorizer = authorizer(None, Some(&issuer.url()));
    let token = key.sign(&claims());
    let good = signature(&token);
    let second = [&good[..32], &minus(&P256_ORDER, &good[32..])].concat();
    let verdicts = [ask(&authorizer, &token).await.unwrap(), ask(&authorizer, &signed(&token, &second)).await.unwrap()];
    let [first, second] = verdicts.map(|policy| serde_json::to_value(policy).unwrap());
    assert_eq!(first, second);
}

async fn refused(token: &str, why: Refusal) {
    assert_refused(ask(&authorizer(Some(SECRET), None), token).await, why);
}

/// One token has one text: what is appended, or spelt otherwise, makes it another and no good one.
#[tokio::test]
async fn other_spellings() {
    let good = hs256(SECRET.as_bytes(), &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    for padding in ["=", "==", "%3D", "+", "/", "\0", "\r\n", " x"] {
        refused(&format!("{good}{padding}"), Refusal::NotBearer).await;
        refused(&format!("{header}{padding}.{payload}.{signature}"), Refusal::NotBearer).await;
    }
    // The last of 43 characters has two bits that stand for nothing.
    let last = signature.bytes().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = char::from(alphabet.as_bytes()[alphabet.bytes().position(|byte| byte == last).unwrap() + 1]);
    refused(&format!("{message}.{}{unused}", &signature[..42]), Refusal::Malformed).await;
    for more in ["A", "AA", "AAA", "AAAA"] {
        assert!(ask(&authorizer(Some(SECRET), None), &format!("{good}{more}")).await.is_err(), "{more}");
    }
    for parts in [format!("{good}."), format!(".{good}"), format!("{good}.{signature}"), format!("{header}.{good}")] {
        refused(&parts, Refusal::Malformed).await;
    }
    refused(&format!("{header}..{signature}"), Refusal::Signature).await;
}

/// What is no signed JWT, though it looks like one or is of the same family.
#[tokio::test]
async fn other_objects() {
    let good = hs256(SECRET.as_bytes(), &claims());
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for header in [r#"{"alg":"dir","enc":"A256GCM"}"#, r#"{"alg":"HS256","enc":"A256GCM"}"#] {
        refused(&format!("{}..{}.{}.{}", part(header), part("iv"), part("text"), part("tag")), Refusal::Malformed)
            .await;
        refused(&format!("{}.{good}.{}", part(header), part("tag")), Refusal::Malformed).await;
    }
    let parts: Vec<&str> = good.split('.').collect();
    let json = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    refused(&json, Refusal::NotBearer).await;
    refused(&part(&json), Refusal::Malformed).await;
    let nested = r#"{"alg":"HS256","cty":"JWT"}"#;
    refused(&hs256_text(SECRET.as_bytes(), nested, &good), Refusal::Claims).await;
    refused(&hs256_text(SECRET.as_bytes(), nested, &json!(good).to_string()), Refusal::Claims).await;
}

#[tokio::test]
async fn endless_tokens() {
    let long = "a".repeat(5 << 20);
    refused(&long, Refusal::Malformed).await;
    refused(&".".repeat(5 << 20), Refusal::Malformed).await;
    refused(&format!("{long}.{long}.{long}"), Refusal::Malformed).await;
    refused(&raw(&json!({"alg": "HS256", "kid": long}), &json!({"sub": long}), &long), Refusal::Signature).await;
    let deep = format!(r#"{{"alg":"HS256","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    refused(&hs256_text(SECRET.as_bytes(), &deep, &claims().to_string()), Refusal::Malformed).await;
}
