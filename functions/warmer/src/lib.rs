//! Background work: jobs, one slice per invocation, and maintenance.
//!
//! The stream of the control table calls for each job, and repeats calls that failed; the schedule finds what neither reached.
//! It does not matter which job a call is for: the warmer works on those whose turn it is. So any event may come twice, or
//! never: [`TieredCache::run_next`] and [`TieredCache::maintain`] can be called at any time, even concurrently.
//!
//! | module | |
//! |---|---|
//! | `event` | what a stream and schedules send |
//! | `work` | what is done with it |
//! | `failure` | why it was not done |

mod event;
mod failure;
mod work;

pub use failure::Failure;

use event::Event;
use serde_json::Value;
use strata_api::Invocation;
use strata_cache::TieredCache;

/// Does what an event asks for, for no longer than it may take.
///
/// # Errors
/// For an event that is neither of a stream nor of a schedule, and for maintenance or a warm job that could not be begun.
pub async fn handle(cache: &TieredCache, invocation: Invocation) -> Result<Value, Failure> {
    let Invocation { event, request_id, time } = invocation;
    match Event::read(event, cache.clock().now_ms())? {
        Event::Stream(records) => Ok(work::run_jobs(cache, &records, time).await),
        Event::Tick => work::maintain(cache, time).await,
        Event::Warm(warm) => work::warm(cache, warm, &request_id, time).await,
    }
}
