//! What the fleet did in each of the last minutes, as its containers reported it.

use serde::Serialize;
use strata_api::Timestamp;
use strata_cache::{Count, Counts, Level, stats::FleetReport};

/// Most minutes of an answer: Redis keeps no more.
pub const MAX_MINUTES: usize = 60;

/// A minute. What was counted in it belongs to the one in which it was reported.
#[derive(Serialize)]
pub struct Minute {
    at: Timestamp,
    mutations: u64,
    syncs: u64,
    levels: Vec<Worked>,
}

/// What a level did in a minute.
#[derive(Serialize)]
struct Worked {
    level: &'static str,
    reads: u64,
    hits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evictions: Option<u64>,
}

/// The minutes reported, the oldest first.
pub fn of(report: Option<&FleetReport>) -> Vec<Minute> {
    let minutes = report.map(|report| &report.minutes[..]).unwrap_or_default();
    minutes.iter().map(|(at_ms, counts)| minute(*at_ms, counts)).collect()
}

fn minute(at_ms: i64, counts: &Counts) -> Minute {
    Minute {
        at: Timestamp::floor(at_ms),
        mutations: counts[Count::Mutations],
        syncs: counts[Count::Syncs],
        levels: Level::ALL.map(|level| worked(level, counts)).into(),
    }
}

fn worked(level: Level, counts: &Counts) -> Worked {
    let hits = counts[Count::hits(level)];
    Worked {
        level: level.name(),
        reads: hits + counts[Count::misses(level)],
        hits,
        errors: Count::errors(level).map(|count| counts[count]),
        evictions: (level == Level::L1).then(|| counts[Count::Evictions]),
    }
}
