//! The REST API's Lambda proxy event.
//!
//! Paths and path parameters stay as they came, query values arrive decoded, header names as API Gateway writes them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::authorizer::lossy;
use crate::request::Received;
use crate::route::Match;

/// Headers between two hops, and the stack's own, are not the function's affair.
const NOT_PASSED_ON: [&str; 8] =
    ["connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "content-length", "proxy-connection"];

type Values = BTreeMap<String, Vec<String>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProxyEvent<'a> {
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    multi_value_headers: &'a Values,
    query_string_parameters: Option<BTreeMap<&'a str, &'a str>>,
    multi_value_query_string_parameters: Option<&'a Values>,
    path_parameters: Option<BTreeMap<&'a str, &'a str>>,
    stage_variables: Option<()>,
    request_context: Context<'a>,
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    resource_id: &'a str,
    resource_path: &'a str,
    http_method: &'a str,
    path: String,
    protocol: &'a str,
    stage: &'a str,
    request_id: &'a str,
    extended_request_id: &'a str,
    request_time: &'a str,
    request_time_epoch: u64,
    identity: Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    source_ip: &'a str,
    user_agent: Option<&'a str>,
}

/// The event of a request, as JSON.
pub(crate) fn proxy_event(
    request: &Received,
    found: &Match<'_>,
    body: &Bytes,
    authorizer: Option<&Map<String, Value>>,
) -> Vec<u8> {
    let headers = headers(request);
    let query = query(request.query.as_deref().unwrap_or_default());
    let (body, is_base64_encoded) = text(body);
    let event = ProxyEvent {
        resource: &found.route.resource,
        path: &request.path,
        http_method: &request.method,
        headers: last(&headers),
        multi_value_headers: &headers,
        query_string_parameters: (!query.is_empty()).then(|| last(&query)),
        multi_value_query_string_parameters: (!query.is_empty()).then_some(&query),
        path_parameters: path_parameters(found),
        stage_variables: None,
        request_context: context(request, found, authorizer),
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).expect("an event holds nothing that JSON cannot")
}

fn context<'a>(request: &'a Received, found: &'a Match<'_>, authorizer: Option<&'a Map<String, Value>>) -> Context<'a> {
    Context {
        account_id: crate::ACCOUNT,
        api_id: crate::API_ID,
        domain_name: request.header("host").unwrap_or("localhost"),
        resource_id: "local0",
        resource_path: &found.route.resource,
        http_method: &request.method,
        path: format!("/{}{}", request.stage, request.path),
        protocol: "HTTP/1.1",
        stage: &request.stage,
        request_id: &request.id,
        extended_request_id: &request.id,
        request_time: &request.time,
        request_time_epoch: request.time_ms,
        identity: Identity { source_ip: &request.source_ip, user_agent: request.header("user-agent") },
        authorizer,
    }
}

fn headers(request: &Received) -> Values {
    let mut values = Values::new();
    for (name, value) in passed_on(&request.headers) {
        values.entry(title_case(name)).or_default().push(value);
    }
    values.entry("X-Forwarded-For".to_owned()).or_default().push(request.source_ip.clone());
    values.entry("X-Forwarded-Proto".to_owned()).or_default().push("http".to_owned());
    values
}

fn passed_on(headers: &HeaderMap) -> impl Iterator<Item = (&str, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), lossy(value.as_bytes())))
        .filter(|(name, _)| !NOT_PASSED_ON.contains(name) && !name.starts_with("x-strata-"))
}

/// `if-none-match` is `If-None-Match` in the events of a REST API.
fn title_case(name: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

fn query(raw: &str) -> Values {
    let mut values = Values::new();
    for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
        values.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    values
}

/// The single-valued form has the last of several values.
fn last(values: &Values) -> BTreeMap<&str, &str> {
    values.iter().filter_map(|(name, values)| Some((name.as_str(), values.last()?.as_str()))).collect()
}

fn path_parameters<'a>(found: &'a Match<'_>) -> Option<BTreeMap<&'a str, &'a str>> {
    let parameters = found.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    (!found.parameters.is_empty()).then(|| parameters.collect())
}

/// The body as text; base64 when it is none. No body is null.
fn text(body: &Bytes) -> (Option<Cow<'_, str>>, bool) {
    match std::str::from_utf8(body) {
        Ok("") => (None, false),
        Ok(text) => (Some(Cow::Borrowed(text)), false),
        Err(_) => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::template::Route;
    use serde_json::json;

    fn event(uri: &str, headers: &[(&'static str, &str)], body: &'static [u8]) -> Value {
        let mut request = hyper::Request::get(uri).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let received = Received::new(&request.into_parts().0, "v1", "127.0.0.1");
        let route = Route { method: "GET".to_owned(), resource: "/cache/entries/{key+}".to_owned(), authorized: true };
        let key = received.path.trim_start_matches("/cache/entries/").to_owned();
        let found = Match { function: "entries", route: &route, parameters: vec![("key".to_owned(), key)] };
        let context = json!({ "sub": "me" });
        let event = proxy_event(&received, &found, &Bytes::from_static(body), context.as_object());
        serde_json::from_slice(&event).unwrap()
    }

    #[test]
    fn the_path_stays_raw_and_the_query_is_decoded() {
        let event = event("/v1/cache/entries/a%2Fb/../%25?x=1+2&x=%2B&y", &[], b"");
        assert_eq!(event["path"], "/cache/entries/a%2Fb/../%25");
        assert_eq!(event["requestContext"]["path"], "/v1/cache/entries/a%2Fb/../%25");
        assert_eq!(event["pathParameters"], json!({ "key": "a%2Fb/../%25" }));
        assert_eq!(event["queryStringParameters"], json!({ "x": "+", "y": "" }));
        assert_eq!(event["multiValueQueryStringParameters"], json!({ "x": ["1 2", "+"], "y": [""] }));
        assert_eq!(event["requestContext"]["authorizer"]["sub"], "me");
        assert_eq!(event["body"], Value::Null);
    }

    #[test]
    fn repeated_headers_are_all_there_and_the_stacks_own_are_not() {
        let headers = [("authorization", "a"), ("authorization", "b"), ("x-strata-pin", "p"), ("connection", "close")];
        let event = event("/v1/cache/entries/a", &headers, b"");
        assert_eq!(event["headers"]["Authorization"], "b");
        assert_eq!(event["multiValueHeaders"]["Authorization"], json!(["a", "b"]));
        assert_eq!(event["headers"].as_object().unwrap().len(), 3);
        assert_eq!(event["queryStringParameters"], Value::Null);
    }

    #[test]
    fn a_body_that_is_no_text_is_base64() {
        let text = event("/v1/cache/entries/a", &[], "é".as_bytes());
        assert_eq!((&text["body"], &text["isBase64Encoded"]), (&json!("é"), &json!(false)));
        let binary = event("/v1/cache/entries/a", &[], b"\xff\xfe");
        assert_eq!((&binary["body"], &binary["isBase64Encoded"]), (&json!("//4="), &json!(true)));
    }
}
