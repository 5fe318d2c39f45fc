#![allow(clippy::unwrap_used)]

use super::*;
use strata_cache::{Clock, Config, Deployment};

const NOW: i64 = 1_700_000_000_000;
/// Units that CloudWatch knows, of those that are used.
const UNITS: [&str; 2] = ["Count", "Microseconds"];

fn cache() -> TieredCache {
    let deployment = Deployment { clock: Clock::manual(NOW), ..Deployment::new("control") };
    TieredCache::open(deployment, Config::default()).unwrap()
}

fn answered(status: u16, level: Option<Level>, micros: u64) -> Answered<'static> {
    let status = StatusCode::from_u16(status).unwrap();
    Answered { function: "entries", status, level, took: Duration::from_micros(micros) }
}

/// Fails unless the line is what the specification of the Embedded Metric Format allows.
#[track_caller]
fn check(line: &Value) {
    let root = line.as_object().unwrap();
    let metadata = root["_aws"].as_object().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["CloudWatchMetrics", "Timestamp"]);
    assert!(metadata["Timestamp"].is_u64(), "milliseconds since the epoch");
    let [directive] = metadata["CloudWatchMetrics"].as_array().unwrap().as_slice() else { panic!("{line}") };
    let directive = directive.as_object().unwrap();
    assert_eq!(directive.keys().collect::<Vec<_>>(), ["Dimensions", "Metrics", "Namespace"]);
    assert_eq!(directive["Namespace"], "Strata");
    assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
    assert!((1..=1024).contains(&root["FunctionName"].as_str().unwrap().len()));
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()), "a directive holds at most 100 metrics");
    for metric in metrics {
        let metric = metric.as_object().unwrap();
        assert_eq!(metric.keys().collect::<Vec<_>>(), ["Name", "Unit"]);
        assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()));
        let name = metric["Name"].as_str().unwrap();
        assert!(names().any(|known| known == name), "{name}");
        match &root[name] {
            Value::Number(_) => {}
            Value::Array(values) => assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_number)),
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(root.len(), metrics.len() + 2, "every other member is a metric: {line}");
}

#[test]
fn a_line_is_written_after_ten_seconds_and_holds_what_was_added_up() {
    let (metrics, cache) = (Metrics::default(), cache());
    assert_eq!(metrics.line(answered(200, Some(Level::L1), 5), &cache), None);
    assert_eq!(metrics.line(answered(429, None, 2), &cache), None);
    cache.clock().set(NOW + 9_999);
    assert_eq!(metrics.line(answered(200, Some(Level::L3), 900), &cache), None);
    cache.clock().set(NOW + 10_000);
    let line = metrics.line(answered(404, None, 7), &cache).unwrap();
    check(&line);
    let expected = json!({"FunctionName": "entries", "Requests": 4, "Throttled": 1, "L1Latency": [5],
        "L3Latency": [900], "Latency": [5, 2, 900, 7], "_aws": line["_aws"]});
    assert_eq!(line, expected);
    assert_eq!(line["_aws"]["Timestamp"], NOW + 10_000);
    assert_eq!(metrics.line(answered(200, None, 7), &cache), None, "the next window has begun");
    cache.clock().set(NOW + 20_000);
    assert_eq!(metrics.line(answered(200, None, 7), &cache).unwrap()["Requests"], 2);
}

#[test]
fn the_first_error_is_written_at_once_and_the_next_ones_are_added_up() {
    let (metrics, cache) = (Metrics::default(), cache());
    metrics.line(answered(200, None, 1), &cache);
    let line = metrics.line(answered(503, None, 1), &cache).unwrap();
    check(&line);
    assert_eq!((&line["Requests"], &line["Errors"]), (&json!(2), &json!(1)));
    assert_eq!(metrics.line(answered(500, None, 1), &cache), None);
    cache.clock().set(NOW + 10_000);
    assert_eq!(metrics.line(answered(200, None, 1), &cache).unwrap()["Errors"], 1);
}

#[tokio::test]
async fn what_the_cache_counted_is_told_once() {
    let (metrics, cache) = (Metrics::default(), cache_without_l2());
    let key = strata_cache::Key::new("k").unwrap();
    // L3 cannot be reached.
    cache.get(&key, Default::default()).await.unwrap_err();
    let line = metrics.line(answered(503, None, 1), &cache).unwrap();
    check(&line);
    assert_eq!((&line["L1Misses"], &line["L3Errors"]), (&json!(1), &json!(1)));
    cache.clock().set(NOW + 10_000);
    let line = metrics.line(answered(200, None, 1), &cache).unwrap();
    assert!(line.get("L1Misses").is_none() && line.get("L3Errors").is_none());
}

fn cache_without_l2() -> TieredCache {
    let mut config = Config::default();
    config.l2_config.enabled = false;
    config.l3_config.timeout_ms = 1;
    let deployment = Deployment { clock: Clock::manual(NOW), ..Deployment::new("control") };
    TieredCache::open(deployment, config).unwrap()
}

#[test]
fn more_times_than_fit_are_drawn_from() {
    let (metrics, cache) = (Metrics::default(), cache());
    (0..1000).for_each(|micros| assert_eq!(metrics.line(answered(200, Some(Level::L1), micros), &cache), None));
    cache.clock().set(NOW + 10_000);
    let line = metrics.line(answered(200, None, 0), &cache).unwrap();
    check(&line);
    let times = line["L1Latency"].as_array().unwrap();
    assert!(times.iter().any(|time| time.as_u64() > Some(500)), "later ones are in it as well");
}
