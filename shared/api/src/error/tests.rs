#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::from_value;

/// The answer as the gateway gets it, and its body.
fn sent(error: &ApiError) -> (Value, Value) {
    let answer = serde_json::to_value(error.respond("req-1", 1_705_314_600_999)).unwrap();
    let body: String = from_value(answer["body"].clone()).unwrap();
    let body = serde_json::from_str(&body).unwrap();
    (answer, body)
}

#[test]
fn the_contract_s_shape() {
    let (key, searched) = (Key::new("customer:99999").unwrap(), Levels::ALL);
    let cache_status = Some("L1_MEMORY; fwd=uri-miss".to_owned());
    let (answer, body) = sent(&ApiError::KeyNotFound { key, searched, cache_status });
    let expected = json!({"error": {
        "code": "CACHE_KEY_NOT_FOUND",
        "message": "The specified cache key was not found",
        "details": {"key": "customer:99999", "searched_levels": ["L1_MEMORY", "L2_REDIS", "L3_DATABASE"]},
        "timestamp": "2024-01-15T10:30:00Z",
        "request_id": "req-1",
    }});
    assert_eq!(body, expected);
    assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(404), &json!(false)));
    let headers = json!({"cache-control": "no-store", "content-type": "application/json",
        "cache-status": "L1_MEMORY; fwd=uri-miss"});
    assert_eq!(answer["headers"], headers);
}

#[test]
fn problems_are_named() {
    let (_, body) = sent(&Problem::new("ttl_seconds", "must be a number").into());
    assert_eq!(body["error"]["message"], "ttl_seconds must be a number");
    let problem = json!({"field": "ttl_seconds", "message": "must be a number"});
    assert_eq!(body["error"]["details"]["errors"], json!([problem]));
    let two = vec![Problem::new("a", "is required"), Problem::new("b", "is required")];
    let two = ApiError::Invalid(two);
    assert_eq!(two.to_string(), "a is required; b is required");
    assert_eq!(sent(&two).1["error"]["details"]["errors"].as_array().unwrap().len(), 2);
}

#[test]
fn causes_are_logged_and_not_sent() {
    let cause = || std::io::Error::other("secret host\nrefused");
    for error in [
        ApiError::from(CacheError::Unavailable { level: Level::L3, cause: cause().into() }),
        ApiError::Internal(cause().into()),
    ] {
        assert_eq!(error.cause().unwrap(), "secret host refused");
        assert!(!sent(&error).0.to_string().contains("secret"));
    }
    let (answer, body) = sent(&ApiError::Unauthorized(Denial::Missing));
    assert!(!body.to_string().contains("context"));
    assert_eq!(
        (&answer["headers"]["www-authenticate"], &body["error"]["details"]["reason"]),
        (&json!("Bearer"), &json!("missing"))
    );
}

#[test]
fn what_may_be_tried_again_says_when() {
    for error in [CacheError::Contended, CacheError::Unavailable { level: Level::L3, cause: "x".into() }] {
        let (answer, body) = sent(&error.into());
        assert_eq!((&answer["statusCode"], &answer["headers"]["retry-after"]), (&json!(503), &json!("1")));
        assert_eq!(body["error"]["code"], "LEVEL_UNAVAILABLE");
    }
    assert_eq!(sent(&CacheError::PreconditionFailed.into()).0["statusCode"], 412);
}
