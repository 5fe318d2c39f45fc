//! Why an event was not done, as Lambda is told: the type that its console, metrics and failure destinations name.

use std::fmt;
use strata_api::Diagnostic;
use strata_cache::CacheError;

/// Why an event was not done.
#[derive(Debug)]
pub enum Failure {
    /// It says nothing that this function knows, or says it wrong.
    Event(String),
    /// A level refused or could not be reached; the same event may be done later.
    Cache(CacheError),
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::Event(_) => "UnreadableEvent",
            Failure::Cache(CacheError::Unavailable { .. }) => "LevelUnavailable",
            Failure::Cache(_) => "CacheError",
        };
        Diagnostic { error_type: kind.to_owned(), error_message: failure.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(problem) => f.write_str(problem),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
