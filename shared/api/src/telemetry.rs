//! What is logged: one JSON line per request, written when its answer is known.
//!
//! No values, no tokens, and keys only as a hash, because logs are kept longer and read by more people than the data. The
//! hash is keyed: otherwise a reader of the log could find out every key that can be guessed, by hashing guesses.
//! Other crates are heard from WARN on only, as their debug output would show what must not be logged.

use crate::{error::ApiError, keyed, principal::Principal};
use lambda_http::http::StatusCode;
use std::{panic, sync::OnceLock, time::Duration};
use strata_cache::{Configured, Key, Level};
use tracing::{error, info, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// What is to be said of one request, collected on its way.
#[derive(Debug, Default)]
pub struct Trace {
    /// The operation, once it is known.
    pub operation: Option<&'static str>,
    /// The level that answered.
    pub level: Option<Level>,
    /// Whether a mutation was acknowledged without Redis.
    pub degraded: bool,
    /// How many operations the request was of, where it was of several.
    pub operations: Option<usize>,
    configured: Option<ConfigurationChange>,
    key_hash: Option<String>,
    code: Option<&'static str>,
    cause: Option<String>,
}

/// An update of the configuration.
#[derive(Debug)]
struct ConfigurationChange {
    by: String,
    version: u64,
    /// Each field with its value before and now.
    changes: String,
}

impl Trace {
    /// Notes the key, as a keyed hash.
    pub fn key(&mut self, key: &Key) {
        self.key_hash = Some(keyed::in_log(key.as_str()));
    }

    /// Notes who changed the configuration, and what. It is the only line that names a caller: an administrator's act is
    /// to be found after the journal has forgotten it.
    pub fn configured(&mut self, by: &Principal, configured: &Configured) {
        if !configured.changed.is_empty() {
            let changes =
                configured.changed.iter().map(|change| format!("{}: {} -> {}", change.field, change.old, change.new));
            let changes = changes.collect::<Vec<_>>().join(", ");
            self.configured =
                Some(ConfigurationChange { by: by.subject.clone(), version: configured.version, changes });
        }
    }

    /// Notes why the request, or an operation of it, failed.
    pub fn failed(&mut self, error: &ApiError) {
        self.code = Some(error.class().1);
        self.cause = error.cause();
    }

    /// Writes the request's line.
    pub(crate) fn write(&self, request_id: &str, function: &str, status: StatusCode, duration: Duration) {
        info!(
            request_id,
            function,
            operation = self.operation,
            status = status.as_u16(),
            answered_by = self.level.map(Level::name),
            duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            key_hash = self.key_hash.as_deref(),
            degraded = self.degraded.then_some(true),
            operations = self.operations,
            config_by = self.configured.as_ref().map(|change| change.by.as_str()),
            config_version = self.configured.as_ref().map(|change| change.version),
            config_changes = self.configured.as_ref().map(|change| change.changes.as_str()),
            code = self.code,
            cause = self.cause,
            "request"
        );
    }
}

/// Sends log lines to standard output as JSON, and panics too.
pub(crate) fn init() {
    let filter = Targets::new().with_default(LevelFilter::WARN).with_targets([
        ("strata_api", LevelFilter::INFO),
        ("strata_cache", LevelFilter::INFO),
        ("warmer", LevelFilter::INFO),
    ]);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false);
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        tracing_subscriber::registry().with(lines).with(filter).init();
        panic::set_hook(Box::new(log_panic));
    });
}

/// A panic's message may hold data, so only one that stands in the source is logged.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied();
    let location = panic.location().map(ToString::to_string);
    error!(panic = message, location, "panic");
}
