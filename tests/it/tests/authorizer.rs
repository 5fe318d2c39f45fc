//! The authorizer as callers meet it: behind the gateway, which keeps its verdicts and turns its errors into answers.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use strata_it::stack::{Claims, InvokeError, Issuer, SecretsFault, SecretsManager, repository};
use strata_it::{Api, entry, patient};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Claims that the stack's authorizer accepts, with some replaced, or removed where the new value is missing.
fn claims<const N: usize>(changes: [(&str, Option<Value>); N]) -> Value {
    let issuer = Issuer::default();
    let mut claims = json!({
        "iss": issuer.issuer, "aud": issuer.audience, "sub": "alice", "exp": now() + 300, "scope": "cache:read"
    });
    let map = claims.as_object_mut().unwrap();
    for (name, value) in changes {
        map.remove(name);
        map.extend(value.map(|value| (name.to_owned(), value)));
    }
    claims
}

fn hs256(secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A token of the stack's issuer.
fn token<const N: usize>(changes: [(&str, Option<Value>); N]) -> String {
    hs256(&Issuer::default().secret, &claims(changes))
}

/// Its sample events: a token that is good, a limited one, and those that are refused.
pub const SAMPLES: [&str; 5] =
    ["authorizer_allowed", "authorizer_limited", "authorizer_expired", "authorizer_unsigned", "authorizer_no_bearer"];

async fn replay(api: &Api, case: &str) -> Result<Value, InvokeError> {
    let text = fs::read_to_string(repository().join(format!("events/{case}.json"))).unwrap();
    api.stack.invoke("authorizer", serde_json::from_str(&text).unwrap(), None).await
}

#[tokio::test]
async fn sample_events() {
    let api = Api::start().await;
    let [allowed, limited, expired, refused @ ..] = SAMPLES;
    let allowed = replay(&api, allowed).await.unwrap();
    let statement = json!([{
        "Action": "execute-api:Invoke", "Effect": "Allow",
        "Resource": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/v1/*"
    }]);
    assert_eq!(allowed["principalId"], "service-a");
    assert_eq!(allowed["policyDocument"]["Statement"], statement);
    let context = json!({
        "sub": "service-a", "exp": 4_102_444_805_u64,
        "scopes": "[\"cache:read\",\"cache:write\"]"
    });
    assert_eq!(allowed["context"], context);

    let limited = replay(&api, limited).await.unwrap();
    assert_eq!(limited["context"]["prefixes"], "[\"customer:\"]");
    assert_eq!(limited["context"]["api_key"], "key-1");

    // The functions refuse it, and say why; there is no bearer whom they could take it for.
    let expired = replay(&api, expired).await.unwrap();
    assert_eq!(
        (&expired["policyDocument"], &expired["context"]),
        (&allowed["policyDocument"], &json!({"denied": "expired"}))
    );

    for case in refused {
        match replay(&api, case).await {
            Err(InvokeError::Function { message, .. }) => assert_eq!(message, "Unauthorized", "{case}"),
            other => panic!("{case}: {other:?}"),
        }
    }
}

/// Whatever it is asked for, and also from the verdict that the gateway keeps.
#[tokio::test]
async fn an_expired_token_is_told_so() {
    let api = Api::start().await;
    let expired =
        token([("exp", Some(json!(now() - 60))), ("scope", Some(json!("cache:read cache:write cache:admin")))]);
    let path = entry("customer:1");
    for (method, path) in [
        ("GET", &*path),
        ("GET", &*path),
        ("PUT", &*path),
        ("POST", "/invalidate"),
        ("GET", "/status"),
        ("GET", "/config"),
        ("GET", "/warm"),
    ] {
        let answer = api.request(method, path).bearer(&expired).body("{}").send().await;
        let answer = answer.expect_error(401, "UNAUTHORIZED");
        assert_eq!(answer.details()["reason"], "expired", "{method} {path}");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some(r#"Bearer error="invalid_token", error_description="expired""#));
    }
}

/// The functions check `exp` again, as the gateway keeps verdicts.
#[tokio::test]
async fn leeway_holds_in_the_functions_too() {
    let api = Api::with(patient().env("JWT_LEEWAY_SECONDS", "30")).await;
    let late = token([("exp", Some(json!(now() - 10)))]);
    api.get(&entry("customer:1")).bearer(&late).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
    let too_late = token([("exp", Some(json!(now() - 40)))]);
    api.get(&entry("customer:1")).bearer(&too_late).send().await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn bad_tokens_are_401() {
    let api = Api::start().await;
    let unsigned = token([]).rsplit_once('.').unwrap().0.replacen(
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJub25lIn0",
        1,
    );
    let bad = [
        ("alg none", format!("{unsigned}.")),
        ("wrong signature", hs256("another secret of more than 32 bytes", &claims([]))),
        ("expired and for another", token([("exp", Some(json!(now() - 60))), ("aud", Some(json!("another")))])),
        (
            "expired and forged",
            hs256("another secret of more than 32 bytes", &claims([("exp", Some(json!(now() - 60)))])),
        ),
        ("no exp", token([("exp", None)])),
        ("no aud", token([("aud", None)])),
        ("wrong aud", token([("aud", Some(json!("another")))])),
        ("no iss", token([("iss", None)])),
        ("wrong iss", token([("iss", Some(json!("https://evil.example")))])),
        ("future nbf", token([("nbf", Some(json!(now() + 60)))])),
        ("future iat", token([("iat", Some(json!(now() + 60)))])),
        ("no sub", token([("sub", None)])),
        ("prefixes of the wrong type", token([("cache_key_prefixes", Some(json!("customer:")))])),
        ("garbage", "garbage".to_owned()),
        ("nothing", String::new()),
    ];
    for (what, token) in bad {
        let answer = api.get(&entry("customer:1")).bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        let answer = answer.expect_error(401, "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
    }
    api.get(&entry("customer:1")).anonymous().send().await.expect_error(401, "UNAUTHORIZED");
    let good = token([]);
    api.get(&entry("customer:1")).bearer(&good).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

/// The whole list is the authorizer's own suite; here the gateway has its say as well.
#[tokio::test]
async fn forged_tokens_are_401() {
    let api = Api::start().await;
    let key = |secret: &str| EncodingKey::from_secret(secret.as_bytes());
    let signed = |header: Header, secret: &str| jsonwebtoken::encode(&header, &claims([]), &key(secret)).unwrap();
    let good = token([]);
    let parts: Vec<&str> = good.split('.').collect();
    let of = |header: Value| format!("{}.{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()), parts[1], parts[2]);
    let evil = "http://127.0.0.1:1/jwks.json".to_owned();
    let forged = [
        ("alg NONE", of(json!({"alg": "NONE"}))),
        ("no alg", of(json!({}))),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("a stranger's header", of(json!({"alg": "HS256"}))),
        ("HS512", signed(Header::new(Algorithm::HS512), &Issuer::default().secret)),
        ("an empty secret", hs256("", &claims([]))),
        ("a kid that is a file", signed(Header { kid: Some("../../dev/null".to_owned()), ..Header::default() }, "")),
        ("a jku of its own", signed(Header { jku: Some(evil), ..Header::default() }, "mine")),
        ("crit", signed(Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() }, &Issuer::default().secret)),
        ("ES256 of zeros", of(json!({"alg": "ES256"})).replace(parts[2], &"A".repeat(86))),
        ("padding", format!("{good}=")),
        ("one character more", format!("{good}A")),
        ("one part more", format!("{good}.{}", parts[2])),
        ("a JWE", format!("{}..{}.{}.{}", parts[0], parts[1], parts[1], parts[2])),
        ("the claims alone", parts[1].to_owned()),
        ("exp as text", token([("exp", Some(json!("4102444800")))])),
        ("exp beyond numbers", token([("exp", Some(json!(1e300)))])),
        ("several issuers", token([("iss", Some(json!([Issuer::default().issuer, "https://evil.example"])))])),
        ("null for nbf", token([("nbf", Some(Value::Null))])),
        ("a long name", of(json!({"alg": "HS256", "kid": "k".repeat(4000)}))),
        ("long and nothing", "a".repeat(8000)),
    ];
    for (what, token) in forged {
        let answer = api.get(&entry("customer:1")).bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.expect_error(401, "UNAUTHORIZED");
    }
    api.get(&entry("customer:1")).bearer(&good).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
}

#[tokio::test]
async fn another_scheme_or_two_headers_are_401() {
    let api = Api::start().await;
    let good = format!("Bearer {}", token([]));
    let get = || api.get(&entry("customer:1")).anonymous();
    get().header("authorization", good.replacen("Bearer", "Basic", 1)).send().await.expect_error(401, "UNAUTHORIZED");
    get().header("authorization", format!("{good}, {good}")).send().await.expect_error(401, "UNAUTHORIZED");
    get().header("authorization", &good).header("Authorization", &good).send().await.expect_error(401, "UNAUTHORIZED");
    get().header("authorization", good.replacen("Bearer", "bEARER", 1)).send().await.expect(404);
}

#[tokio::test]
async fn what_a_token_may_not_do_is_403() {
    let api = Api::start().await;
    let (read, write) = (Claims::with_scopes(&["cache:read"]), Claims::with_scopes(&["cache:write"]));
    let put = |key: &str| api.put(&entry(key), r#"{"value":1}"#);
    put("customer:1").bearer(&api.stack.token(read.clone())).send().await.expect_error(403, "FORBIDDEN");
    api.get(&entry("customer:1")).bearer(&api.stack.token(write.clone())).send().await.expect_error(403, "FORBIDDEN");

    let limited = api.stack.token(write.clone().prefixes(&["customer:"]));
    put("customer:1").bearer(&limited).send().await.expect(201);
    put("account:1").bearer(&limited).send().await.expect_error(403, "FORBIDDEN");
    let nothing = api.stack.token(write.prefixes(&[]));
    put("customer:1").bearer(&nothing).send().await.expect_error(403, "FORBIDDEN");
    // One verdict for the whole stage, and other rights for the next route.
    let both = api.stack.token(Claims::with_scopes(&["cache:read", "cache:write"]));
    api.get(&entry("customer:1")).bearer(&both).send().await.expect(200);
    api.delete(&entry("customer:1")).bearer(&both).send().await.expect(200);
}

/// The gateway goes on using its verdict, the function does not.
#[tokio::test]
async fn a_token_does_not_outlive_itself_in_the_gateway() {
    let api = Api::with(patient().env("JWT_LEEWAY_SECONDS", "0")).await;
    // Everything is warm before the short life begins.
    api.get(&entry("customer:1")).send().await.expect(404);
    let short = api.stack.token(Claims::default().ttl_seconds(3));
    api.get(&entry("customer:1")).bearer(&short).send().await.expect(404);
    tokio::time::sleep(Duration::from_secs(4)).await;
    api.get(&entry("customer:1")).bearer(&short).send().await.expect_error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn unknown_routes_are_404() {
    let api = Api::start().await;
    for path in ["/", "/entry/x", "/status/x"] {
        for request in [api.request("POST", path), api.request("POST", path).anonymous()] {
            request.send().await.expect_error(404, "ROUTE_NOT_FOUND");
        }
    }
    for path in ["/entries/x/../../y?z", &entry("customer:1")] {
        api.request("POST", path).send().await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn tokens_stay_out_of_the_logs() {
    let api = Api::start().await;
    let (good, bad) = (token([]), token([("aud", Some(json!("another")))]));
    api.get(&entry("customer:1")).bearer(&good).send().await.expect(404);
    api.get(&entry("customer:1")).bearer(&bad).send().await.expect(401);
    let logs: String = api.stack.containers().iter().map(|container| api.stack.logs(&container.name)).collect();
    assert!(logs.contains("\"reason\":\"wrong audience\""), "{logs}");
    for secret in [&good, &bad, &Issuer::default().secret] {
        // Signature and claims; the header is everybody's.
        for part in secret.rsplit('.').take(2) {
            assert!(!logs.contains(part), "{part} in {logs}");
        }
    }
}

/// An Ed25519 key in its PKCS #8 form, made of a seed that is nobody's secret.
fn signing_key() -> EncodingKey {
    const PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    EncodingKey::from_ed_der(&[&PREFIX[..], &[7; 32]].concat())
}

/// Serves one key set on a free port until the test ends, and returns its URL.
async fn serve(jwks: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let body = jwks.to_string();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|length| length > 2) {
                line.clear();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn tokens_of_a_key_set() {
    let key = signing_key();
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::EdDSA).unwrap()).unwrap();
    jwk["kid"] = json!("key-1");
    let url = serve(json!({ "keys": [jwk] })).await;
    let api = Api::with(patient().env("JWKS_URL", &url).env("JWT_SECRET", "")).await;
    let header = Header { kid: Some("key-1".to_owned()), ..Header::new(Algorithm::EdDSA) };
    let good = jsonwebtoken::encode(&header, &claims([]), &key).unwrap();
    api.get(&entry("customer:1")).bearer(&good).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");

    let message = good.rsplit_once('.').unwrap().0;
    let zeros = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64]));
    api.get(&entry("customer:1")).bearer(&zeros).send().await.expect_error(401, "UNAUTHORIZED");
    let public_as_secret = hs256(jwk["x"].as_str().unwrap(), &claims([]));
    api.get(&entry("customer:1")).bearer(&public_as_secret).send().await.expect_error(401, "UNAUTHORIZED");
    api.get(&entry("customer:1")).bearer(&token([])).send().await.expect_error(401, "UNAUTHORIZED");
}

/// A caller with a good token must not be told to throw it away.
#[tokio::test]
async fn an_issuer_that_is_down_is_500() {
    // Nobody listens on port 1.
    let api = Api::with(patient().env("JWKS_URL", "http://127.0.0.1:1/jwks.json")).await;
    let header = Header::new(Algorithm::EdDSA);
    let token = jsonwebtoken::encode(&header, &claims([]), &signing_key()).unwrap();
    api.get(&entry("customer:1")).bearer(&token).send().await.expect_error(500, "INTERNAL_ERROR");
    let logs: String = api.stack.containers().iter().map(|container| api.stack.logs(&container.name)).collect();
    assert!(logs.contains("the issuer's keys could not be fetched"), "{logs}");
}

/// As it is deployed: the environment says where the secret is, and not what it is.
#[tokio::test]
async fn a_secret_in_secrets_manager() {
    let store = SecretsManager::start(&Issuer::default().secret).await.unwrap();
    let options =
        store.variables().into_iter().fold(patient().env("JWT_SECRET", ""), |all, (name, value)| all.env(name, value));
    let api = Api::with(options).await;
    store.set(SecretsFault::Denied);
    api.get(&entry("customer:1")).bearer(&token([])).send().await.expect_error(500, "INTERNAL_ERROR");
    store.set(SecretsFault::None);
    // Not asked again at once after a failure.
    tokio::time::sleep(Duration::from_secs(6)).await;
    api.get(&entry("customer:1")).bearer(&token([])).send().await.expect_error(404, "CACHE_KEY_NOT_FOUND");
    let forged = hs256("another secret of more than 32 bytes", &claims([]));
    api.get(&entry("customer:1")).bearer(&forged).send().await.expect_error(401, "UNAUTHORIZED");

    let logs: String = api.stack.containers().iter().map(|container| api.stack.logs(&container.name)).collect();
    assert!(logs.contains("the shared secret could not be fetched"), "{logs}");
    assert!(!logs.contains(&Issuer::default().secret), "{logs}");
}
