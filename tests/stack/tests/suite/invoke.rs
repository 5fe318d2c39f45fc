//! Lambda's Invoke API, as tools call it.

use hyper::StatusCode;
use serde_json::{Value, json};
use strata_stack::Options;

use crate::fixture::{Answer, Fixture};

/// Invokes a function with an event.
async fn invoke(fixture: &Fixture, function: &str, event: &str) -> Answer {
    let path = format!("/2015-03-31/functions/{function}/invocations");
    fixture.send("POST", &path, &[], event.to_owned()).await
}

/// An order that is in the event's body, as a gateway's event has it.
async fn order(fixture: &Fixture, order: Value) -> Answer {
    invoke(fixture, "probe", &json!({ "body": order.to_string() }).to_string()).await
}

#[tokio::test]
async fn a_function_gets_the_event_as_it_is_and_its_answer_comes_back_as_it_is() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let answer = order(&fixture, json!({ "answer": [1.0, "two"] })).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"[1.0,"two"]"#));
    assert_eq!(answer.headers.get("x-amz-function-error"), None);
    let seen = invoke(&fixture, "probe", "").await.seen();
    let seen: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(seen["event"], json!({}), "no event is an empty one");
    let policy = invoke(&fixture, "guard", r#"{"type":"TOKEN","authorizationToken":"Bearer good"}"#).await.seen();
    assert_eq!(policy["principalId"], "me");
}

#[tokio::test]
async fn what_fails_is_told_as_lambda_tells_it() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    for (wanted, kind, message) in [
        (json!({ "error": "no" }), "Probe", "no"),
        (json!({ "exit": 3 }), "Runtime.ExitError", "probe-1 crashed: exit status: 3"),
        (json!({ "sleep_ms": 60_000 }), "Sandbox.Timedout", "timed out after 2 s"),
    ] {
        let answer = order(&fixture, wanted).await;
        assert_eq!(
            (answer.status, &answer.headers["x-amz-function-error"]),
            (StatusCode::OK, &"Unhandled".parse().unwrap())
        );
        assert_eq!(answer.seen(), json!({ "errorType": kind, "errorMessage": message }));
    }
    let unknown = invoke(&fixture, "nobody", "{}").await;
    assert_eq!(
        (unknown.status, &unknown.seen()["errorType"]),
        (StatusCode::NOT_FOUND, &json!("ResourceNotFoundException"))
    );
    let too_large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    assert_eq!(invoke(&fixture, "probe", &too_large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}
