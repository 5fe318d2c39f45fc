//! Metrics of a container, as lines of the log that CloudWatch takes apart (Embedded Metric Format).
//!
//! A call of CloudWatch's API would cost every request its time, and a line for every request would cost more than the
//! request. So a container adds up, and writes one line with the first answer after ten seconds, or at once with an
//! error after a time without. What it has added up when it ends is lost. Only what is not zero is written: CloudWatch
//! charges for every metric that it has seen.

use lambda_http::http::StatusCode;
use serde_json::{Map, Value, json};
use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use strata_cache::{Count, Counts, Level, TieredCache};

/// The namespace of all metrics; their only dimension is `FunctionName`.
pub const NAMESPACE: &str = "Strata";
/// A line is due so long after the one before, in ms.
const INTERVAL_MS: i64 = 10_000;
/// The format allows so many values of one metric in a line.
const MOST_VALUES: usize = 100;

const COUNT: &str = "Count";
const MICROSECONDS: &str = "Microseconds";

/// Metrics that the cache counts, and what of it makes each.
const COUNTED: &[(&str, &[Count])] = &[
    ("L1Hits", &[Count::L1Hits]),
    ("L1Misses", &[Count::L1Misses]),
    ("L2Hits", &[Count::L2Hits]),
    ("L2Misses", &[Count::L2Misses]),
    ("L2Errors", &[Count::L2Errors]),
    ("L3Hits", &[Count::L3Hits]),
    ("L3Misses", &[Count::L3Misses]),
    ("L3Errors", &[Count::L3Errors]),
    ("StaleRefused", &[Count::L1Stale, Count::L2Stale]),
    ("Promotions", &[Count::L1Promotions, Count::L2Promotions]),
    ("Evictions", &[Count::Evictions]),
    ("Demotions", &[Count::Demotions]),
    ("Degraded", &[Count::Degraded]),
    ("Mutations", &[Count::Mutations]),
    ("Syncs", &[Count::Syncs]),
    ("CoherenceChecked", &[Count::Audited]),
    ("CoherenceViolations", &[Count::Violations]),
];
/// Metrics of requests: all, those answered with a 5xx, those with a 429.
const REQUESTS: [&str; 3] = ["Requests", "Errors", "Throttled"];
/// Times of requests answered by each level, of all requests, and of syncs.
const TIMES: [&str; 5] = ["L1Latency", "L2Latency", "L3Latency", "Latency", "SyncLatency"];

/// The names of all metrics.
pub fn names() -> impl Iterator<Item = &'static str> {
    COUNTED.iter().map(|(name, _)| *name).chain(REQUESTS).chain(TIMES)
}

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    /// The function's name, the metrics' dimension.
    pub function: &'a str,
    pub status: StatusCode,
    /// The level that answered, of a read.
    pub level: Option<Level>,
    pub took: Duration,
}

/// What a container has added up since its last line.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began_ms: Option<i64>,
    error_written_ms: Option<i64>,
    requests: [u64; REQUESTS.len()],
    times: [Times; TIMES.len()],
    /// What the cache had counted when the window began.
    counts: Counts,
}

impl Metrics {
    /// Adds a request, and writes the line that is due then.
    pub(crate) fn add(&self, answered: Answered<'_>, cache: &TieredCache) {
        if let Some(line) = self.line(answered, cache) {
            // Where standard output is closed there is nobody to tell.
            let _ = writeln!(std::io::stdout().lock(), "{line}");
        }
    }

    fn line(&self, answered: Answered<'_>, cache: &TieredCache) -> Option<Value> {
        let now_ms = cache.clock().now_ms();
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.add(answered, now_ms);
        window.is_due(answered.status.is_server_error(), now_ms).then(|| window.end(answered.function, cache, now_ms))
    }
}

impl Window {
    fn add(&mut self, answered: Answered<'_>, now_ms: i64) {
        self.began_ms.get_or_insert(now_ms);
        let [requests, errors, throttled] = &mut self.requests;
        *requests += 1;
        *errors += u64::from(answered.status.is_server_error());
        *throttled += u64::from(answered.status == StatusCode::TOO_MANY_REQUESTS);
        let [l1, l2, l3, all, _] = &mut self.times;
        all.add(answered.took);
        match answered.level {
            Some(Level::L1) => l1.add(answered.took),
            Some(Level::L2) => l2.add(answered.took),
            Some(Level::L3) => l3.add(answered.took),
            None => {}
        }
    }

    fn is_due(&mut self, error: bool, now_ms: i64) -> bool {
        // A clock that went back makes it due as well.
        let over = |since: Option<i64>| since.is_none_or(|since| !(0..INTERVAL_MS).contains(&(now_ms - since)));
        let first_error = error && over(self.error_written_ms);
        if first_error {
            self.error_written_ms = Some(now_ms);
        }
        first_error || over(self.began_ms)
    }

    /// The line of what has been added up, and an empty window that begins now.
    fn end(&mut self, function: &str, cache: &TieredCache, now_ms: i64) -> Value {
        let [.., syncs] = &mut self.times;
        cache.take_sync_times().into_iter().for_each(|took| syncs.add(took));
        let counts = cache.counts();
        let added = counts.since(&self.counts);
        let (error_written_ms, began_ms) = (self.error_written_ms, Some(now_ms));
        let ended = std::mem::replace(self, Window { counts, error_written_ms, began_ms, ..Window::default() });
        ended.line(&added, function, now_ms)
    }

    fn line(self, added: &Counts, function: &str, now_ms: i64) -> Value {
        let counted = COUNTED.iter().map(|(name, counts)| (*name, counts.iter().map(|count| added[*count]).sum()));
        let counted = counted.chain(REQUESTS.into_iter().zip(self.requests));
        let counted =
            counted.filter(|(_, value): &(_, u64)| *value > 0).map(|(name, value)| (name, COUNT, json!(value)));
        let times = TIMES.into_iter().zip(self.times).filter(|(_, times)| !times.values.is_empty());
        let times = times.map(|(name, times)| (name, MICROSECONDS, json!(times.values)));
        let mut line = Map::new();
        let mut metrics = Vec::new();
        for (name, unit, value) in counted.chain(times) {
            metrics.push(json!({"Name": name, "Unit": unit}));
            line.insert(name.to_owned(), value);
        }
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": metrics});
        line.insert("FunctionName".to_owned(), function.into());
        line.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": [directive]}));
        line.into()
    }
}

/// Times in microseconds: of more than fit a line, a fair draw, so that percentiles hold.
#[derive(Debug, Default)]
struct Times {
    seen: usize,
    values: Vec<u64>,
}

impl Times {
    fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.seen += 1;
        if self.values.len() < MOST_VALUES {
            self.values.push(micros);
        } else if let Some(drawn) = self.values.get_mut(fastrand::usize(..self.seen)) {
            *drawn = micros;
        }
    }
}

#[cfg(test)]
mod tests;
