//! What is done with an event, and what is logged of it: one line for each slice and each tick.

use crate::event::Record;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_api::Error;
use strata_cache::{CacheError, TieredCache, Warm};
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
        if let Err(cause) = slice(cache, job, left).await {
            error!(job, %cause, "a slice could not be run");
            failed.push(record);
        }
    }
    let again: Vec<Value> = failed.iter().map(|record| json!({"itemIdentifier": record.sequence_number})).collect();
    json!({"batchItemFailures": again})
}

async fn slice(cache: &TieredCache, job: &str, time: Duration) -> Result<(), CacheError> {
    let began = Instant::now();
    let ended = cache.run_job(job, time).await?;
    info!(job, ?ended, duration_ms = milliseconds(began), "slice");
    Ok(())
}

/// Makes a job of what a schedule wants to be warmed, and runs its first slice. Lambda delivers an event of a schedule
/// at least once, always under the same request id; so the job is named by that, and made once.
pub(crate) async fn warm(cache: &TieredCache, warm: Warm, request_id: &str, time: Duration) -> Result<Value, Error> {
    let began = Instant::now();
    let warming = cache.warm(warm, Some(&format!("event {request_id}"))).await?;
    let (job, estimated) = (warming.job.id.as_str(), warming.job.estimate.map(|estimate| estimate.keys));
    info!(job, is_new = warming.is_new, estimated, "warming by schedule");
    slice(cache, job, time.saturating_sub(began.elapsed())).await?;
    Ok(json!({"warming_job_id": job, "estimated_keys": estimated}))
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
