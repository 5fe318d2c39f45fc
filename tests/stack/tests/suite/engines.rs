//! Redis, DynamoDB, and the ways to them.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use strata_stack::{ALL, L3Fault, L3Store, OUTSIDE, Options, Redis, RedisEngine, Refusal};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::Fixture;

/// Redis' reply to a command, or an error when it does not answer within a second.
async fn redis_says(address: &str, command: &str) -> io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut reply = [0; 64];
        let length = stream.read(&mut reply).await?;
        Ok(String::from_utf8_lossy(&reply[..length]).trim_end().to_owned())
    };
    timeout(Duration::from_secs(1), exchange).await?
}

#[tokio::test]
async fn each_container_has_its_own_way_to_redis() {
    let fixture = Fixture::start(Options::default()).await;
    let seen =
        async |name: &str| fixture.pinned(name).await.seen()["environment"]["REDIS_URL"].as_str().unwrap().to_owned();
    let (one, two) = (seen("probe-1").await, seen("probe-2").await);
    assert_ne!(one, two);
    let (one, two) = (one.trim_start_matches("redis://"), two.trim_start_matches("redis://"));
    assert_eq!(redis_says(one, "PING").await.unwrap(), "+PONG");
    fixture.stack.redis_path("probe-1").cut().await;
    assert!(redis_says(one, "PING").await.is_err());
    assert_eq!(redis_says(two, "PING").await.unwrap(), "+PONG");
    // A command of six bytes at a kilobyte a second, and a reply of seven: 13 ms, and a second for the way.
    fixture.stack.redis_path(ALL).narrow(1, Duration::ZERO).await;
    assert_eq!(redis_says(two, "PING").await.unwrap(), "+PONG");
    fixture.stack.redis_path(ALL).narrow(1, Duration::from_secs(1)).await;
    assert_eq!(redis_says(two, "PING").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    fixture.stack.redis_path(ALL).stall().await;
    assert_eq!(redis_says(two, "PING").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    fixture.stack.redis_path(ALL).restore().await;
    assert_eq!(redis_says(one, "PING").await.unwrap(), "+PONG");
}

#[tokio::test]
async fn functions_of_others_reach_the_engines_where_they_are_to() {
    let own = Fixture::start(Options::default()).await;
    assert_eq!(own.stack.info().outside, None);
    let fixture = Fixture::start(Options::default().engines_at(Ipv4Addr::LOCALHOST)).await;
    let outside = fixture.stack.info().outside.unwrap();
    let redis = outside.redis_url.strip_prefix("redis://").unwrap();
    assert_eq!(redis_says(redis, "PING").await.unwrap(), "+PONG");
    assert_ne!(outside.dynamodb_endpoint, fixture.stack.info().dynamodb_endpoint, "faults lie between");
    let l3 = outside.dynamodb_endpoint.strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(&l3).await.unwrap();
    fixture.stack.redis_path(OUTSIDE).cut().await;
    assert!(redis_says(redis, "PING").await.is_err());
    fixture.stack.l3().set(L3Fault::Stopped).await;
    assert!(TcpStream::connect(&l3).await.is_err());
}

/// Both engines where both are installed; at least one is.
#[tokio::test]
async fn redis_can_be_stopped_paused_restarted_and_replaced_by_its_replica() {
    let mut engines = 0;
    for engine in [RedisEngine::Redis, RedisEngine::Valkey] {
        let Some(fixture) = Fixture::try_start(Options::default().redis(engine)).await else { continue };
        engines += 1;
        refuse_writes(fixture.stack.redis()).await;
        stop_pause_and_restart(fixture.stack.redis()).await;
        fail_over(fixture.stack.redis()).await;
    }
    assert!(engines > 0);
}

async fn refuse_writes(redis: &Redis) {
    let address = redis.url().trim_start_matches("redis://");
    redis_says(address, "SET k v").await.unwrap();
    for (why, code) in [(Refusal::Full, "-OOM "), (Refusal::NoReplicas, "-NOREPLICAS ")] {
        redis.refuse_writes(why).await.unwrap();
        let refused = redis_says(address, "SET k w").await.unwrap();
        assert!(refused.starts_with(code), "{refused}");
        assert_eq!(redis_says(address, "GET k").await.unwrap(), "$1\r\nv");
        redis.accept_writes().await.unwrap();
    }
    assert_eq!(redis_says(address, "SET k w").await.unwrap(), "+OK");
}

async fn stop_pause_and_restart(redis: &Redis) {
    let address = redis.url().trim_start_matches("redis://");
    redis_says(address, "SET k v").await.unwrap();
    let first = redis.pid().unwrap();

    redis.restart_with_data().await.unwrap();
    assert_ne!(redis.pid().unwrap(), first);
    assert_eq!(redis_says(address, "GET k").await.unwrap(), "$1\r\nv");
    redis.pause();
    assert!(redis_says(address, "PING").await.is_err());
    redis.resume();
    assert_eq!(redis_says(address, "PING").await.unwrap(), "+PONG");
    redis.restart_empty().await.unwrap();
    assert_eq!(redis_says(address, "GET k").await.unwrap(), "$-1");
    redis.kill().unwrap();
    assert_eq!(redis.pid(), None);
    assert!(redis_says(address, "PING").await.is_err());
    redis.start().await.unwrap();
    assert_eq!(redis_says(address, "PING").await.unwrap(), "+PONG");
}

async fn fail_over(redis: &Redis) {
    let address = redis.url().trim_start_matches("redis://");
    let first = redis.pid().unwrap();
    redis_says(address, "SET k v").await.unwrap();
    let replica = redis.replicate().await.unwrap();
    replica.sever().await.unwrap();
    redis_says(address, "SET tail v").await.unwrap();

    replica.take_over(Duration::ZERO).await.unwrap();
    assert_ne!(redis.pid().unwrap(), first);
    assert_eq!(redis_says(address, "GET k").await.unwrap(), "$1\r\nv");
    assert_eq!(redis_says(address, "GET tail").await.unwrap(), "$-1");
    assert_eq!(redis_says(address, "SET k w").await.unwrap(), "+OK");
}

/// DynamoDB's status and answer to a request, or none when it cannot be reached.
async fn dynamo(endpoint: &str, operation: &str, body: Value) -> Option<(u16, Value)> {
    let signature = "AWS4-HMAC-SHA256 Credential=a/20260101/b/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
    let request = Request::post(endpoint)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20260101T000000Z")
        .header("authorization", signature)
        .body(Full::new(Bytes::from(body.to_string())));
    // A connection of its own: one from a pool may be an old one that a fault has closed.
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.unwrap()).await.ok()?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Some((status, serde_json::from_slice(&body).unwrap()))
}

#[tokio::test]
async fn l3_has_its_tables_and_can_fail() {
    let fixture = Fixture::start(Options::default()).await;
    let environment = fixture.get("/v1/cache/a").await.seen()["environment"].clone();
    let endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"].as_str().unwrap();
    let describe = async |table: &str| dynamo(endpoint, "DescribeTable", json!({ "TableName": table })).await;
    let (status, control) = describe("cache_control").await.unwrap();
    assert_eq!(status, 200);
    assert_eq!(control["Table"]["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    assert_eq!(describe("cache_entries").await.unwrap().0, 200);

    let l3 = fixture.stack.l3();
    l3.set(L3Fault::Throttling).await;
    let (status, throttled) = describe("cache_entries").await.unwrap();
    assert_eq!(status, 400);
    assert!(throttled["__type"].as_str().unwrap().ends_with("#ProvisionedThroughputExceededException"));
    l3.set(L3Fault::Failing { k: 1, of: 2 }).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(describe("cache_entries").await.unwrap().0);
    }
    assert_eq!(statuses, [500, 200, 500, 200]);
    l3.set(L3Fault::Sick { ms: 0, throttled: 1, failing: 1, of: 3 }).await;
    statuses.clear();
    for _ in 0..6 {
        statuses.push(describe("cache_entries").await.unwrap().0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 400, 400, 500, 500]);
    l3.set(L3Fault::Stopped).await;
    assert!(describe("cache_entries").await.is_none());
    assert_eq!(dynamo(l3.engine_endpoint(), "ListTables", json!({})).await.unwrap().0, 200);
    for slow in [L3Fault::Slow { ms: 2000 }, L3Fault::Sick { ms: 2000, throttled: 0, failing: 0, of: 1 }] {
        l3.set(slow).await;
        assert!(timeout(Duration::from_millis(100), describe("cache_entries")).await.is_err());
    }
    l3.set(L3Fault::Ok).await;
    assert_eq!(describe("cache_entries").await.unwrap().0, 200);
}

#[tokio::test]
async fn only_reads_of_the_control_table_can_be_throttled() {
    let fixture = Fixture::start(Options::default()).await;
    let environment = fixture.get("/v1/cache/a").await.seen()["environment"].clone();
    let endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"].as_str().unwrap();
    fixture.stack.l3().set(L3Fault::ControlThrottling).await;
    let key = json!({ "pk": { "S": "p" }, "sk": { "S": "s" } });
    for (table, read) in [("cache_entries", 200), ("cache_control", 400)] {
        let put = json!({ "TableName": table, "Item": key });
        assert_eq!(dynamo(endpoint, "PutItem", put).await.unwrap().0, 200);
        let get = json!({ "TableName": table, "Key": key });
        assert_eq!(dynamo(endpoint, "GetItem", get).await.unwrap().0, read, "{table}");
    }
}

#[tokio::test]
async fn a_folder_keeps_l3_for_the_next_stack() {
    let folder = TempDir::new().unwrap();
    let options = || Options::default().l3(L3Store::Folder(folder.path().join("l3")));
    let key = json!({ "pk": { "S": "p" }, "sk": { "S": "s" } });
    let first = Fixture::start(options()).await;
    let put = json!({ "TableName": "cache_entries", "Item": key });
    assert_eq!(dynamo(first.stack.l3().engine_endpoint(), "PutItem", put).await.unwrap().0, 200);
    first.stack.shutdown().await;

    let second = Fixture::start(options()).await;
    let get = json!({ "TableName": "cache_entries", "Key": key });
    let (_, found) = dynamo(second.stack.l3().engine_endpoint(), "GetItem", get).await.unwrap();
    assert_eq!(found["Item"], key);
}

#[tokio::test]
async fn engines_that_run_already_are_used() {
    let owner = Fixture::start(Options::default()).await;
    let url = format!("{}/2", owner.stack.redis().url());
    let endpoint = owner.stack.l3().engine_endpoint().to_owned();
    let options = Options::default().redis(RedisEngine::Url(url.clone())).l3(L3Store::Endpoint(endpoint.clone()));
    let guest = Fixture::start(options).await;
    assert_eq!(guest.stack.info().redis_url, url);
    assert_eq!(guest.stack.info().dynamodb_endpoint, endpoint);
    assert_eq!(guest.stack.redis().pid(), None);
    assert!(guest.stack.redis().kill().is_err(), "it is not the guest's to kill");
    let seen = guest.pinned("probe-1").await.seen()["environment"]["REDIS_URL"].as_str().unwrap().to_owned();
    let address = seen.strip_prefix("redis://").and_then(|rest| rest.strip_suffix("/2")).unwrap();
    assert_eq!(redis_says(address, "PING").await.unwrap(), "+PONG");
}
