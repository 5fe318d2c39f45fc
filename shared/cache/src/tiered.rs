//! Stub, being written.
use crate::*;

/// What is fixed when a container starts.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The table of notes, jobs and the configuration document.
    pub control_table: String,
    /// Where time comes from.
    pub clock: Clock,
}

/// The three levels behind one face.
#[derive(Debug)]
pub struct TieredCache {}

impl TieredCache {
    /// Makes the cache of this container. Opens no connection and cannot fail for want of one.
    pub fn open(_deployment: Deployment, _config: Config) -> Result<TieredCache, OpenError> {
        unimplemented!()
    }

    /// Opens the Redis connection in the background of start-up. Never fails.
    pub async fn connect(&self) {
        unimplemented!()
    }

    /// The configuration in force.
    pub fn config(&self) -> std::sync::Arc<Config> {
        unimplemented!()
    }

    /// The clock of this container.
    pub fn clock(&self) -> &Clock {
        unimplemented!()
    }

    /// Reads `key`.
    pub async fn get(&self, _key: &Key, _read: Read) -> Result<Lookup, CacheError> {
        unimplemented!()
    }

    /// Stores a value under `key`.
    pub async fn put(&self, _key: &Key, _put: Put) -> Result<Stored, CacheError> {
        unimplemented!()
    }

    /// Deletes `key` from every level.
    pub async fn delete(&self, _key: &Key) -> Result<Deleted, CacheError> {
        unimplemented!()
    }
}
/// Why a cache cannot be made of these settings.
#[derive(Debug)]
pub enum OpenError {
    /// The Redis address cannot be read; the text does not repeat it.
    RedisUrl(String),
}
