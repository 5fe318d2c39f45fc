//! Why Redis could not be asked.

use super::meaning::Meaning;
use crate::{level::Level, outcome::CacheError};
use redis::RedisError;
use std::fmt;

/// Redis cannot be asked.
#[derive(Debug, Clone)]
pub(crate) enum Down {
    /// It failed lately and is skipped for a moment.
    Skipped,
    /// It takes no writes: it has refused one lately.
    Refusing,
    /// It did not answer in time.
    TimedOut,
    /// It failed.
    Failed(RedisError),
    /// It answered what cannot be understood.
    Odd(&'static str),
}

impl Down {
    /// Whether Redis answers and takes no writes at present: what was asked did nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Down::Refusing => true,
            Down::Failed(error) => Meaning::of(error) == Meaning::Refused,
            Down::Skipped | Down::TimedOut | Down::Odd(_) => false,
        }
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::Skipped => f.write_str("redis is skipped after a failure"),
            Down::Refusing => f.write_str("redis takes no writes"),
            Down::TimedOut => f.write_str("redis did not answer in time"),
            Down::Failed(error) => write!(f, "redis failed: {error}"),
            Down::Odd(what) => write!(f, "redis answered what cannot be understood: {what}"),
        }
    }
}

impl std::error::Error for Down {}

impl From<Down> for CacheError {
    fn from(down: Down) -> CacheError {
        CacheError::unavailable(Level::L2, down)
    }
}
