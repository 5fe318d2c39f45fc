//! How long something may go unseen.

use std::time::Duration;

use super::DEGRADED_BOUND;
use crate::history::{Found, Operation, Outcome};

/// What an age may be short of its true length by when it is taken in whole milliseconds, and the clock that tells
/// them is not the one of the history.
const CLOCK_GRAIN: Duration = Duration::from_millis(2);

/// How long after its end a mutation may go unseen by a read.
///
/// A mutation whose container could not tell the others has the longer bound everywhere but in that container, which
/// knows of it.
pub(super) fn bound(window: Duration, mutation: &Operation, read: &Operation, no_cache: bool) -> Duration {
    if mutation.process.is_some() && mutation.process == read.process {
        return Duration::ZERO;
    }
    let window = if no_cache { Duration::ZERO } else { window + CLOCK_GRAIN };
    match mutation.outcome {
        Outcome::Acknowledged { degraded: true, .. } | Outcome::NothingThere => DEGRADED_BOUND + window,
        _ => window,
    }
}

/// What a time in whole seconds may say later than it is.
const SECOND: Duration = Duration::from_secs(1);

/// Whether a value that is returned as expired may be in its grace: by what the read itself says it has, and its life and
/// that of its grace cannot both be over.
pub(super) fn is_in_grace(read: &Operation, found: &Found, latest: Option<Duration>, grace: Duration) -> bool {
    let told = read.end + SECOND + CLOCK_GRAIN;
    let has_begun = i64::try_from(told.as_millis()).is_ok_and(|told_ms| found.expires_at_ms <= told_ms);
    let is_over = latest.is_some_and(|latest| read.start > latest + grace + CLOCK_GRAIN);
    has_begun && !grace.is_zero() && !is_over
}

/// Whether a value must have expired when the read was sent: by what the read itself says, or by the latest time at
/// which its life can have ended.
pub(super) fn has_expired(read: &Operation, found: &Found, latest: Option<Duration>) -> bool {
    let said = i64::try_from(read.start.as_millis()).is_ok_and(|start_ms| start_ms >= found.expires_at_ms);
    said || latest.is_some_and(|latest| read.start > latest + CLOCK_GRAIN)
}
