//! How a job is reported.

use serde::Serialize;
use std::collections::BTreeMap;
use strata_api::{Answer, Response, Timestamp, http::StatusCode};
use strata_cache::Job;

/// What is known of a job.
#[derive(Serialize)]
pub struct Report<'a> {
    job_id: &'a str,
    kind: &'a str,
    state: &'static str,
    #[serde(flatten)]
    asked: Option<Asked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_keys: Option<u64>,
    done: u64,
    missing: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What was asked of a warm job.
#[derive(Serialize)]
struct Asked {
    strategy: &'static str,
    batch_size: usize,
    max_concurrent: usize,
}

/// The answer that says what is known of a job.
pub fn answer(job: &Job) -> Answer {
    Response::json(StatusCode::OK, &Report::of(job))
}

impl Report<'_> {
    /// What is known of `job`.
    pub fn of(job: &Job) -> Report<'_> {
        let asked = job.warm.as_ref().map(|warm| Asked {
            strategy: warm.strategy.name(),
            batch_size: warm.batch_size,
            max_concurrent: warm.max_concurrent,
        });
        Report {
            job_id: &job.id,
            kind: &job.kind,
            state: job.state.name(),
            asked,
            estimated_keys: job.estimate.map(|estimate| estimate.keys),
            done: job.counters.done,
            missing: job.counters.missing,
            failed: job.counters.failed,
            remaining: job.remaining(),
            created_at: Timestamp::floor(job.created_ms),
            run_at: job.warm.as_ref().and_then(|warm| warm.run_at_ms).map(Timestamp::floor),
            started_at: job.started_ms.map(Timestamp::floor),
            finished_at: job.finished_ms.map(Timestamp::floor),
            errors: &job.errors,
            error: job.error.as_deref(),
        }
    }
}
