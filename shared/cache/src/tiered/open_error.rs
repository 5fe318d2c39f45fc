//! Why a cache cannot be opened.

use std::fmt;

/// Why a cache cannot be opened with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// `l2_config.redis_url` cannot be understood, or does not go together with the access. The text does not repeat
    /// it: it may hold a password.
    RedisUrl,
    /// `l2_config.redis_url` names a database of a cluster, which has the first only.
    ClusterDatabase,
    /// `l2_config.key_prefix` has a brace, which Redis Cluster would take for its own.
    KeyPrefix,
    /// L2 and L3 are both switched off: nothing would decide which value is the newest.
    NoSharedLevel,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenError::RedisUrl => {
                "l2_config.redis_url must be redis[s][+cluster]://[user:password@]host:port[/db], rediss with a CA"
            }
            OpenError::ClusterDatabase => {
                "l2_config.redis_url names a database, and a cluster has the first only: write redis[s]+cluster://host:port, \
                 without /number at the end, and keep deployments on one cluster apart by key_prefix"
            }
            OpenError::KeyPrefix => "l2_config.key_prefix must not contain braces",
            OpenError::NoSharedLevel => "at least one of L2_REDIS and L3_DATABASE must be enabled",
        })
    }
}

impl std::error::Error for OpenError {}
