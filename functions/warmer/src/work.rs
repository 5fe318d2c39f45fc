//! What is done with an event, and what is logged of it: one line for each slice and each tick.

use crate::event::Record;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_api::Error;
use strata_cache::TieredCache;
use tracing::{error, info};

/// Not worth beginning a slice for; the record is given back, and comes again in an invocation of its own.
const SHORTEST: Duration = Duration::from_secs(5);

/// Runs a slice of each job that the records name; answers with the records to send again.
pub(crate) async fn run_jobs(cache: &TieredCache, records: &[Record], time: Duration) -> Value {
    let began = Instant::now();
    let mut failed = Vec::new();
    for record in records {
        let Some(job) = &record.job else { continue };
        let left = time.saturating_sub(began.elapsed());
        if left < SHORTEST {
            failed.push(record);
            continue;
        }
        let slice_began = Instant::now();
        match cache.run_job(job, left).await {
            Ok(slice) => info!(job, ended = ?slice, duration_ms = milliseconds(slice_began), "slice"),
            Err(cause) => {
                error!(job, %cause, "a slice could not be run");
                failed.push(record);
            }
        }
    }
    let again: Vec<Value> = failed.iter().map(|record| json!({"itemIdentifier": record.sequence_number})).collect();
    json!({"batchItemFailures": again})
}

/// Does what is due.
pub(crate) async fn maintain(cache: &TieredCache, time: Duration) -> Result<Value, Error> {
    let began = Instant::now();
    let done = cache.maintain(time).await?;
    info!(
        jobs_woken = done.jobs_woken,
        invalidations_adopted = done.invalidations_adopted,
        members_swept = done.members_swept,
        sweep_finished = done.sweep_finished,
        census_finished = done.census_finished,
        duration_ms = milliseconds(began),
        "maintenance"
    );
    Ok(json!({
        "jobs_woken": done.jobs_woken,
        "invalidations_adopted": done.invalidations_adopted,
        "members_swept": done.members_swept,
        "sweep_finished": done.sweep_finished,
        "census_finished": done.census_finished,
    }))
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
