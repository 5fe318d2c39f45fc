//! Rate limits: what is admitted, what is refused, what is said of it, and what it costs.

use crate::support::{command, get, put, scripts_run};
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};
use strata_it::{
    Answer, Api, Request, configured, entry, entry_by_query, patient,
    stack::{Claims, Options},
};

const CONTAINERS: usize = 4;

fn container(number: usize) -> String {
    format!("entries-{}", number % CONTAINERS + 1)
}

async fn with(options: Options) -> Api {
    Api::with(options.containers(CONTAINERS).functions(["authorizer", "entries", "invalidate"])).await
}

fn as_key(api: &Api, request: Request, api_key: &str) -> Request {
    request.bearer(&api.stack.token(Claims::default().api_key(api_key)))
}

/// A GET through a container by whoever has the API key.
async fn read(api: &Api, number: usize, api_key: &str) -> Answer {
    as_key(api, api.get(&entry("k")), api_key).pin(&container(number)).send().await
}

#[track_caller]
fn retry_after(refused: &Answer) -> u64 {
    refused.header("retry-after").unwrap_or_else(|| panic!("no Retry-After: {refused:?}")).parse().unwrap()
}

/// A request that was admitted or refused some time between these.
#[derive(Clone, Copy)]
struct Decided {
    sent: Instant,
    received: Instant,
    admitted: bool,
}

/// Reads of one API key through one container, past the gateway, as fast as it answers.
async fn rush(api: &Api, container: &str, requests: usize) -> Vec<Decided> {
    let event = json!({
        "resource": "/cache/entries", "httpMethod": "GET", "multiValueQueryStringParameters": {"key": ["k"]},
        "requestContext": {"authorizer": {"sub": "s", "api_key": "busy", "exp": i64::MAX / 1000,
            "scopes": "[\"cache:read\"]"}},
    });
    let mut decided = Vec::new();
    for _ in 0..requests {
        let sent = Instant::now();
        let answer = api.stack.invoke("entries", event.clone(), Some(container)).await.unwrap();
        let admitted = answer["statusCode"] == 200;
        assert!(admitted || answer["statusCode"] == 429, "{answer}");
        decided.push(Decided { sent, received: Instant::now(), admitted });
    }
    decided
}

#[tokio::test]
async fn five_thousand_reads_a_minute_are_admitted_and_hardly_more() {
    let api = with(patient()).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let rushes = ["entries-1", "entries-2", "entries-3", "entries-4"].map(|container| rush(&api, container, 1500));
    let decided: Vec<Decided> = join_all(rushes).await.into_iter().flatten().collect();
    let (admitted, refused): (Vec<_>, Vec<_>) = decided.into_iter().partition(|decided| decided.admitted);
    for refused in refused.iter().step_by(20) {
        let began = refused.sent.checked_sub(Duration::from_secs(60));
        let before = admitted.iter().filter(|one| one.sent <= refused.received && Some(one.received) >= began).count();
        assert!(before >= 5000, "refused after {before}");
    }
    for first in admitted.iter().step_by(20) {
        let ends = first.sent + Duration::from_secs(58);
        let within = admitted.iter().filter(|one| one.sent >= first.sent && one.received <= ends).count();
        assert!(within <= 5000 + CONTAINERS * 49, "{within} were admitted within 58 s");
    }
    for number in 0..CONTAINERS {
        let other = read(&api, number, "another").await.expect(200);
        assert!(other.header("ratelimit").unwrap().starts_with("\"read\";r=49"), "{other:?}");
    }
}

#[tokio::test]
async fn a_refused_caller_may_come_back_when_it_was_told() {
    let api = with(patient().env("RATE_LIMIT_READ", "10")).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for number in 0..10 {
        let answer = read(&api, number, "a").await.expect(200);
        let left = format!("\"read\";r={};", 9 - number);
        assert!(answer.header("ratelimit").unwrap().starts_with(&left), "{left}: {answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"read\";q=10;w=60"));
    }
    let began = Instant::now();
    let refused = read(&api, 0, "a").await.expect_error(429, "RATE_LIMITED");
    let wait = retry_after(&refused);
    assert!((1..=60).contains(&wait), "{refused:?}");
    assert_eq!(refused.header("ratelimit").unwrap(), format!("\"read\";r=0;t={wait}"));
    assert_eq!(refused.details()["retry_after_seconds"], wait);
    assert_eq!(
        (refused.details()["limit"].as_str(), refused.details()["max_requests"].as_u64()),
        (Some("read"), Some(10))
    );
    tokio::time::sleep(Duration::from_secs(wait / 2)).await;
    for number in 0..CONTAINERS {
        read(&api, number, "a").await.expect_error(429, "RATE_LIMITED");
    }
    tokio::time::sleep(Duration::from_secs(wait).saturating_sub(began.elapsed())).await;
    read(&api, 0, "a").await.expect(200);
}

/// Small limits hold exactly, and no request is too early for that: containers begin, and reach Redis later than a read
/// would wait for it.
#[tokio::test]
async fn a_small_limit_is_exact_from_the_first_request_of_a_container_on() {
    let api = Api::with(patient().containers(3).functions(["authorizer", "config"])).await;
    let path = api.stack.redis_path("all");
    path.stall().await;
    for number in 1..=3 {
        api.stack.kill(&format!("config-{number}")).await;
    }
    let requests = join_all((0..30).map(|number| {
        let request = as_key(&api, api.get("/config"), "a");
        request.pin(&format!("config-{}", number % 3 + 1)).send()
    }));
    let reached = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        path.restore().await;
    };
    let (answers, ()) = tokio::join!(requests, reached);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (10, 20), "{statuses:?}");
}

#[tokio::test]
async fn nothing_but_another_api_key_has_another_limit() {
    let api = with(patient().env("RATE_LIMIT_READ", "6")).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    let token = |subject: &str| api.stack.token(Claims::default().subject(subject).api_key("a"));
    let requests = [
        api.get(&entry("k")),
        api.get(&entry_by_query("k")),
        api.get("/entries/%6B"),
        api.get(&entry("k")).header("x-api-key", "b"),
        api.get(&entry("another")),
        api.get("/entries?key=k&key=k"),
    ];
    for (number, (request, status)) in requests.into_iter().zip([200, 200, 200, 200, 404, 400]).enumerate() {
        let token = token(&format!("subject-{number}"));
        request
            .anonymous()
            .header("AUTHORIZATION", format!("Bearer {token}"))
            .pin(&container(number))
            .send()
            .await
            .expect(status);
    }
    for number in 0..CONTAINERS {
        let again = api.get(&entry_by_query("k")).bearer(&token("again")).pin(&container(number)).send().await;
        again.expect_error(429, "RATE_LIMITED");
    }
    let namesake = api.stack.token(Claims::default().subject("a"));
    api.get(&entry("k")).bearer(&namesake).pin(&container(0)).send().await.expect(200);
    let other_class = api.put(&entry("k"), r#"{"value":2}"#).bearer(&token("writer")).send().await.expect(200);
    assert_eq!(other_class.header("ratelimit-policy"), Some("\"write\";q=1000;w=60"));
    let other_class = api.request("POST", "/invalidate").body(r#"{"pattern":"x:*"}"#).send().await.expect(200);
    assert_eq!(other_class.header("ratelimit-policy"), Some("\"bulk\";q=100;w=60"));
    read(&api, 0, "A").await.expect(200);
}

#[tokio::test]
async fn what_is_refused_before_does_not_count_and_says_nothing() {
    let api = with(patient().env("RATE_LIMIT_WRITE", "1")).await;
    let reader = api.stack.token(Claims::with_scopes(&["cache:read"]).api_key("a"));
    for _ in 0..3 {
        let refused = api.put(&entry("k"), "{}").bearer(&reader).send().await.expect_error(403, "FORBIDDEN");
        assert_eq!(refused.header("ratelimit"), None);
        api.get(&entry("k")).anonymous().send().await.expect(401);
        api.get("/nowhere").bearer(&reader).send().await.expect(404);
    }
    let bad = as_key(&api, api.put(&entry("k"), "{}"), "a").pin("entries-1").send().await.expect(400);
    assert!(bad.header("ratelimit").is_some_and(|left| left.starts_with("\"write\";r=0;")), "{bad:?}");
    as_key(&api, api.put(&entry("k"), "{}"), "a").pin("entries-2").send().await.expect_error(429, "RATE_LIMITED");
}

#[tokio::test]
async fn without_redis_every_container_admits_the_limit_and_tells_of_it_later() {
    let api = with(patient().env("RATE_LIMIT_READ", "20")).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    api.stack.redis_path("all").cut().await;
    for number in [0, 1] {
        for _ in 0..20 {
            read(&api, number, "a").await.expect(200);
        }
        retry_after(&read(&api, number, "a").await.expect_error(429, "RATE_LIMITED"));
    }
    api.stack.redis_path("all").restore().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    read(&api, 0, "a").await.expect_error(429, "RATE_LIMITED");
    read(&api, 2, "a").await.expect_error(429, "RATE_LIMITED");
}

#[tokio::test]
async fn with_l2_switched_off_every_container_counts_by_itself() {
    let off = configured(json!({"l2_config": {"enabled": false}}));
    let api = with(off.env("RATE_LIMIT_WRITE", "3")).await;
    for number in [0, 1] {
        for _ in 0..3 {
            assert!(put(&api, &container(number), "k", "1").await.status < 300);
        }
        put(&api, &container(number), "k", "1").await.expect_error(429, "RATE_LIMITED");
    }
}

#[tokio::test]
async fn a_hit_in_memory_asks_redis_only_when_the_lease_is_used_up() {
    let api = with(patient().coherence_window_ms(60_000)).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    read(&api, 0, "a").await.expect(200);
    let (began, before) = (Instant::now(), scripts_run(&api).await);
    for _ in 0..200 {
        assert_eq!(read(&api, 0, "a").await.expect(200).level(), "L1_MEMORY");
    }
    let run = scripts_run(&api).await - before;
    // Each is for fifty reads, and for ten seconds.
    assert!((4..=5 + began.elapsed().as_secs() / 10).contains(&run), "{run} scripts were run for 200 reads");
}

#[tokio::test]
async fn switched_off_nothing_is_counted() {
    let api = with(patient().env("RATE_LIMITS", "off").env("RATE_LIMIT_READ", "1")).await;
    put(&api, "entries-1", "k", "1").await.expect(201);
    for _ in 0..5 {
        assert_eq!(get(&api, "entries-1", "k").await.expect(200).header("ratelimit"), None);
    }
    let names: Vec<String> = command(&api, &["KEYS", "*{l:*"]).await;
    assert!(names.is_empty(), "{names:?}");
}
