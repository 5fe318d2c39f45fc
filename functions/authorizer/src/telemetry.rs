//! One line of JSON per request: the verdict, and why. Never the token, nor what it says about a person.

use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::AuthorizeError;
use crate::policy::Policy;

/// Where the Lambda runtime logs every error that a handler returns: bad tokens, here, which have had their line. Its
/// other subject, panics, is on standard error anyway.
const REPEATED_ERRORS: &str = "lambda_runtime::layers::panic";

/// Sends log lines to standard output. The level is fixed: at TRACE, the runtime prints events with their tokens.
pub fn init() {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false).with_target(false);
    let filter = Targets::new().with_default(LevelFilter::INFO).with_target(REPEATED_ERRORS, LevelFilter::OFF);
    tracing_subscriber::registry().with(lines).with(filter).init();
}

/// Logs one verdict. A bad token is the caller's matter (INFO), a missing key is ours (ERROR).
pub fn log(request_id: &str, verdict: &Result<Policy, AuthorizeError>, took: Duration) {
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match verdict {
        Ok(_) => tracing::info!(request_id, duration_us, "allowed"),
        Err(AuthorizeError::Refused(reason)) => tracing::info!(request_id, duration_us, %reason, "refused"),
        Err(AuthorizeError::Unavailable(cause)) => tracing::error!(request_id, duration_us, %cause, "no key"),
        Err(AuthorizeError::MethodArn(cause)) => tracing::error!(request_id, duration_us, %cause, "no policy"),
        Err(AuthorizeError::Panicked) => tracing::error!(request_id, duration_us, "panicked"),
    }
}
