//! GET: levels, hit ratios, sizes and health. A level that is down is part of the answer and no error.

use crate::history::{self, Minute};
use serde::{Serialize, Serializer};
use strata_api::{Answer, Call, Query, Response, Timestamp, http::StatusCode};
use strata_cache::{
    Config, Count, Counts, Health, Level, LevelStatus, Quotas, Status, Stock,
    quota::Quota,
    stats::{FleetReport, Strain},
};

#[derive(Serialize)]
struct Answered {
    status: &'static str,
    levels: (Level1, Level2, Level3),
    overall_stats: Overall,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    fleet: Fleet,
    coherence: Coherence,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Minute>>,
    last_updated: Timestamp,
}

/// What is said of every level.
#[derive(Serialize)]
struct Common {
    level: &'static str,
    enabled: bool,
    status: &'static str,
    size: u64,
    entries: u64,
    hit_ratio: Ratio,
    hits: u64,
    misses: u64,
}

#[derive(Serialize)]
struct Level1 {
    #[serde(flatten)]
    common: Common,
    stale_refused: u64,
    evictions: u64,
    memory_usage_mb: Mebibytes,
    max_capacity: u64,
    max_size_mb: u64,
}

#[derive(Serialize)]
struct Level2 {
    #[serde(flatten)]
    common: Common,
    stale_refused: u64,
    errors: u64,
    memory_usage_mb: Mebibytes,
    connection_pool_size: u32,
    active_connections: u64,
    /// Keys that Redis evicted in the last five to ten minutes; left out where there is nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    evicted: Option<u64>,
    /// Why the level is degraded, where that is not for being slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Level3 {
    #[serde(flatten)]
    common: Common,
    errors: u64,
}

#[derive(Serialize)]
struct Overall {
    total_entries: u64,
    total_size_mb: Mebibytes,
    overall_hit_ratio: Ratio,
    cache_promotion_count: u64,
    cache_demotion_count: u64,
    degraded_mutation_count: u64,
}

/// How the fleet stands, and since when it has been counted.
#[derive(Serialize)]
struct Fleet {
    /// `unavailable` while Redis cannot be asked: counts are 0 then because they are not known.
    statistics: &'static str,
    counted_since: Option<Timestamp>,
    containers: u64,
    coherence_window_ms: u64,
    journal_records: u64,
    journal_newest: Option<String>,
}

/// What audits have found: copies in memory that were compared with the source of truth.
#[derive(Serialize)]
struct Coherence {
    checked: u64,
    /// Those that were older than they may be.
    violations: u64,
    greatest_age_ms: u64,
}

/// What the caller's API key stores, and may store.
#[derive(Serialize)]
struct Usage {
    #[serde(flatten)]
    used: Amounts,
    /// Those that there are.
    quotas: Amounts,
}

#[derive(Serialize)]
struct Amounts {
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index_bytes: Option<u64>,
}

/// A share, rounded to thousandths.
struct Ratio(f64);

/// Bytes as MiB, rounded to thousandths.
#[derive(Clone, Copy)]
struct Mebibytes(f64);

/// Answers with the state of the fleet, and with what it did in the last minutes, where that is asked for.
pub async fn handle(call: Call<'_>) -> Answer {
    let mut query = Query::of(&call.event, &["history"]);
    let minutes = query.count("history", history::MAX_MINUTES);
    query.finish()?;
    let mut status = call.cache.status(&call.principal.api_key, minutes.unwrap_or_default() as u64).await;
    if call.principal.prefixes().is_some() {
        status = own(status);
    }
    let now = Timestamp::floor(call.cache.clock().now_ms());
    let usage = status.stock.map(|stock| usage(stock, call.cache.quotas()));
    let mut answered = answered(&status, usage, &call.cache.config(), now);
    answered.history = minutes.map(|_| history::of(status.report.as_ref()));
    Response::json(StatusCode::OK, &answered)
}

/// The same as a tenant sees it: what is its own, and nothing of what others store and ask. What is not counted for each
/// API key is 0.
fn own(status: Status) -> Status {
    let Stock { entries, bytes, index_bytes } = status.stock.unwrap_or_default();
    let nothing = |level: LevelStatus| LevelStatus { entries: 0, bytes: 0, memory_bytes: 0, ..level };
    let l2 = LevelStatus { entries, bytes, memory_bytes: bytes + index_bytes, ..status.l2 };
    let strain = Strain { evicted: status.strain.evicted.min(1), since_ms: None, ..status.strain };
    let report = status.report.map(|_| FleetReport::default());
    Status { l1: nothing(status.l1), l2, l3: nothing(status.l3), strain, report, ..status }
}

fn usage(stock: Stock, quotas: Quotas) -> Usage {
    let used = Quota::ALL.map(|quota| Some(stock.of(quota)));
    let [used, quotas] = [used, Quota::ALL.map(|quota| quotas.of(quota))]
        .map(|[entries, bytes, index_bytes]| Amounts { entries, bytes, index_bytes });
    Usage { used, quotas }
}

fn answered(status: &Status, usage: Option<Usage>, config: &Config, now: Timestamp) -> Answered {
    let report = status.report.as_ref();
    // What a level did before it was switched off is history.
    let off = [(Level::L1, status.l1), (Level::L2, status.l2), (Level::L3, status.l3)]
        .into_iter()
        .filter_map(|(level, said)| (said.health == Health::Disabled).then_some(level));
    let counts = report.map(|report| report.counts).unwrap_or_default().without(off.clone());
    let recent = report.map(|report| report.recent).unwrap_or_default();
    let levels = levels(status, config, &counts, &recent.without(off));
    let entries = [status.l1, status.l2, status.l3].map(|level| level.entries);
    let memory = [levels.0.memory_usage_mb, levels.1.memory_usage_mb, Mebibytes::of(status.l3.memory_bytes)];
    Answered {
        status: status.health.name(),
        levels,
        overall_stats: Overall {
            total_entries: entries.iter().sum(),
            total_size_mb: Mebibytes(memory.iter().map(|level| level.0).sum()),
            overall_hit_ratio: Ratio(recent.overall_hit_ratio()),
            cache_promotion_count: counts[Count::L1Promotions] + counts[Count::L2Promotions],
            cache_demotion_count: counts[Count::Demotions],
            degraded_mutation_count: counts[Count::Degraded],
        },
        usage,
        fleet: fleet(report, config),
        coherence: Coherence {
            checked: counts[Count::Audited],
            violations: counts[Count::Violations],
            greatest_age_ms: report.map_or(0, |report| report.oldest_ms),
        },
        history: None,
        last_updated: now,
    }
}

fn levels(status: &Status, config: &Config, counts: &Counts, recent: &Counts) -> (Level1, Level2, Level3) {
    let common = |level, status| common(level, status, counts, recent);
    let l1 = Level1 {
        common: common(Level::L1, status.l1),
        stale_refused: counts[Count::L1Stale],
        evictions: counts[Count::Evictions],
        memory_usage_mb: Mebibytes::of(status.l1.memory_bytes),
        max_capacity: config.l1_config.max_capacity,
        max_size_mb: config.l1_config.max_size_mb,
    };
    let l2 = Level2 {
        common: common(Level::L2, status.l2),
        stale_refused: counts[Count::L2Stale],
        errors: counts[Count::L2Errors],
        memory_usage_mb: Mebibytes::of(status.l2.memory_bytes),
        connection_pool_size: config.l2_config.max_connections,
        active_connections: status.report.as_ref().map_or(0, |report| report.containers),
        evicted: status.strain.since_ms.map(|_| status.strain.evicted),
        reason: reason(&status.strain),
    };
    (l1, l2, Level3 { common: common(Level::L3, status.l3), errors: counts[Count::L3Errors] })
}

fn reason(strain: &Strain) -> Option<String> {
    match strain {
        Strain { refused: Some(code), .. } => Some(format!("Redis refuses writes: {code}")),
        Strain { evicted: 0, .. } => None,
        Strain { .. } => Some("Redis is full and evicts".to_owned()),
    }
}

fn common(level: Level, status: LevelStatus, counts: &Counts, recent: &Counts) -> Common {
    Common {
        level: level.name(),
        enabled: status.health != Health::Disabled,
        status: status.health.name(),
        size: status.bytes,
        entries: status.entries,
        hit_ratio: Ratio(recent.hit_ratio(level)),
        hits: counts[Count::hits(level)],
        misses: counts[Count::misses(level)],
    }
}

fn fleet(report: Option<&FleetReport>, config: &Config) -> Fleet {
    Fleet {
        statistics: if report.is_some() { "available" } else { "unavailable" },
        counted_since: report.and_then(|report| report.since_ms).map(Timestamp::floor),
        containers: report.map_or(0, |report| report.containers),
        coherence_window_ms: config.l1_config.coherence_window_ms,
        journal_records: report.map_or(0, |report| report.journal_records),
        journal_newest: report.and_then(|report| report.journal_newest).map(|position| position.to_string()),
    }
}

impl Mebibytes {
    #[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    fn of(bytes: u64) -> Mebibytes {
        Mebibytes(bytes as f64 / f64::from(1 << 20))
    }
}

fn thousandths<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 1000.0).round() / 1000.0)
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        thousandths(self.0, serializer)
    }
}

impl Serialize for Mebibytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        thousandths(self.0, serializer)
    }
}
