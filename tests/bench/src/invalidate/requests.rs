//! Counts the requests to DynamoDB of this process by the spans the SDK opens, one for each: its own client is inside
//! the library, where nobody can look at it from outside.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing::{
    Event, Id, Metadata, Subscriber,
    span::{Attributes, Record},
    subscriber::{SetGlobalDefaultError, set_global_default},
};

/// What the name of such a span begins with.
const OPERATION: &str = "DynamoDB.";

static REQUESTS: AtomicU64 = AtomicU64::new(0);

struct Counter;

/// Counts from now on, in every thread.
///
/// # Errors
/// When something else listens to spans already.
pub fn count() -> Result<(), SetGlobalDefaultError> {
    set_global_default(Counter)
}

/// How many there were.
pub fn so_far() -> u64 {
    REQUESTS.load(Relaxed)
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name().starts_with(OPERATION)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        // No span has the number 0.
        Id::from_u64(REQUESTS.fetch_add(1, Relaxed) + 1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
