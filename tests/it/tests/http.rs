//! What HTTP asks of an API beyond its operations: packed bodies, methods that a resource does not have, pages of other
//! origins, and errors that say why.

use crate::template;
use flate2::{Compression, read::GzDecoder, read::GzEncoder, read::ZlibEncoder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use strata_it::{Answer, Api, Request, entry, patient, stack::Claims};

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    GzEncoder::new(body, Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

fn packed(request: Request, body: &[u8]) -> Request {
    request.header("content-encoding", "gzip").body(gzip(body))
}

#[tokio::test]
async fn packed_bodies_are_read() {
    let api = Api::start().await;
    let text = format!(r#"{{"n":1.50,"pad":"{}"}}"#, "é".repeat(3000));
    let body = format!(r#"{{"value":{text}}}"#);
    packed(api.put(&entry("k"), ""), body.as_bytes()).send().await.expect(201);
    assert_eq!(api.get(&entry("k")).send().await.expect(200).value(), text);
    packed(api.request("PATCH", &entry("k")), br#"{"ttl_seconds":60}"#).send().await.expect(200);
    packed(api.request("POST", "/invalidate"), br#"{"pattern":"k","dry_run":true}"#).send().await.expect(200);
    packed(api.request("POST", "/warm"), br#"{"keys":["k"]}"#).send().await.expect(202);
    packed(api.put("/config", ""), br#"{"l1_config":{"ttl_minutes":90}}"#).send().await.expect(200);
    let mut deflated = Vec::new();
    ZlibEncoder::new(&br#"{"value":2}"#[..], Compression::fast()).read_to_end(&mut deflated).unwrap();
    api.put(&entry("k"), deflated).header("content-encoding", "deflate").send().await.expect(200);
    let plain = api.put(&entry("k"), r#"{"value":1}"#).header("content-encoding", "identity");
    plain.send().await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused_by_name() {
    let api = Api::start().await;
    let put = || api.put(&entry("k"), r#"{"value":1}"#);
    for coding in ["br", "zstd", "gzip, br", "gzip, gzip", "deflate, gzip"] {
        let refused = put().header("content-encoding", coding).send().await;
        let refused = refused.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(refused.header("x-strata-container"), None, "no function was asked");
    }
    let half = gzip(br#"{"value":1}"#)[..20].to_vec();
    for (coding, body) in [("gzip", half.clone()), ("gzip", br#"{"value":1}"#.to_vec()), ("deflate", half)] {
        let refused = put().header("content-encoding", coding).body(body).send().await;
        let error = refused.expect_error(400, "INVALID_REQUEST").details()["errors"][0].take();
        assert_eq!(error["field"], "body", "{coding}");
        assert!(error["message"].as_str().unwrap().starts_with("is not gzip"), "{error}");
    }
    for (body, coding, said) in
        [(gzip(b"{}"), None, "Content-Encoding: gzip"), (gzip(&gzip(b"{}")), Some("gzip"), "packed twice")]
    {
        let request = put().body(body);
        let request = if let Some(coding) = coding { request.header("content-encoding", coding) } else { request };
        let refused = request.send().await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains(said), "{refused:?}");
    }
    // What is unpacked counts, also where it is far larger.
    for megabytes in [7, 12, 200] {
        let bomb = [br#"{"value":""#.to_vec(), vec![b' '; megabytes << 20], br#""}"#.to_vec()].concat();
        let refused = packed(put(), &bomb).send().await.expect_error(413, "ENTRY_TOO_LARGE");
        let details = refused.details();
        assert_eq!(
            (&details["max_request_bytes"], &details["max_function_bytes"]),
            (&json!(10 << 20), &json!(6 << 20))
        );
    }
}

#[tokio::test]
async fn answers_are_packed_for_who_accepts_that() {
    let api = Api::start().await;
    let put = |key: &str, bytes: usize| api.put(&entry(key), json!({"value": "x".repeat(bytes)}).to_string());
    put("small", 100).send().await.expect(201);
    put("large", 5000).send().await.expect(201);
    let ask = async |method: &str, key: &str| {
        api.request(method, &entry(key)).header("accept-encoding", "br, gzip").pin("entries-1").send().await
    };
    let plain = api.get(&entry("large")).pin("entries-1").send().await.expect(200);
    assert_eq!(plain.header("content-encoding"), None);
    let answer = ask("GET", "large").await.expect(200);
    assert_eq!((answer.header("content-encoding"), answer.header("etag")), (Some("gzip"), plain.header("etag")));
    let mut body = String::new();
    GzDecoder::new(&answer.body[..]).read_to_string(&mut body).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["value"], plain.json()["value"]);
    let head = ask("HEAD", "large").await.expect(200);
    assert_eq!((head.header("content-encoding"), head.body.len()), (Some("gzip"), 0));
    assert_eq!(ask("GET", "small").await.expect(200).header("content-encoding"), None);
}

/// The methods of each path of the template.
fn methods() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut methods: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (_, path, method) in template::routes() {
        methods.entry(path.strip_prefix("/cache").unwrap()).or_default().insert(method);
    }
    methods
}

fn allowed(answer: &Answer) -> BTreeSet<&str> {
    answer.header("allow").unwrap_or_else(|| panic!("no Allow: {answer:?}")).split(", ").collect()
}

#[tokio::test]
async fn a_method_that_a_resource_does_not_have_is_405_and_starts_nothing() {
    let api = Api::start().await;
    let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    for (path, methods) in methods() {
        let path = path.replace("{key+}", "a/b").replace("{job_id}", "j");
        for method in all.into_iter().filter(|method| !methods.contains(method)) {
            for kind in ["application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", ""] {
                let request = api.request(method, &path).anonymous().body("a=1");
                let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
                let answer = request.send().await.expect(405);
                assert_eq!(allowed(&answer), methods, "{method} {path} {kind}");
                let others =
                    ["x-strata-container", "access-control-allow-origin", "vary"].map(|name| answer.header(name));
                assert_eq!(others, [None; 3], "{method} {path}");
                if method != "HEAD" {
                    let error = answer.expect_error(405, "METHOD_NOT_ALLOWED");
                    let details = error.details()["allowed"].take();
                    let told: BTreeSet<&str> =
                        details.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
                    assert_eq!(told, methods, "{method} {path}");
                }
            }
        }
    }
    let odd = api.request("POST", &entry("k")).header("content-type", "image/png").body("x").send().await;
    odd.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    api.request("TRACE", &entry("k")).send().await.expect_error(404, "ROUTE_NOT_FOUND");
}

#[tokio::test]
async fn a_query_parameter_that_an_operation_does_not_have_is_refused_by_every_one() {
    let api = Api::start().await;
    for (path, methods) in methods() {
        let path = ["{key+}", "{job_id}", "{invalidation_id}"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, "k"));
        for method in methods.into_iter().filter(|method| *method != "OPTIONS") {
            let refused = api.request(method, &format!("{path}?dry=true")).body("{}").send().await;
            if method == "HEAD" {
                refused.expect(400);
                continue;
            }
            let error = refused.expect_error(400, "INVALID_REQUEST").details()["errors"][0].take();
            assert_eq!(error["field"], "dry", "{method} {path}");
            assert!(error["message"].as_str().unwrap().starts_with("is not a known query parameter"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_told_the_known_ones() {
    let api = Api::start().await;
    let answer = api.get("/entry/k").send().await.expect_error(404, "ROUTE_NOT_FOUND");
    let details = answer.details()["paths"].take();
    let told: BTreeSet<&str> = details.as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    let known: BTreeSet<String> =
        methods().keys().map(|path| format!("/v1/cache{}", path.replace("{key+}", "{key}"))).collect();
    assert_eq!(told, known.iter().map(String::as_str).collect());
}

#[tokio::test]
async fn a_refused_token_is_told_what_kind_of_trouble_it_is() {
    let api = Api::start().await;
    let reason = |answer: Answer| answer.expect_error(401, "UNAUTHORIZED").details()["reason"].take();
    let get = || api.get(&entry("k"));
    for request in [get().anonymous(), get().bearer("garbage"), get().bearer("a.b.c")] {
        assert_eq!(reason(request.send().await), "missing, malformed or refused");
    }
    let token = api.stack.token(Claims::default());
    let twice = get().header("authorization", format!("Bearer {token}")).send().await;
    assert_eq!(reason(twice), "malformed");
}

const PAGE: &str = "https://app.example.com";

async fn with_origins(origins: &str) -> Api {
    Api::with(patient().parameter("CorsAllowOrigins", origins)).await
}

/// The headers of an answer that CORS is about.
fn cors(answer: &Answer) -> [Option<&str>; 3] {
    ["access-control-allow-origin", "access-control-allow-credentials", "vary"].map(|name| answer.header(name))
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_read() {
    for origins in [PAGE.to_owned(), format!("http://localhost:8080,{PAGE}")] {
        let api = with_origins(&origins).await;
        let preflight = async |path: &str, origin: &str| {
            let request = api.request("OPTIONS", path).anonymous().header("origin", origin);
            request.header("access-control-request-method", "PUT").send().await.expect(204)
        };
        for (path, methods) in methods() {
            let path = path.replace("{key+}", "a/b").replace("{job_id}", "j");
            let answer = preflight(&path, PAGE).await;
            assert_eq!(cors(&answer), [Some(PAGE), None, Some("Origin")], "{path}");
            let told = answer.header("access-control-allow-methods").unwrap().split(", ").collect::<BTreeSet<_>>();
            assert_eq!(told, methods, "{path}");
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("Authorization") && headers.contains("If-None-Match"), "{headers}");
            assert_eq!(cors(&preflight(&path, "https://app.example.com.evil").await)[0], None, "{path}");
        }
        let put = api.put(&entry("k"), r#"{"value":1}"#).header("origin", PAGE).send().await.expect(201);
        assert_eq!(cors(&put), [Some(PAGE), None, Some("Origin")]);
        assert!(put.header("access-control-expose-headers").unwrap().contains("ETag"));
        let other = api.get(&entry("k")).header("origin", "https://evil").send().await.expect(200);
        assert_eq!(cors(&other), [None, None, Some("Origin")]);
        let none = api.get(&entry("k")).send().await.expect(200);
        assert_eq!(cors(&none), [None, None, Some("Origin")]);
        // What the gateway refuses by itself a page may read as well.
        for (request, status) in [
            (api.get(&entry("k")).anonymous(), 401),
            (api.get("/nowhere"), 404),
            (api.request("POST", "/status"), 405),
            (api.put(&entry("k"), "x").header("content-encoding", "br"), 415),
        ] {
            let answer = request.header("origin", PAGE).send().await.expect(status);
            assert_eq!(cors(&answer), [Some(PAGE), None, Some("Origin")], "{status}");
        }
    }
}

#[tokio::test]
async fn no_page_may_read_unless_it_is_said() {
    let api = Api::start().await;
    for (request, status) in [
        (api.request("OPTIONS", &entry("k")), 405),
        (api.get(&entry("k")), 404),
        (api.get(&entry("k")).anonymous(), 401),
        (api.get("/nowhere"), 404),
    ] {
        let answer = request.header("origin", PAGE).send().await.expect(status);
        assert_eq!(cors(&answer), [None; 3], "{status}");
    }
}
