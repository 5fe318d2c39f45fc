//! What a request may say, who may make it, and when it is a repetition.

use super::{about, begin, fill, id_of, limited, one_key, posted, report, warm};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strata_it::{Api, patient, stack::Claims};

#[tokio::test]
async fn what_is_wrong_is_named() {
    let api = Api::with(patient().streams(false)).await;
    let keys = |count: usize, bytes: usize| (0..count).map(|i| format!("{i:0bytes$}")).collect::<Vec<_>>();
    let quoted: Vec<String> = keys(500, 3).into_iter().map(|key| key + &"\"".repeat(509)).collect();
    for (body, field, said) in [
        (json!({}), "keys", "unless patterns are given"),
        (json!({"keys": [], "patterns": []}), "keys", "at least one key"),
        (json!({"keys": "a"}), "keys", "an array of strings"),
        (json!({"keys": null, "patterns": ["a"]}), "keys", "an array of strings"),
        (json!({"keys": ["a", "", "c"]}), "keys[1]", "at least 1 byte"),
        (json!({"keys": ["a\n"]}), "keys[0]", "no control character"),
        (json!({"keys": ["k".repeat(513)]}), "keys[0]", "at most 512"),
        (json!({"keys": keys(501, 3)}), "keys", "at most 500"),
        (json!({"keys": quoted}), "keys", "at most 262144 bytes as JSON"),
        (json!({"patterns": ["a", 1]}), "patterns", "an array of strings"),
        (json!({"patterns": ["a", "b", "c", "a[b"]}), "patterns[3]", "byte 1"),
        (json!({"patterns": ["*".repeat(17)]}), "patterns[0]", "at most 16 stars"),
        (json!({"patterns": keys(51, 3)}), "patterns", "at most 50"),
        (json!({"keys": ["a"], "strategy": "SOON"}), "strategy", "EAGER, LAZY or SCHEDULED"),
        (json!({"keys": ["a"], "strategy": "eager"}), "strategy", "EAGER, LAZY or SCHEDULED"),
        (json!({"keys": ["a"], "strategy": 1}), "strategy", "a string"),
        (json!({"keys": ["a"], "batch_size": 0}), "batch_size", "1 to 1000"),
        (json!({"keys": ["a"], "batch_size": 1001}), "batch_size", "1 to 1000"),
        (json!({"keys": ["a"], "batch_size": 1.5}), "batch_size", "an integer"),
        (json!({"keys": ["a"], "max_concurrent": 0}), "max_concurrent", "1 to 100"),
        (json!({"keys": ["a"], "max_concurrent": 101}), "max_concurrent", "1 to 100"),
        (json!({"keys": ["a"], "max_concurrent": "10"}), "max_concurrent", "an integer"),
        (json!({"keys": ["a"], "run_at": "2024-01-15T10:45:00Z"}), "run_at", "unless strategy is SCHEDULED"),
        (json!({"keys": ["a"], "strategy": "SCHEDULED", "run_at": 1_705_315_500}), "run_at", "RFC 3339"),
        (json!({"keys": ["a"], "strategy": "SCHEDULED", "run_at": "tomorrow"}), "run_at", "RFC 3339"),
        (json!({"keys": ["a"], "strategy": "SCHEDULED", "run_at": "2999-01-01T00:00:00Z"}), "run_at", "a year"),
        (json!({"keys": ["a"], "batchsize": 1}), "batchsize", "batch_size"),
    ] {
        let refused = warm(&api, body.clone()).await.expect_error(400, "INVALID_REQUEST");
        let problem = &refused.details()["errors"][0];
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["message"].as_str().unwrap().contains(said), "{problem}");
    }
    let several = warm(&api, json!({"keys": [""], "patterns": [""], "batch_size": 0})).await.expect(400);
    assert_eq!(several.details()["errors"].as_array().unwrap().len(), 3, "{several:?}");
    warm(&api, json!({"keys": keys(500, 512), "patterns": keys(50, 256)})).await.expect(202);
}

#[tokio::test]
async fn the_answer_is_the_contract_s() {
    let api = Api::with(patient().streams(false)).await;
    fill(&api, 3).await;
    let accepted = warm(&api, json!({"keys": ["k:0", "a", "a"], "patterns": ["k:*"]})).await.expect(202).json();
    assert_eq!((&accepted["success"], &accepted["strategy"]), (&json!(true), &json!("EAGER")));
    assert_eq!(accepted["message"], "Cache warming initiated successfully");
    assert_eq!((&accepted["batch_size"], &accepted["max_concurrent"]), (&json!(50), &json!(10)));
    assert_eq!(accepted["estimated_keys"], 4, "{accepted}");
    assert!(accepted["warming_job_id"].as_str().unwrap().starts_with("warm_job_"), "{accepted}");
    assert!(accepted["started_at"].as_str() < accepted["estimated_completion"].as_str(), "{accepted}");
    assert_eq!(accepted.as_object().unwrap().len(), 9, "{accepted}");
    let other = json!({"keys": ["a"], "strategy": "LAZY", "batch_size": 1000, "max_concurrent": 100});
    let other = warm(&api, other).await.expect(202).json();
    assert_eq!((&other["strategy"], &other["batch_size"]), (&json!("LAZY"), &json!(1000)));
    assert_eq!((&other["max_concurrent"], &other["estimated_keys"]), (&json!(100), &json!(1)));
    assert_ne!(accepted["warming_job_id"], other["warming_job_id"]);
}

#[tokio::test]
async fn each_operation_has_its_scope_and_its_limit() {
    let api = Api::with(patient().streams(false)).await;
    let id = begin(&api, one_key()).await;
    for (request, scope, policy) in [
        (posted(&api, &one_key()), "cache:write", "\"bulk\";q=100;w=60"),
        (about(&api, "GET", &id), "cache:read", "\"read\";q=5000;w=60"),
        (about(&api, "DELETE", &id), "cache:write", "\"write\";q=1000;w=60"),
    ] {
        let others: Vec<&str> =
            ["cache:read", "cache:write", "cache:admin"].into_iter().filter(|one| *one != scope).collect();
        let refused = request.clone().bearer(&api.stack.token(Claims::with_scopes(&others))).send().await;
        assert_eq!(refused.expect_error(403, "FORBIDDEN").details()["required_scope"], scope);
        request.clone().anonymous().send().await.expect(401);
        let allowed = request.bearer(&api.stack.token(Claims::with_scopes(&[scope]))).send().await;
        assert!([200, 202].contains(&allowed.status), "{allowed:?}");
        assert_eq!(allowed.header("ratelimit-policy"), Some(policy));
    }
}

#[tokio::test]
async fn a_token_reaches_no_further_than_its_prefixes() {
    let api = Api::with(patient().streams(false)).await;
    let token = limited(&api);
    for body in [
        json!({"keys": ["mine:1", "yours:1"]}),
        json!({"keys": ["mine:1"], "patterns": ["mine:*", "m*"]}),
        json!({"patterns": ["*"]}),
    ] {
        posted(&api, &body).bearer(&token).send().await.expect_error(403, "FORBIDDEN");
    }
    let mine = posted(&api, &json!({"keys": ["mine:1"], "patterns": ["mine:*"]})).bearer(&token).send().await;
    let mine = id_of(&mine.expect(202));
    let others = begin(&api, json!({"keys": ["mine:1"], "patterns": ["yours:*"]})).await;
    for method in ["GET", "DELETE"] {
        about(&api, method, &others).bearer(&token).send().await.expect_error(404, "JOB_NOT_FOUND");
        about(&api, method, &mine).bearer(&token).send().await.expect(200);
    }
    assert_eq!(report(&api, &others).await["state"], "ready", "nobody else has cancelled it");
}

#[tokio::test]
async fn a_repetition_with_its_key_is_the_same_job() {
    let api = Api::with(patient().streams(false)).await;
    let named = |body: Value, key: &str| posted(&api, &body).header("Idempotency-Key", key).send();
    let first = named(one_key(), "a").await.expect(202);
    let again = named(one_key(), "a").await.expect(202);
    assert_eq!(first.json(), again.json());
    let at_once = join_all((0..4).map(|_| named(one_key(), "at-once"))).await;
    let at_once: BTreeSet<String> = at_once.into_iter().map(|answer| id_of(&answer.expect(202))).collect();
    assert_eq!(at_once.len(), 1, "{at_once:?}");
    let id = id_of(&first);
    assert_ne!(id_of(&named(one_key(), "b").await.expect(202)), id);
    assert_ne!(begin(&api, one_key()).await, id);
    let other = api.stack.token(Claims::default().api_key("another"));
    let others = posted(&api, &one_key()).header("Idempotency-Key", "a").bearer(&other).send().await.expect(202);
    assert_ne!(id_of(&others), id);
    let namesake = api.stack.token(Claims::default().subject("another"));
    let subject = posted(&api, &one_key()).header("Idempotency-Key", "a").bearer(&namesake).send().await.expect(202);
    assert!(![id, id_of(&others)].contains(&id_of(&subject)), "a subject is no API key");
    let refused = named(json!({"keys": ["k:1"]}), "a").await.expect_error(422, "VALIDATION_FAILED");
    assert_eq!(refused.details()["errors"][0]["field"], "Idempotency-Key");
    for key in ["", "two words", &"x".repeat(256)] {
        let refused = named(one_key(), key).await.expect_error(400, "INVALID_REQUEST");
        assert_eq!(refused.details()["errors"][0]["field"], "Idempotency-Key", "{key}");
    }
}
