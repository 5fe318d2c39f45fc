//! What nobody waits for: jobs, a slice in each invocation, and maintenance.
//!
//! A job is called for by the stream of the control table, which also repeats what failed; the schedule finds what neither
//! reached. Which job it is called for counts for nothing: it works on those whose turn it is. So every event may come
//! twice, or never, and nothing here relies on it: [`TieredCache::run_next`] and
//! [`TieredCache::maintain`] can be called at any time, also at once.
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
