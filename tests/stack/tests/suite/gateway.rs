//! What API Gateway does.

use hyper::StatusCode;
use serde_json::json;
use strata_stack::{L3Fault, Options};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_request_reaches_the_function_as_api_gateway_would_send_it() {
    let fixture = Fixture::start(Options::default().env("EXTRA", "1").coherence_window_ms(5)).await;
    let answer = fixture.get("/v1/cache/a%2Fb/../c?x=1%2B1").await;
    assert_eq!((answer.status, answer.headers["x-probe"].to_str().unwrap()), (StatusCode::OK, "1"));
    let seen = answer.seen();
    let event = &seen["event"];
    assert_eq!(event["resource"], "/cache/{key+}");
    assert_eq!(event["pathParameters"], json!({ "key": "a%2Fb/../c" }));
    assert_eq!(event["queryStringParameters"], json!({ "x": "1+1" }));
    assert_eq!(event["requestContext"]["authorizer"], json!({ "principalId": "me", "sub": "me", "exp": "17" }));
    assert_eq!(event["requestContext"]["requestId"], answer.headers["x-amzn-requestid"].to_str().unwrap());

    let environment = &seen["environment"];
    assert_eq!([&environment["FROM_GLOBALS"], &environment["EXTRA"]], ["yes", "1"]);
    assert_eq!([&environment["TABLE_NAME"], &environment["CONTROL_TABLE_NAME"]], ["cache_entries", "cache_control"]);
    assert_eq!(environment.get("COHERENCE_WINDOW_MS"), None, "the template does not declare it");
    assert_eq!(environment.get("CARGO"), None, "nothing of the stack's own environment");
    fixture.stack.shutdown().await;
}

#[tokio::test]
async fn the_gateway_answers_itself_where_no_function_is_asked() {
    let fixture = Fixture::start(Options::default()).await;
    let good = [("authorization", "Bearer good")];
    for (method, path) in
        [("GET", "/v1/nothing"), ("HEAD", "/v1/cache/a"), ("OPTIONS", "/v1/cache/a"), ("GET", "/cache/a")]
    {
        let answer = fixture.send(method, path, &good, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let unknown = fixture.get("/v2/cache/a").await;
    let id = unknown.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(unknown.seen(), json!({ "error": "Missing Authentication Token", "id": id }));

    let too_large = vec![b'x'; 10 * 1024 * 1024 + 1];
    assert_eq!(fixture.send("PUT", "/v1/cache/a", &good, too_large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let too_large_for_lambda = vec![b'x'; 6 * 1024 * 1024];
    let answer = fixture.send("PUT", "/v1/cache/a", &good, too_large_for_lambda).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fixture.order(json!({ "length": 6_400_000 })).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(fixture.order(json!({ "length": 6_000_000 })).await.body.len(), 6_000_000);
    assert_eq!(fixture.order(json!({ "answer": { "statusCode": "200" } })).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(fixture.pinned("probe-9").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_authorizer_is_asked_once_per_token_and_its_refusals_have_their_status() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let send = async |token: &str| fixture.send("GET", "/v1/cache/a", &[("authorization", token)], "").await.status;
    assert_eq!(fixture.send("GET", "/v1/cache/a", &[], "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.pid("guard-1"), None, "nobody asked it yet");
    for (token, status) in [
        ("", StatusCode::UNAUTHORIZED),
        ("Bearer bad", StatusCode::UNAUTHORIZED),
        ("Bearer denied", StatusCode::FORBIDDEN),
        ("Bearer broken", StatusCode::INTERNAL_SERVER_ERROR),
        ("Bearer odd", StatusCode::INTERNAL_SERVER_ERROR),
        ("Bearer good", StatusCode::OK),
    ] {
        assert_eq!(send(token).await, status, "{token}");
    }
    let asked = || fixture.stack.logs("guard-1").matches("authorizing").count();
    assert_eq!(asked(), 5);
    assert_eq!(send("Bearer good").await, StatusCode::OK);
    assert_eq!(send("Bearer denied").await, StatusCode::FORBIDDEN);
    assert_eq!(asked(), 5);
    assert_eq!(send("Bearer good too").await, StatusCode::OK);
    assert_eq!(asked(), 6);
    let open = fixture.send("GET", "/v1/open", &[], "").await.seen();
    assert_eq!(open["event"]["requestContext"].get("authorizer"), None);
}

#[tokio::test]
async fn faults_can_be_set_over_http() {
    let fixture = Fixture::start(Options::default()).await;
    let order = json!({ "redis": { "container": "probe-1", "fault": "cut" }, "l3": { "fault": "stopped" } });
    let answer = fixture.send("POST", "/_strata/faults", &[], order.to_string()).await.seen();
    assert_eq!(answer["redis"]["probe-1"], json!({ "fault": "cut" }));
    assert_eq!(answer["redis"]["probe-2"], json!({ "fault": "none" }));
    assert_eq!(fixture.stack.l3().fault(), L3Fault::Stopped);
    assert_eq!(fixture.send("GET", "/_strata/faults", &[], "").await.seen(), answer);
}
