//! What Lambda does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::{Value, json};
use strata_stack::{Info, InvokeError, Options};
use tempfile::TempDir;

use crate::fixture::{Fixture, eventually, process_state};

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

    let in_flight = fixture.order(json!({ "sleep_ms": 1500 }));
    let killer = async {
        eventually("at work", || fixture.stack.logs("probe-1").contains("sleeping")).await;
        fixture.stack.kill("probe-1").await;
    };
    assert_eq!(tokio::join!(in_flight, killer).0.status, StatusCode::BAD_GATEWAY);
    eventually("replaced", || fixture.stack.logs("probe-1").matches("started").count() == 4).await;
}

#[tokio::test]
async fn a_function_whose_time_is_up_is_killed() {
    let fixture = Fixture::start(Options::default().containers(1)).await;
    let event = json!({ "body": json!({ "sleep_ms": 60_000 }).to_string() });
    let outcome = fixture.stack.invoke("probe", event, None).await;
    assert_eq!(outcome, Err(InvokeError::TimedOut(Duration::from_secs(2))));
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

fn port(fixture: &Fixture) -> u16 {
    let address = fixture.stack.url().strip_prefix("http://127.0.0.1:").unwrap();
    address.split('/').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_info_file_is_kept_current_and_goes_with_the_stack() {
    let folder = TempDir::new().unwrap();
    let options = || Options::default().containers(1).folder(folder.path());
    let (fixture, other) = (Fixture::start(options()).await, Fixture::start(options()).await);
    let port = port(&fixture);
    let read = || Info::read(folder.path(), port).unwrap();
    assert_eq!(read().url, fixture.stack.url());
    assert_eq!(read().containers.len(), 2);
    fixture.stack.kill("probe-1").await;
    fixture.get("/v1/cache/a").await;
    eventually("the new process", || read().containers == fixture.stack.containers()).await;
    let pids: Vec<u32> = fixture.stack.containers().iter().filter_map(|container| container.pid).collect();
    let redis = fixture.stack.redis().pid().unwrap();
    assert_eq!(pids.len(), 2);
    let logs = folder.path().join(port.to_string()).join("logs");
    assert!(logs.join("probe-1.log").exists());
    drop(fixture);
    assert!(Info::read(folder.path(), port).is_err());
    assert_eq!(Info::read(folder.path(), self::port(&other)).unwrap().url, other.stack.url());
    for pid in [pids, vec![redis]].concat() {
        eventually("dead", || matches!(process_state(pid), None | Some('Z'))).await;
    }
}

/// A stack whose one schedule sends this input.
async fn scheduled(expression: &str, input: &Value) -> Fixture {
    let options = Options::default().containers(1).parameter("Expression", expression);
    Fixture::start(options.parameter("Input", input.to_string())).await
}

#[tokio::test]
async fn a_rule_sends_its_input_and_one_without_an_expression_nothing() {
    let input = json!({ "patterns": ["a:*"] });
    let fixture = scheduled("cron(0 3 * * ? *)", &input).await;
    let answers = fixture.stack.tick().await.unwrap();
    let seen: Value = serde_json::from_str(answers[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((answers.len(), &seen["event"]), (1, &input));
    let none = scheduled("", &input).await;
    assert_eq!(none.stack.tick().await.unwrap(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_scheduled_event_that_fails_is_tried_three_times_under_one_request_id() {
    let input = json!({ "body": json!({ "error": "no" }).to_string() });
    let fixture = scheduled("rate(1 day)", &input).await;
    let failed = fixture.stack.tick().await.unwrap_err();
    assert!(matches!(failed, InvokeError::Function { message, .. } if message == "no"));
    let log = fixture.stack.logs("probe-1");
    let ids: Vec<&str> = log.lines().filter(|line| line.starts_with("invoked as ")).collect();
    assert_eq!(ids.len(), 3, "{log}");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn the_wall_clock_of_one_container_can_be_put_on_and_back() {
    let fixture = Fixture::start(Options::default().clocks(true)).await;
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let ahead_ms = async |container: &str| {
        let before = now_ms();
        fixture.pinned(container).await.seen()["time_ms"].as_i64().unwrap() - before
    };
    // However long an answer takes on a busy machine.
    const HOUR: i64 = 3_600_000;
    for step in [2 * HOUR, -2 * HOUR, 0] {
        fixture.stack.put_clock("probe-1", step).unwrap();
        assert!((ahead_ms("probe-1").await - step).abs() < HOUR, "{step}");
        assert!(ahead_ms("probe-2").await < HOUR);
    }
}
