//! What a million requests of each kind cost on AWS: computed from what the functions take here, which is processor
//! time, capacity of DynamoDB, work of Redis and lines of log, and from AWS's list prices.
//!
//! Of an invocation's billed time only the processor time is measured. It is stretched as Lambda stretches it for a
//! function with less memory than comes with one processor, and waiting is added as assumed in [`prices`]; a processor
//! on AWS may be faster or slower than this one.

pub mod prices;
pub mod workloads;

use crate::{
    batches,
    engines::Engines,
    report::{Row, Section, Unit},
    stats::Summary,
};
use std::error::Error;
use strata_stack::Consumed;

/// What one request of a kind takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Processor time of the function, in milliseconds.
    pub cpu_ms: f64,
    /// Time that passes meanwhile without it, on AWS: in milliseconds.
    pub waits_ms: f64,
    /// What DynamoDB bills.
    pub dynamo: Consumed,
    /// Round trips to Redis.
    pub round_trips: f64,
    /// What ElastiCache bills.
    pub ecpu: f64,
    /// What the function writes into its log, in bytes.
    pub log_bytes: f64,
}

/// A kind of requests, and what one of them takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// What they are.
    pub name: &'static str,
    /// What one takes.
    pub taken: Taken,
}

/// Dollars for a million of them, by what bills them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Dollars {
    lambda: f64,
    dynamo: f64,
    redis: f64,
    logs: f64,
}

/// Shares of the GETs that L1 answers, in percent.
const HIT_RATIOS: [u32; 5] = [0, 50, 80, 95, 99];

/// Measures all kinds, and computes what they cost.
///
/// # Errors
/// When a function or an engine fails, or an answer comes from another level.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let kinds = workloads::measure(engines)?;
    Ok(vec![
        Section {
            title: "Costs on AWS: dollars for a million requests".into(),
            baseline: format!(
                "the REST API's own price. Computed with list prices, {} MB on arm64, {} ms for a request to DynamoDB \
                 and {} ms for one to Redis as assumed",
                prices::MEMORY_MB,
                prices::DYNAMODB_MS,
                prices::REDIS_MS
            ),
            rows: kinds.iter().map(Kind::row).collect(),
        },
        Section {
            title: "Costs on AWS: a million GETs by hit ratio of L1, without the REST API".into(),
            baseline: "all of them from L3".into(),
            rows: by_hit_ratio(&kinds)?,
        },
        Section {
            title: "Costs on AWS: a million entries read from L1, with the REST API".into(),
            baseline: "one by one".into(),
            rows: vec![by_batches(&kinds)?],
        },
        Section {
            title: "Costs on AWS: what one request takes here".into(),
            baseline: "none".into(),
            rows: kinds.iter().flat_map(Kind::inputs).collect(),
        },
    ])
}

impl Taken {
    /// What Lambda bills of an invocation, in whole milliseconds.
    fn billed_ms(&self) -> f64 {
        let share = (prices::MEMORY_MB / prices::MEMORY_OF_A_PROCESSOR_MB).min(1.0);
        (self.cpu_ms / share + self.waits_ms).ceil()
    }

    fn dollars(&self) -> Dollars {
        let gb_seconds = self.billed_ms() / 1e3 * prices::MEMORY_MB / 1024.0;
        Dollars {
            lambda: prices::LAMBDA_REQUEST + gb_seconds * prices::LAMBDA_GB_SECOND * 1e6,
            dynamo: self.dynamo.read * prices::READ_UNIT + self.dynamo.written * prices::WRITE_UNIT,
            redis: self.ecpu * prices::ECPU,
            // A million of so many bytes is a thousandth of so many gigabytes.
            logs: (self.log_bytes + prices::PLATFORM_LOG_BYTES) / 1e3 * prices::LOG_GB,
        }
    }
}

impl Dollars {
    fn sum(self) -> f64 {
        self.lambda + self.dynamo + self.redis + self.logs
    }
}

impl Kind {
    fn row(&self) -> Row {
        let dollars @ Dollars { lambda, dynamo, redis, logs } = self.taken.dollars();
        let what = format!(
            "{}: Lambda {lambda:.2} ({} ms), DynamoDB {dynamo:.2}, ElastiCache {redis:.2}, logs {logs:.2}",
            self.name,
            self.taken.billed_ms()
        );
        Row::new(what, Unit::Dollars, Summary::single(dollars.sum())).beside(Summary::single(prices::GATEWAY))
    }

    fn inputs(&self) -> [Row; 7] {
        let Taken { cpu_ms, dynamo, round_trips, ecpu, log_bytes, .. } = self.taken;
        let row = |what: &str, unit, value| Row::new(format!("{}: {what}", self.name), unit, Summary::single(value));
        [
            row("processor time", Unit::Milliseconds, cpu_ms),
            row("requests to DynamoDB", Unit::Count, dynamo.requests),
            row("read request units", Unit::Count, dynamo.read),
            row("write request units", Unit::Count, dynamo.written),
            row("round trips to Redis", Unit::Count, round_trips),
            row("ECPU", Unit::Count, ecpu),
            row("log", Unit::Bytes, log_bytes),
        ]
    }
}

/// A million entries by the hundred, beside as many requests.
#[allow(clippy::cast_precision_loss, reason = "a small constant")]
fn by_batches(kinds: &[Kind]) -> Result<Row, Box<dyn Error>> {
    let of = |name: &str| {
        let kind = kinds.iter().find(|kind| kind.name == name).ok_or_else(|| format!("{name} was not measured"))?;
        Ok::<_, String>(prices::GATEWAY + kind.taken.dollars().sum())
    };
    let (batch, alone) = (of(workloads::BATCH_FROM_L1)? / batches::OPERATIONS as f64, of(workloads::FROM_L1)?);
    let row = Row::new("by 100", Unit::Dollars, Summary::single(batch));
    Ok(row.beside(Summary::single(alone)).aim("≤ 0.033×"))
}

/// GETs of which so many percent are answered by L1, and the others by L2 or by L3.
fn by_hit_ratio(kinds: &[Kind]) -> Result<Vec<Row>, Box<dyn Error>> {
    let of = |name: &str| {
        let kind = kinds.iter().find(|kind| kind.name == name).ok_or_else(|| format!("{name} was not measured"));
        kind.map(|kind| kind.taken.dollars().sum())
    };
    let (hit, l3) = (of(workloads::FROM_L1)?, of(workloads::FROM_L3)?);
    let row = |(name, miss): (&str, f64), percent: u32| {
        let hits = f64::from(percent) / 100.0;
        let dollars = Summary::single(hits * hit + (1.0 - hits) * miss);
        let what = format!("{percent} % from L1, the others from {name}");
        Row::new(what, Unit::Dollars, dollars).beside(Summary::single(l3))
    };
    let misses = [("L2", of(workloads::FROM_L2)?), ("L3", l3)];
    Ok(misses.into_iter().flat_map(|miss| HIT_RATIOS.map(|percent| row(miss, percent))).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOTHING: Taken = Taken {
        cpu_ms: 0.0,
        waits_ms: 0.0,
        dynamo: Consumed { requests: 0.0, read: 0.0, written: 0.0 },
        round_trips: 0.0,
        ecpu: 0.0,
        log_bytes: 0.0,
    };

    #[test]
    fn little_memory_stretches_processor_time_and_no_wait() {
        let taken = Taken { cpu_ms: 2.0, waits_ms: 5.0, ..NOTHING };
        // 2 · 1769 / 512 + 5 = 11.9, in whole milliseconds.
        assert_eq!(taken.billed_ms(), 12.0);
    }

    #[test]
    fn each_service_bills_its_own() {
        let dynamo = Consumed { requests: 1.0, read: 2.0, written: 4.0 };
        let taken = Taken { waits_ms: 10.0, dynamo, ecpu: 100.0, log_bytes: 500.0, ..NOTHING };
        let Dollars { lambda, dynamo, redis, logs } = taken.dollars();
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(near(lambda, 0.20 + 0.066_667) && near(dynamo, 2.75) && near(redis, 0.23) && near(logs, 0.50));
    }

    #[test]
    fn hits_and_misses_are_weighed() {
        let kind = |name, written| {
            let dynamo = Consumed { requests: 0.0, read: 0.0, written };
            Kind { name, taken: Taken { dynamo, ..NOTHING } }
        };
        let kinds = [kind(workloads::FROM_L1, 0.0), kind(workloads::FROM_L2, 16.0), kind(workloads::FROM_L3, 160.0)];
        let rows = by_hit_ratio(&kinds).unwrap();
        let base = kinds[0].taken.dollars().sum();
        let of = |what: &str| rows.iter().find(|row| row.what == what).unwrap().strata.median - base;
        assert_eq!(of("50 % from L1, the others from L2").round(), 5.0);
        assert_eq!(of("95 % from L1, the others from L3").round(), 5.0);
        assert_eq!(of("0 % from L1, the others from L3").round(), 100.0);
    }
}
