//! What is done with an event, and what is logged of it: one line for each slice and each tick.

use crate::event::Record;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use strata_cache::{CacheError, Slice, TieredCache, Warm, Worked};
use tracing::{error, info};

/// Works on the jobs whose turn it is, for records that say there are some; answers with the records to send again.
pub(crate) async fn run_jobs(cache: &TieredCache, records: &[Record], time: Duration) -> Value {
    let calls: Vec<&Record> = records.iter().filter(|record| record.job.is_some()).collect();
    if calls.is_empty() {
        return json!({"batchItemFailures": []});
    }
    let failed = match take_turns(cache, time).await {
        Ok(()) => Vec::new(),
        Err(cause) => {
            error!(%cause, "a slice could not be run");
            calls
        }
    };
    let again: Vec<Value> = failed.iter().map(|record| json!({"itemIdentifier": record.sequence_number})).collect();
    json!({"batchItemFailures": again})
}

/// Works on one job after the other until none waits, its time is up, or a level is out of reach.
async fn take_turns(cache: &TieredCache, time: Duration) -> Result<(), CacheError> {
    let (began, time) = (Instant::now(), time.min(cache.slice()));
    loop {
        let slice_began = Instant::now();
        let left = time.saturating_sub(began.elapsed());
        let Some(Worked { job, ended }) = cache.run_next(left).await? else { return Ok(()) };
        info!(job, ?ended, duration_ms = milliseconds(slice_began), "slice");
        if ended == Slice::Postponed || began.elapsed() >= time {
            return Ok(());
        }
    }
}

/// Makes a job of what a schedule wants to be warmed, and takes its turn. Lambda delivers an event of a schedule at least
/// once, always under the same request id; so the job is named by that, and made once.
pub(crate) async fn warm(cache: &TieredCache, warm: Warm, request_id: &str, time: Duration) -> Result<Value, Failure> {
    let began = Instant::now();
    let warming = cache.warm(warm, Some(&format!("event {request_id}"))).await?;
    let (job, estimated) = (warming.job.id.as_str(), warming.job.estimate.map(|estimate| estimate.keys));
    info!(job, is_new = warming.is_new, estimated, "warming by schedule");
    take_turns(cache, time.saturating_sub(began.elapsed())).await?;
    Ok(json!({"warming_job_id": job, "estimated_keys": estimated}))
}

/// Does what is due.
pub(crate) async fn maintain(cache: &TieredCache, time: Duration) -> Result<Value, Failure> {
    let began = Instant::now();
    let done = cache.maintain(time).await?;
    info!(
        jobs_woken = done.jobs_woken,
        invalidations_adopted = done.invalidations_adopted,
        invalidations_tidied = done.invalidations_tidied,
        members_swept = done.members_swept,
        sweep_finished = done.sweep_finished,
        census_finished = done.census_finished,
        duration_ms = milliseconds(began),
        "maintenance"
    );
    Ok(json!({
        "jobs_woken": done.jobs_woken,
        "invalidations_adopted": done.invalidations_adopted,
        "invalidations_tidied": done.invalidations_tidied,
        "members_swept": done.members_swept,
        "sweep_finished": done.sweep_finished,
        "census_finished": done.census_finished,
    }))
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
