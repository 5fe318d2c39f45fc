//! Keys that somebody else keeps (the issuer, or Secrets Manager): when to fetch them, and how long to go on with them.
//!
//! Three things must not happen here. A key that was withdrawn must not live for ever: all are fetched again after
//! [`MAX_AGE`]. A keeper that is down must not stop the API: the old keys are used on, up to [`MAX_STALENESS`]. And
//! invented tokens must not turn us into a source of load for the keeper: one that no key fits causes a fetch only when
//! the last one is [`MIN_INTERVAL`] ago. Ages are counted by the wall clock, because the monotonic one may stand still
//! while the container is frozen.

use std::error::Error;
use std::fmt;

use crate::refusal::Refusal;

/// Seconds after which keys are fetched again.
pub const MAX_AGE: u64 = 600;
/// Seconds for which keys are used when they cannot be fetched again.
pub const MAX_STALENESS: u64 = 86_400;
/// Least seconds between the last fetch that worked and one for a token that no key fits.
pub const MIN_INTERVAL: u64 = 30;
/// Least seconds between a fetch that failed and the next, so that an outage does not cost every request a timeout.
pub const RETRY_INTERVAL: u64 = 5;

/// Keys could not be fetched, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    what: &'static str,
    why: String,
}

/// Why there is no key for a token.
#[derive(Debug)]
pub enum NoKey {
    /// There is none, for certain: the token is bad.
    Refused(Refusal),
    /// It could not be found out.
    Unavailable(Unavailable),
}

/// Keys, and when they were fetched.
pub(crate) struct Keyring<K> {
    keys: Vec<K>,
    fetched_at: Option<u64>,
    failure: Option<Failure>,
}

/// The last fetch, when it failed.
struct Failure {
    at: u64,
    cause: Unavailable,
}

impl<K> Keyring<K> {
    /// The keys; none when they have not been confirmed for too long.
    pub(crate) fn keys(&self, now: u64) -> &[K] {
        if self.age(now).is_some_and(|age| age <= MAX_STALENESS) { &self.keys } else { &[] }
    }

    /// Whether it is time to fetch. `fits` says that one of the keys is the one that is needed.
    pub(crate) fn wants_fetch(&self, fits: bool, now: u64) -> bool {
        if self.failure.as_ref().is_some_and(|failure| now.abs_diff(failure.at) < RETRY_INTERVAL) {
            return false;
        }
        match self.age(now) {
            None => true,
            Some(age) => age >= MAX_AGE || (!fits && age >= MIN_INTERVAL),
        }
    }

    /// Takes what a fetch brought. One that failed leaves the keys as they are.
    pub(crate) fn record(&mut self, fetched: Result<Vec<K>, Unavailable>, now: u64) {
        match fetched {
            Ok(keys) => *self = Self { keys, fetched_at: Some(now), failure: None },
            Err(cause) => {
                tracing::warn!(%cause, known_keys = self.keys.len(), "keys not fetched");
                self.failure = Some(Failure { at: now, cause });
            }
        }
    }

    /// What it means that no key fits: `refusal`, unless there are no keys because they could not be fetched. While
    /// there are, a token of a key newer than they are cannot be told from an invented one, and an outage of the keeper
    /// must not make failures of ours out of invented tokens.
    pub(crate) fn no_key(&self, refusal: Refusal, now: u64) -> NoKey {
        match &self.failure {
            Some(failure) if self.keys(now).is_empty() => NoKey::Unavailable(failure.cause.clone()),
            _ => NoKey::Refused(refusal),
        }
    }

    /// Seconds since the keys were fetched. Its size counts, not its sign: a clock that was set back must not make keys
    /// young for longer than the difference.
    fn age(&self, now: u64) -> Option<u64> {
        self.fetched_at.map(|at| now.abs_diff(at))
    }
}

impl<K> Default for Keyring<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), fetched_at: None, failure: None }
    }
}

impl Unavailable {
    /// Keys, named by `what`, that could not be fetched for the reason `why`.
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, why: why.into() }
    }

    /// The same for an error and all that caused it.
    pub(crate) fn because(what: &'static str, error: &dyn Error) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Self::new(what, why)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be fetched: {}", self.what, self.why)
    }
}

impl Error for Unavailable {}
