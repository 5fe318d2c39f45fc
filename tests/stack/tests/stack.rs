//! The stack itself, with a function that does what its event says (examples/probe.rs).

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use strata_stack::{InvokeError, L3Fault, Options, RedisEngine, Stack};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A stack of probes, its folder of binaries, and a client.
struct Fixture {
    stack: Stack,
    client: Client<HttpConnector, Full<Bytes>>,
    _binaries: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: hyper::HeaderMap,
    body: String,
}

impl Answer {
    fn container(&self) -> &str {
        self.headers["x-strata-container"].to_str().unwrap()
    }

    /// What the probe saw.
    fn seen(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Fixture {
    async fn start(options: Options) -> Self {
        let exe = std::env::current_exe().unwrap();
        let probe = exe.ancestors().nth(2).unwrap().join("examples/probe");
        let binaries = TempDir::new().unwrap();
        for name in ["probe", "guard"] {
            std::os::unix::fs::symlink(&probe, binaries.path().join(name)).unwrap();
        }
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/template.yaml");
        let stack = Stack::start(options.template(template).binaries(binaries.path())).await.unwrap();
        Self { stack, client: Client::builder(TokioExecutor::new()).build_http(), _binaries: binaries }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let base = self.stack.url().trim_end_matches("/v1/cache");
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", "Bearer good")], "").await
    }

    /// Gives the probe an order.
    async fn order(&self, order: Value) -> Answer {
        self.send("PUT", "/v1/cache/a", &[("authorization", "Bearer good")], order.to_string()).await
    }

    async fn pinned(&self, container: &str) -> Answer {
        let headers = [("authorization", "Bearer good"), ("x-strata-pin", container)];
        self.send("GET", "/v1/cache/a", &headers, "").await
    }

    fn pid(&self, container: &str) -> Option<u32> {
        self.stack.containers().into_iter().find(|candidate| candidate.name == container).unwrap().pid
    }
}

/// The state letter of /proc: T is stopped.
fn process_state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 5 s");
}

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
async fn containers_are_frozen_between_events_and_take_turns() {
    let fixture = Fixture::start(Options::default().containers(3)).await;
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(fixture.get("/v1/cache/a").await.container().to_owned());
    }
    assert_eq!(answered, ["probe-1", "probe-2", "probe-3"]);
    for name in &answered {
        let pid = fixture.pid(name).unwrap();
        eventually("frozen", || process_state(pid) == Some('T')).await;
    }
    assert_eq!(fixture.pinned("probe-2").await.container(), "probe-2");
    let running = Fixture::start(Options::default().containers(1).freeze(false)).await;
    running.get("/v1/cache/a").await;
    assert_ne!(process_state(running.pid("probe-1").unwrap()), Some('T'));
}

#[tokio::test]
async fn a_busy_container_gets_no_second_event() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let slow = fixture.order(json!({ "sleep_ms": 300 }));
    let fast = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        fixture.get("/v1/cache/a").await
    };
    let (slow, fast) = tokio::join!(slow, fast);
    assert_eq!((slow.status, fast.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(slow.seen()["pid"], fast.seen()["pid"]);
}

#[tokio::test]
async fn a_container_that_dies_is_replaced_under_its_name() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let first = fixture.pid("probe-1").unwrap();
    assert_eq!(fixture.order(json!({ "exit": 3 })).await.status, StatusCode::BAD_GATEWAY);
    let second = fixture.get("/v1/cache/a").await.seen()["pid"].as_u64().unwrap();
    assert_ne!(second, u64::from(first));

    fixture.stack.kill("probe-1").await;
    assert!(process_state(u32::try_from(second).unwrap()).is_none(), "gone when kill returns, though it was frozen");
    assert_eq!(fixture.get("/v1/cache/a").await.status, StatusCode::OK);

    let in_flight = fixture.order(json!({ "sleep_ms": 900 }));
    let killer = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fixture.stack.kill("probe-1").await;
    };
    assert_eq!(tokio::join!(in_flight, killer).0.status, StatusCode::BAD_GATEWAY);
    assert_eq!(
        fixture.stack.logs("probe-1").matches("started").count(),
        4 - usize::from(fixture.pid("probe-1").is_none())
    );
}

#[tokio::test]
async fn a_function_whose_time_is_up_is_killed() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let event = json!({ "body": json!({ "sleep_ms": 60_000 }).to_string() });
    let outcome = fixture.stack.invoke("probe", event, None).await;
    assert_eq!(outcome, Err(InvokeError::TimedOut(Duration::from_secs(1))));
    assert_eq!(fixture.get("/v1/cache/a").await.status, StatusCode::OK);
}

#[tokio::test]
async fn direct_invocations_bypass_the_gateway() {
    let fixture = Fixture::start(Options::default()).await;
    let answer = fixture.stack.invoke("probe", json!({ "any": "event" }), Some("probe-2")).await.unwrap();
    let seen: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(seen["event"], json!({ "any": "event" }));
    assert_eq!(seen["environment"]["AWS_LAMBDA_LOG_STREAM_NAME"], "2026/01/01/[$LATEST]probe-2");
    let failed = fixture.stack.invoke("probe", json!({ "body": "{\"error\":\"no\"}" }), None).await;
    assert_eq!(failed, Err(InvokeError::Function { kind: "Probe".to_owned(), message: "no".to_owned() }));
    let unknown = fixture.stack.invoke("nobody", json!({}), None).await;
    assert_eq!(unknown, Err(InvokeError::UnknownFunction("nobody".to_owned())));
}

/// The value of one line of `INFO server`, or an error when Redis does not answer.
async fn redis_says(address: &str, command: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        let mut reply = [0; 64];
        let length = stream.read(&mut reply).await?;
        Ok(String::from_utf8_lossy(&reply[..length]).trim_end().to_owned())
    };
    tokio::time::timeout(Duration::from_millis(300), exchange).await?
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
    fixture.stack.redis_path(strata_stack::ALL).stall().await;
    assert_eq!(redis_says(two, "PING").await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    fixture.stack.redis_path(strata_stack::ALL).restore().await;
    assert_eq!(redis_says(one, "PING").await.unwrap(), "+PONG");
}

#[tokio::test]
async fn redis_can_be_stopped_paused_and_restarted_with_or_without_its_data() {
    for engine in [RedisEngine::Any, RedisEngine::Valkey] {
        let fixture = Fixture::start(Options::default().redis(engine)).await;
        let redis = fixture.stack.redis();
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
}

#[tokio::test]
async fn l3_has_its_tables_and_can_fail() {
    let fixture = Fixture::start(Options::default()).await;
    let environment = fixture.get("/v1/cache/a").await.seen()["environment"].clone();
    let endpoint = environment["AWS_ENDPOINT_URL_DYNAMODB"].as_str().unwrap().to_owned();
    let describe = async |table: &str| {
        let request = Request::post(&endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.DescribeTable")
            .header("x-amz-date", "20260101T000000Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260101/b/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(Full::new(Bytes::from(json!({ "TableName": table }).to_string())))
            .unwrap();
        let response = fixture.client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Some((status, serde_json::from_slice::<Value>(&body).unwrap()))
    };
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
    l3.set(L3Fault::Stopped).await;
    assert!(describe("cache_entries").await.is_none());
    l3.set(L3Fault::Slow { ms: 200 }).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), describe("cache_entries")).await.is_err());
    l3.set(L3Fault::Ok).await;
    assert_eq!(describe("cache_entries").await.unwrap().0, 200);
}

#[tokio::test]
async fn the_info_file_is_kept_current_and_goes_with_the_stack() {
    let folder = TempDir::new().unwrap();
    let file: PathBuf = folder.path().join("local/stack.json");
    let fixture = Fixture::start(Options::default().containers(1).info_file(&file)).await;
    let read = || strata_stack::Info::read(&file).unwrap();
    assert_eq!(read().url, fixture.stack.url());
    assert_eq!(read().containers.len(), 2);
    fixture.stack.kill("probe-1").await;
    fixture.get("/v1/cache/a").await;
    eventually("the new process", || read().containers == fixture.stack.containers()).await;
    let pids: Vec<u32> = fixture.stack.containers().iter().filter_map(|container| container.pid).collect();
    let redis = fixture.stack.redis().pid().unwrap();
    assert_eq!(pids.len(), 2);
    drop(fixture);
    assert!(!file.exists());
    for pid in [pids, vec![redis]].concat() {
        assert!(matches!(process_state(pid), None | Some('Z')), "{pid} lives");
    }
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
