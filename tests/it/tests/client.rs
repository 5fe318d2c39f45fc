//! The client crate, against the running system.

use crate::support::{eventually, put};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, time::Duration};
use strata_client::{Client, Code, Error, Retry, Selector, Token};
use strata_it::{
    Api, entry, patient,
    stack::{Claims, L3Fault, repository},
};

mod examples;
mod fill;

/// A client with a token that has all scopes.
pub fn client(api: &Api) -> Client {
    Client::new(api.stack.url(), api.stack.token(Claims::default())).unwrap()
}

/// One that waits for a level as long as it takes.
fn stubborn(api: &Api) -> Client {
    let retry = Retry { times: 1_000, patience: Duration::from_secs(100) };
    Client::builder(api.stack.url(), api.stack.token(Claims::default())).retry(retry).build().unwrap()
}

/// Answers 503 of a container so far.
fn unavailable(api: &Api) -> usize {
    let logs = ["entries-1", "entries-2"].map(|container| api.stack.logs(container)).concat();
    logs.lines().filter(|line| line.contains("\"status\":503")).count()
}

#[tokio::test]
async fn every_byte_of_a_value_comes_back() {
    let api = Api::start().await;
    let client = client(&api);
    let text = r#"{"b":1.00,"a":[1e400,"ü\u00e9\/"],"a":12345678901234567890}"#;
    let value = serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    for key in ["plain", "a/../b", "..", "%2e%2e", "a b+c?d#e&f=g", "日本/ключ", "\\"] {
        client.put(key, &value).await.unwrap();
        assert_eq!(client.get(key).fresh().await.unwrap().unwrap().value.get(), text, "{key}");
        assert_eq!(client.delete(key).await.unwrap().unwrap().key, key);
    }
}

/// The members of all objects in a document, by their paths.
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members_of) => {
            for (name, value) in members_of {
                found.insert(format!("{path}.{name}"));
                members(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, path, found)),
        _ => {}
    }
}

#[track_caller]
fn assert_nothing_is_lost(raw: &Value, typed: &impl serde::Serialize) {
    let [mut expected, mut kept] = [BTreeSet::new(), BTreeSet::new()];
    members(raw, "", &mut expected);
    members(&serde_json::to_value(typed).unwrap(), "", &mut kept);
    assert!(!expected.is_empty());
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn answers_have_all_that_the_api_says() {
    let api = Api::start().await;
    let client = client(&api);
    let body = json!({"value": {"x": 1}, "tags": ["t"], "ttl_seconds": 60}).to_string();
    let raw = api.put(&entry("k"), body).send().await.expect(201).json();
    assert_nothing_is_lost(&raw, &client.put("k", &json!({"x": 1})).tags(["t"]).await.unwrap());
    let raw = api.get(&entry("k")).send().await.expect(200).json();
    assert_nothing_is_lost(&raw, &client.get("k").await.unwrap().unwrap());

    let body = json!({"tags": ["t"], "dry_run": true, "reason": "r"}).to_string();
    let raw = api.request("POST", "/invalidate").body(body).send().await.expect(200).json();
    let would = client.invalidate(Selector::tags(["t"])).dry_run().reason("r").await.unwrap();
    assert_nothing_is_lost(&raw, &would);
    assert_eq!(would.sample_keys, Some(vec!["k".to_owned()]));

    let warm = json!({"keys": ["k"]}).to_string();
    let raw = api.request("POST", "/warm").body(warm).send().await.expect(202).json();
    let accepted = client.warm().keys(["k"]).await.unwrap();
    assert_nothing_is_lost(&raw, &accepted);
    eventually("the job", async || client.job(&accepted.warming_job_id).await.unwrap().state.is_over()).await;
    let raw = api.get(&format!("/warm/{}", accepted.warming_job_id)).send().await.expect(200).json();
    assert_nothing_is_lost(&raw, &client.job(&accepted.warming_job_id).await.unwrap());

    client.update_config().set("l1_config.ttl_minutes", 59).await.unwrap();
    client.invalidate(Selector::pattern("nothing:*")).reason("r").await.unwrap();
    let raw = api.get("/journal").send().await.expect(200).json();
    let journal = client.journal().await.unwrap();
    assert_nothing_is_lost(&raw, &journal);
    assert!(journal.mutations.iter().any(|mutation| mutation.changes.is_some()));

    let raw = api.get("/explain?key=absent").send().await.expect(200).json();
    assert_nothing_is_lost(&raw, &client.explain("absent").await.unwrap());
    let raw = api.get("/status?history=1").send().await.expect(200).json();
    assert_nothing_is_lost(&raw, &client.status().history(1).await.unwrap());
    let raw = api.get("/config").send().await.expect(200).json();
    let config = client.config().await.unwrap();
    assert_nothing_is_lost(&raw, &config.document);
    assert_eq!(config.field("l1_config.ttl_minutes"), Some(&json!(59)));
    assert!(config.fields().iter().all(|(path, value)| config.field(path) == Some(value)));
}

#[tokio::test]
async fn errors_have_the_contracts_code_and_the_request_id() {
    let api = Api::start().await;
    let all = client(&api);
    let refused = all.put("k", &1).ttl(Duration::ZERO).await.unwrap_err();
    assert_eq!(refused.code(), Some(&Code::InvalidRequest));
    assert_eq!(refused.api().unwrap().details["errors"][0]["field"], "ttl_seconds");
    assert!(refused.to_string().contains("ttl_seconds") && !refused.may_have_happened(), "{refused}");
    let id = refused.request_id().unwrap();
    assert!(["entries-1", "entries-2"].iter().any(|container| api.stack.logs(container).contains(id)));

    let reader = Client::new(
        api.stack.url(),
        api.stack.token(Claims { scopes: vec!["cache:read".to_owned()], ..Claims::default() }),
    )
    .unwrap();
    assert_eq!(reader.put("k", &1).await.unwrap_err().code(), Some(&Code::Forbidden));
    let stranger = Client::new(api.stack.url(), "nobody").unwrap();
    assert_eq!(stranger.get("k").await.unwrap_err().code(), Some(&Code::Unauthorized));
    // The token is asked for each time.
    let token = api.stack.token(Claims::default());
    let asked = Client::new(api.stack.url(), Token::from_fn(move || token.clone())).unwrap();
    assert!(asked.get("k").await.unwrap().is_none());
    assert!(!format!("{asked:?}").contains("eyJ"), "{asked:?}");
}

#[tokio::test]
async fn a_limit_is_waited_for_only_as_long_as_there_is_patience() {
    let api = Api::with(patient().env("RATE_LIMIT_CONFIG", "2")).await;
    let client = client(&api);
    client.config().await.unwrap();
    client.config().await.unwrap();
    let refused = client.config().await.unwrap_err();
    assert_eq!(refused.code(), Some(&Code::RateLimited));
    assert!(refused.retry_after().is_some_and(|after| after > Duration::from_secs(5)), "{refused:?}");
    assert!(!refused.may_have_happened());
}

#[tokio::test]
async fn what_is_unavailable_is_read_again_and_not_stored_again() {
    let api = Api::start().await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.l3().set(L3Fault::Stopped).await;
    let client = stubborn(&api);

    let before = unavailable(&api);
    let refused = client.put("k", &2).await.unwrap_err();
    assert_eq!(refused.code(), Some(&Code::LevelUnavailable));
    assert!(refused.may_have_happened());
    eventually("the log", async || unavailable(&api) > before).await;
    assert_eq!(unavailable(&api), before + 1, "sent once");

    let back = async {
        eventually("reads", async || unavailable(&api) >= before + 4).await;
        api.stack.l3().set(L3Fault::Ok).await;
    };
    let (read, ()) = tokio::join!(client.get("unknown"), back);
    assert!(read.unwrap().is_none());

    api.stack.l3().set(L3Fault::Stopped).await;
    let before = unavailable(&api);
    let back = async {
        eventually("stores", async || unavailable(&api) >= before + 3).await;
        api.stack.l3().set(L3Fault::Ok).await;
    };
    let (stored, ()) = tokio::join!(client.put("k", &3).repeat(), back);
    assert_eq!(stored.unwrap().key, "k");
    assert_eq!(client.get("k").fresh().await.unwrap().unwrap().value.get(), "3");
}

#[tokio::test]
async fn what_is_never_sent_is_told_from_what_is_not_answered() {
    // Nobody listens here.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Client::new(format!("http://{free}/v1/cache"), "t").unwrap();
    let error = nobody.put("k", &1).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)) && !error.may_have_happened(), "{error:?}");

    // Somebody listens and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/cache", silent.local_addr().unwrap());
    let waiting = Client::builder(url, "t").timeout(Duration::from_millis(50)).build().unwrap();
    let error = waiting.put("k", &1).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)) && error.may_have_happened(), "{error:?}");
}

#[test]
fn a_token_is_not_sent_in_clear_text_over_a_network() {
    for url in ["http://cache.example/v1/cache", "ftp://x/", "cache", "https://u:p@x/", "https://x/?a=b"] {
        assert!(matches!(Client::new(url, "t"), Err(Error::Invalid(_))), "{url}");
    }
    for url in ["https://cache.example/v1/cache", "http://127.0.0.1:1/v1/cache/", "http://localhost/", "http://[::1]/"]
    {
        assert!(Client::new(url, "t").is_ok(), "{url}");
    }
    assert!(Client::builder("http://cache.example/", "t").allow_plain_http(true).build().is_ok());
}

#[tokio::test]
async fn every_example_of_the_documentation_works() {
    let folder = repository().join("shared/client/examples");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files: BTreeSet<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let api = Api::start().await;
    let run = examples::run(&api).await;
    assert_eq!(run.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), files);
}
