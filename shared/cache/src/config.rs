//! The configuration document: what the fleet shares and can be changed while it runs.
//!
//! Field names and defaults are the API's. Deployment settings (addresses, table, key prefix) are part of the
//! document so that it can be shown, and come from the environment; everything else can be changed while it runs.

pub(crate) mod document;
mod fields;

pub use document::FieldChange;
pub use fields::{Assignment, FIELDS, Fault, Field, Refusal};

use crate::level::{Level, Levels};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// The most that `max_entry_size_mb` may be: what is stored is readable whatever it is set to later.
pub const LARGEST_ENTRY_MB: u32 = 10;
/// The same in bytes.
pub const LARGEST_ENTRY_BYTES: usize = LARGEST_ENTRY_MB as usize * 1024 * 1024;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub struct Config {
    /// The memory of each container.
    pub l1_config: L1Config,
    /// Redis.
    pub l2_config: L2Config,
    /// DynamoDB.
    pub l3_config: L3Config,
    /// How payloads are compressed.
    pub compression: CompressionConfig,
    /// How envelopes are written.
    pub serialization: SerializationConfig,
    /// Largest value in MiB of JSON text, 1 to 10.
    pub max_entry_size_mb: MaxEntrySize,
    /// How agreement between containers is checked.
    pub coherence: CoherenceConfig,
}

/// How it is checked that containers agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoherenceConfig {
    /// One sync in this many compares some copies in L1 with L3; 0 for none.
    pub audit_every: u64,
}

impl Default for CoherenceConfig {
    fn default() -> Self {
        CoherenceConfig { audit_every: 1024 }
    }
}

/// Largest value in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaxEntrySize(pub u32);

impl Default for MaxEntrySize {
    fn default() -> Self {
        MaxEntrySize(LARGEST_ENTRY_MB)
    }
}

/// L1, mini-moka in each container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1Config {
    /// Whether the level is used.
    pub enabled: bool,
    /// Most entries per container.
    pub max_capacity: u64,
    /// Most payload bytes per container, in MiB.
    pub max_size_mb: u64,
    /// Longest time an entry stays, in minutes.
    pub ttl_minutes: u64,
    /// An entry that is not read for this long is dropped, in minutes.
    pub idle_timeout_minutes: u64,
    /// Always `LRU`.
    pub eviction_policy: EvictionPolicy,
    /// Δ: how old the container's knowledge of the journal may be when a read trusts L1, in milliseconds; 0 asks
    /// before every read.
    pub coherence_window_ms: u64,
}

/// How L1 chooses what to drop when it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum EvictionPolicy {
    /// Least recently used.
    #[default]
    #[serde(rename = "LRU")]
    Lru,
}

/// L2, Redis or Valkey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2Config {
    /// Whether the level is used.
    pub enabled: bool,
    /// Where it is: `redis[s]://[user:password@]host:port[/db]`; `redis+cluster://` or `rediss+cluster://` for
    /// cluster mode. Deployment setting.
    pub redis_url: RedisUrl,
    /// Kept for the API: a container serves one request at a time over one multiplexed connection.
    pub max_connections: u32,
    /// Longest time to connect outside of requests, in seconds.
    pub connection_timeout_seconds: u64,
    /// In front of every Redis key. Deployment setting; must not contain braces.
    pub key_prefix: String,
    /// Whether payloads may be compressed.
    pub compression_enabled: bool,
    /// Longest wait for one answer, in milliseconds.
    pub timeout_ms: u64,
    /// V: a copy whose certificate is older is checked against L3 again, in seconds.
    pub revalidate_seconds: u64,
}

/// The address of Redis. Only [`expose`](RedisUrl::expose) reveals its password: it is neither shown nor serialized.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// The address `url`, unchecked.
    pub fn new(url: impl Into<String>) -> RedisUrl {
        RedisUrl(url.into())
    }

    /// Whether it names a database of a cluster other than the first. Redis 7 has no other in cluster mode, so that connecting
    /// always fails; Valkey 9 would use it.
    pub(crate) fn names_database_of_cluster(&self) -> bool {
        let Some((_, address)) = self.0.split_once("+cluster://") else { return false };
        // A password may have a slash in it.
        let server = address.rsplit_once('@').map_or(address, |(_, server)| server);
        let server = server.split('?').next().unwrap_or_default();
        server.split_once('/').is_some_and(|(_, database)| !["", "0"].contains(&database))
    }

    /// The address with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((secret, host)) = self.0.rsplit_once('@') else { return f.write_str(&self.0) };
        match secret.split_once("://") {
            Some((scheme, _)) => write!(f, "{scheme}://***@{host}"),
            None => write!(f, "***@{host}"),
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// L3, DynamoDB.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L3Config {
    /// Whether the level is used.
    pub enabled: bool,
    /// `dynamodb://region/table`. Deployment setting.
    pub database_url: String,
    /// The table of entries. Deployment setting.
    pub table_name: String,
    /// Most requests in flight at once from one container.
    pub max_connections: u32,
    /// How often maintenance looks for what has expired, in hours.
    pub cleanup_interval_hours: u64,
    /// Longest wait for one operation with its retries, in milliseconds.
    pub timeout_ms: u64,
    /// For how long an invalidation or DELETE can be undone by default, in seconds; 0 for not at all.
    pub undo_seconds: u64,
}

/// Compression of payloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionConfig {
    /// Which algorithm new writes use.
    pub algorithm: Algorithm,
    /// 1 to 9 for zstd; lz4 has no levels.
    pub level: u8,
    /// Texts of fewer bytes are not compressed.
    pub threshold_bytes: usize,
}

/// A compression algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// LZ4 block format: fastest.
    #[default]
    Lz4,
    /// Zstandard: smallest.
    Zstd,
}

/// How envelopes are written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SerializationConfig {
    /// Format of the header of new envelopes.
    pub format: Format,
}

/// Format of an envelope's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Compact.
    #[default]
    Bincode,
    /// Readable for people who look into Redis by hand.
    Json,
}

impl Format {
    /// The format's name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Bincode => "bincode",
            Format::Json => "json",
        }
    }
}

impl Config {
    /// The levels that are switched on.
    pub fn enabled(&self) -> Levels {
        [(Level::L1, self.l1_config.enabled), (Level::L2, self.l2_config.enabled), (Level::L3, self.l3_config.enabled)]
            .into_iter()
            .filter_map(|(level, enabled)| enabled.then_some(level))
            .collect()
    }

    /// Sets the URL of Redis or Valkey: `redis://`, `rediss://` for TLS, `redis+cluster://` or `rediss+cluster://`.
    #[must_use]
    pub fn redis_url(mut self, url: impl Into<String>) -> Config {
        self.l2_config.redis_url = RedisUrl::new(url);
        self
    }

    /// Sets what every name in Redis begins with. Everything that shares a table of entries must use the same.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Config {
        self.l2_config.key_prefix = prefix.into();
        self
    }

    /// Sets the DynamoDB table of the entries, and its region, such as `eu-central-1`.
    #[must_use]
    pub fn table(mut self, region: &str, name: impl Into<String>) -> Config {
        self.l3_config.table_name = name.into();
        self.l3_config.database_url = format!("dynamodb://{region}/{}", self.l3_config.table_name);
        self
    }

    /// Sets Δ, in ms, up to 60,000; 0 reads the journal before each read.
    #[must_use]
    pub fn coherence_window_ms(mut self, window_ms: u64) -> Config {
        self.l1_config.coherence_window_ms = window_ms;
        self
    }

    /// Largest value in bytes of JSON text.
    pub fn max_entry_bytes(&self) -> usize {
        self.max_entry_size_mb.0 as usize * 1024 * 1024
    }
}

impl Default for L1Config {
    fn default() -> Self {
        L1Config {
            enabled: true,
            max_capacity: 10_000,
            max_size_mb: 100,
            ttl_minutes: 60,
            idle_timeout_minutes: 30,
            eviction_policy: EvictionPolicy::Lru,
            coherence_window_ms: 1000,
        }
    }
}

impl Default for L2Config {
    fn default() -> Self {
        L2Config {
            enabled: true,
            redis_url: RedisUrl::new("redis://localhost:6379/2"),
            max_connections: 20,
            connection_timeout_seconds: 5,
            key_prefix: "regulateai:cache:".to_owned(),
            compression_enabled: true,
            timeout_ms: 100,
            revalidate_seconds: 3600,
        }
    }
}

impl Default for L3Config {
    fn default() -> Self {
        L3Config {
            enabled: true,
            database_url: "dynamodb://us-east-1/cache_entries".to_owned(),
            table_name: "cache_entries".to_owned(),
            max_connections: 5,
            cleanup_interval_hours: 1,
            timeout_ms: 1000,
            undo_seconds: 0,
        }
    }
}

impl Default for CompressionConfig {
    fn default() -> Self {
        CompressionConfig { algorithm: Algorithm::Lz4, level: 1, threshold_bytes: 1024 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_cluster_is_refused_at_start_with_what_to_write() {
        let open = |url: &str| {
            let mut config = Config::default();
            config.l2_config.redis_url = RedisUrl::new(url);
            crate::TieredCache::open(crate::Deployment::new("control"), config)
        };
        for bad in ["redis+cluster://h:1/2", "rediss+cluster://u:p/0@h:1/15", "redis+cluster://h/1?protocol=resp3"] {
            let refused = open(bad).expect_err(bad).to_string();
            assert!(refused.contains("without /number at the end") && refused.contains("key_prefix"), "{refused}");
            assert!(!refused.contains("h:1"), "{refused}");
        }
        for good in ["redis+cluster://h:1", "redis+cluster://h:1/", "redis+cluster://u:p@h:1/0", "redis://h:1/2"] {
            assert!(open(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_redis_url_never_shows_its_password() {
        let url = RedisUrl::new("rediss://user:p@ss@host:6379/2");
        assert_eq!(format!("{url} {url:?}"), "rediss://***@host:6379/2 rediss://***@host:6379/2");
        assert_eq!(url.expose(), "rediss://user:p@ss@host:6379/2");
        assert_eq!(RedisUrl::new("redis://host:1").to_string(), "redis://host:1");
        assert_eq!(RedisUrl::new("user:p@ss@host:1").to_string(), "***@host:1");
    }
}
