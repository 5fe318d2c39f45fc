//! POST: accepts a warm job.

use crate::request;
use serde::Serialize;
use strata_api::{
    Answer, Call, Query, Response, Timestamp,
    body::Body,
    http::{StatusCode, header},
    warming,
};

#[derive(Serialize)]
struct Answered<'a> {
    success: bool,
    message: &'static str,
    warming_job_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_keys: Option<u64>,
    strategy: &'static str,
    batch_size: usize,
    max_concurrent: usize,
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_completion: Option<Timestamp>,
}

/// Accepts the job that the request's body describes, or answers with the one that it repeats.
pub async fn handle(mut call: Call<'_>) -> Answer {
    Query::none(&call.event, &warming::FIELDS)?;
    let name = request::name(&call.event.headers, &call.principal)?;
    let body = Body::of(&mut call.event)?;
    let warm = request::read(&body, &call.principal, call.cache.clock().now_ms())?;
    let (strategy, batch_size, max_concurrent) = (warm.strategy.name(), warm.batch_size, warm.max_concurrent);
    let run_at_ms = warm.run_at_ms;
    let job = call.cache.warm(warm, name.as_deref()).await?.job;
    let answered = Answered {
        success: true,
        message: "Cache warming initiated successfully",
        warming_job_id: &job.id,
        estimated_keys: job.estimate.map(|estimate| estimate.keys),
        strategy,
        batch_size,
        max_concurrent,
        started_at: Timestamp::floor(run_at_ms.unwrap_or_default().max(job.created_ms)),
        estimated_completion: job.estimate.map(|estimate| Timestamp::ceil(estimate.completion_ms)),
    };
    let response = Response::json(StatusCode::ACCEPTED, &answered)?;
    // Relative to the request's own address, whichever domain and stage it has.
    Ok(response.header(header::LOCATION, format!("warm/{}", job.id)))
}
