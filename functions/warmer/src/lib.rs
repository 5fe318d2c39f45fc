//! What nobody waits for: jobs, a slice in each invocation, and maintenance.
//!
//! A job is called for by the stream of the control table, which also repeats what failed; the schedule finds what neither
//! reached. So every event may come twice, or never, and nothing here relies on it: [`TieredCache::run_job`] and
//! [`TieredCache::maintain`] can be called at any time, also at once.
//!
//! | module | |
//! |---|---|
//! | `event` | what a stream and a schedule send |
//! | `work` | what is done with it |

mod event;
mod work;

use event::Event;
use serde_json::Value;
use std::time::Duration;
use strata_api::Error;
use strata_cache::TieredCache;

/// Does what an event asks for, for at most `time`.
///
/// # Errors
/// For an event that is neither of a stream nor of a schedule, and for maintenance that could not be done.
pub async fn handle(cache: &TieredCache, event: Value, time: Duration) -> Result<Value, Error> {
    match Event::read(event)? {
        Event::Stream(records) => Ok(work::run_jobs(cache, &records, time).await),
        Event::Tick => work::maintain(cache, time).await,
    }
}
