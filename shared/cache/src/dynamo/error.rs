//! Why L3 could not be asked.

use super::identity::Foreign;
use crate::{level::Level, outcome::CacheError};
use std::{error::Error, fmt};

/// Why L3 could not be asked.
#[derive(Debug)]
pub(crate) enum L3Error {
    /// It failed lately and is skipped for a moment.
    Skipped,
    /// It refused the request, or it could not be sent.
    Refused(Box<dyn Error + Send + Sync>),
    /// It failed or did not answer in time; what was asked may have happened.
    Failed(Box<dyn Error + Send + Sync>),
    /// Its tables belong to another deployment.
    Foreign(Box<Foreign>),
}

impl L3Error {
    /// Whether a write that ended so may have happened.
    pub(crate) fn may_have_happened(&self) -> bool {
        matches!(self, L3Error::Failed(_))
    }
}

impl fmt::Display for L3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            L3Error::Skipped => f.write_str("dynamodb is skipped after a failure"),
            L3Error::Refused(_) => f.write_str("dynamodb refused"),
            L3Error::Failed(_) => f.write_str("dynamodb failed"),
            L3Error::Foreign(_) => f.write_str("the tables are not this deployment's"),
        }
    }
}

impl Error for L3Error {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            L3Error::Skipped => None,
            L3Error::Refused(error) | L3Error::Failed(error) => Some(&**error),
            L3Error::Foreign(foreign) => Some(&**foreign),
        }
    }
}

impl From<L3Error> for CacheError {
    fn from(error: L3Error) -> CacheError {
        CacheError::unavailable(Level::L3, error)
    }
}
