//! What reading through the cache comes to.

use crate::error::Error;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::{fmt, sync::Arc};

/// A value that was there, or was loaded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loaded {
    /// The value as JSON text.
    pub value: Arc<RawValue>,
    /// Where it comes from.
    pub source: Source,
}

impl Loaded {
    /// The value as a type of yours.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.value.get())
    }
}

/// Where a value comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Source {
    /// The cache.
    Cache,
    /// The cache, where it has [expired](crate::GetOrLoad::grace): it could not be loaded, or somebody else loads it.
    Expired,
    /// It was loaded, and is stored.
    Load,
    /// It was loaded, and may not be stored, for this reason; `None`: somebody else loads it, and took too long.
    Unstored(Option<Error>),
}

/// Why there is no value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LoadError {
    /// The cache could not be asked. Nothing was loaded.
    Cache(Error),
    /// It is missing, and could not be loaded.
    Load(Arc<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Cache(error) => error.fmt(f),
            LoadError::Load(error) => write!(f, "it could not be loaded: {error}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LoadError::Cache(error) => Some(error),
            LoadError::Load(error) => Some(error.as_ref()),
        }
    }
}
