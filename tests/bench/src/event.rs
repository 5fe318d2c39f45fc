//! Events as API Gateway sends them to a function behind the authorizer.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use strata_cache::Level;

/// The key of events that are all for one entry.
pub const KEY: &str = "customer:12345";

/// A PUT of one record.
pub fn put(key: &str) -> String {
    put_text(key, &crate::corpus::record(1).to_string())
}

/// A PUT of any JSON text.
pub fn put_text(key: &str, text: &str) -> String {
    event("PUT", key, Some(format!(r#"{{"value":{text},"tags":["customer","active"]}}"#)))
}

/// A PUT of any JSON text, without tags.
pub fn put_untagged(key: &str, text: &str) -> String {
    event("PUT", key, Some(format!(r#"{{"value":{text}}}"#)))
}

/// A PUT of one record into one level alone.
pub fn put_into(key: &str, level: Level) -> String {
    let body = json!({ "value": crate::corpus::record(1), "cache_levels": [level.name()] });
    event("PUT", key, Some(body.to_string()))
}

/// A DELETE.
pub fn delete(key: &str) -> String {
    event("DELETE", key, None)
}

/// A POST to something that is no entry.
pub fn post(resource: &str, body: &Value) -> String {
    proxied("POST", resource, resource, Value::Null, Some(body.to_string()))
}

/// A GET of a job.
pub fn get_job(id: &str) -> String {
    proxied("GET", "/cache/warm/{job_id}", &format!("/cache/warm/{id}"), json!({ "job_id": id }), None)
}

/// What the stream of the control table calls the warmer with when there is work of a job.
pub fn of_job(id: &str) -> String {
    json!({"Records": [{"eventSource": "aws:dynamodb", "eventName": "MODIFY", "dynamodb": {
        "SequenceNumber": "1", "Keys": {"pk": {"S": format!("job#{id}")}, "sk": {"S": "-"}},
    }}]})
    .to_string()
}

/// A GET.
pub fn get(key: &str) -> String {
    event("GET", key, None)
}

/// The same event with one more header.
pub fn with_header(event: &str, name: &str, value: &str) -> String {
    let mut event: Value = serde_json::from_str(event).expect("an event is JSON");
    event["headers"][name] = json!(value);
    event["multiValueHeaders"][name] = json!([value]);
    event.to_string()
}

/// A GET of something that is no entry.
pub fn of_resource(resource: &str) -> String {
    proxied("GET", resource, resource, Value::Null, None)
}

fn event(method: &str, key: &str, body: Option<String>) -> String {
    proxied(method, "/cache/entries/{key+}", &format!("/cache/entries/{key}"), json!({ "key": key }), body)
}

fn proxied(method: &str, resource: &str, path: &str, parameters: Value, body: Option<String>) -> String {
    let headers = json!({
        "Accept": "*/*",
        "Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
        "User-Agent": "curl/8.5.0",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    });
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "multiValueHeaders": each_in_a_list(&headers),
        "headers": headers,
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": parameters,
        "stageVariables": null,
        "requestContext": context(method, resource, path),
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

fn each_in_a_list(headers: &Value) -> Value {
    let headers = headers.as_object().into_iter().flatten();
    headers.map(|(name, value)| (name.clone(), json!([value]))).collect()
}

fn context(method: &str, resource: &str, path: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "accountId": "123456789012",
        "apiId": "abcdefghij",
        "authorizer": {
            "principalId": "bench",
            "sub": "bench",
            "api_key": "bench",
            "exp": (now.as_secs() + 86_400).to_string(),
            "scopes": r#"["cache:read","cache:write"]"#,
        },
        "domainName": "abcdefghij.execute-api.eu-central-1.amazonaws.com",
        "httpMethod": method,
        "identity": { "sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0" },
        "path": format!("/v1{path}"),
        "protocol": "HTTP/1.1",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "requestTimeEpoch": now.as_millis() as u64,
        "resourceId": "123456",
        "resourcePath": resource,
        "stage": "v1",
    })
}
