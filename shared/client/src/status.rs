//! The state and the statistics of the fleet.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    level::Level,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// The state of all levels, of the whole fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Of the whole.
    pub status: Health,
    /// Each level, the fastest first.
    pub levels: Vec<LevelStatus>,
    /// Sums over the levels.
    pub overall_stats: OverallStats,
    /// What the API key stores in Redis, and may store; not there while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    /// What audits have found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coherence: Option<Coherence>,
    /// The minutes that were [asked for](StatusRequest::history), the oldest first; none for a token with prefixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Minute>>,
    /// When it was read.
    pub last_updated: Timestamp,
}

/// What the fleet reported in a minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Minute {
    /// When it began.
    pub at: Timestamp,
    /// Mutations.
    pub mutations: u64,
    /// Reads of the journal.
    pub syncs: u64,
    /// Each level, the fastest first.
    pub levels: Vec<LevelMinute>,
}

/// What a level did in a minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LevelMinute {
    /// Which one.
    pub level: Level,
    /// Reads that it was asked.
    pub reads: u64,
    /// Those that it answered.
    pub hits: u64,
    /// Those for which it was out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// Copies dropped to make room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<u64>,
}

/// What was found when copies in memory were compared with the source of truth.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coherence {
    /// Copies that were compared.
    pub checked: u64,
    /// Those that were older than they may be.
    pub violations: u64,
    /// The greatest age that was found, in milliseconds.
    pub greatest_age_ms: u64,
}

/// How the whole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All is well.
    Healthy,
    /// A level is slow, takes no writes, or is down.
    Degraded,
    /// No shared level answers.
    Unhealthy,
}

/// How a level is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelHealth {
    /// All is well.
    Healthy,
    /// It is slow, or takes no writes.
    Degraded,
    /// It is down.
    Unhealthy,
    /// It is switched off.
    Disabled,
}

/// A level. What only some levels have is optional.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LevelStatus {
    /// Which one.
    pub level: Level,
    /// Whether it is switched on.
    pub enabled: bool,
    /// How it is.
    pub status: LevelHealth,
    /// Bytes.
    pub size: u64,
    /// Entries.
    pub entries: u64,
    /// Hits by hits and misses of the last hour, 0 to 1.
    pub hit_ratio: f64,
    /// Since [`Fleet::counted_since`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// Since [`Fleet::counted_since`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misses: Option<u64>,
    /// Misses for which a copy was there, and not certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_refused: Option<u64>,
    /// Operations for which the level was out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<u64>,
    /// Copies dropped to make room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<u64>,
    /// In MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_usage_mb: Option<f64>,
    /// Entries of one container, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_capacity: Option<u64>,
    /// MiB of one container, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size_mb: Option<u64>,
    /// Connections that are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_pool_size: Option<u64>,
    /// Containers that are connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_connections: Option<u64>,
    /// Keys that Redis evicted in the last five to ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evicted: Option<u64>,
    /// Why it is degraded, where that is not for being slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an API key stores in Redis, and may store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// What it stores.
    #[serde(flatten)]
    pub used: Amounts,
    /// What it may; what is not limited is not there.
    pub quotas: Amounts,
}

/// So much of what quotas count.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Amounts {
    /// Entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// Bytes of entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes of the indexes that find them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_bytes: Option<u64>,
}

/// Sums over the levels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OverallStats {
    /// Copies in all levels.
    pub total_entries: u64,
    /// In MiB.
    pub total_size_mb: f64,
    /// Reads answered with a value by all reads of the last hour, 0 to 1.
    pub overall_hit_ratio: f64,
    /// Values that reads brought up.
    pub cache_promotion_count: u64,
    /// Values that went down when memory made room.
    pub cache_demotion_count: u64,
    /// Mutations that Redis could not be told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_mutation_count: Option<u64>,
}

/// The containers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Fleet {
    /// `available`; while `unavailable`, counts are 0 because they are not known.
    pub statistics: String,
    /// Since when hits and misses are counted.
    pub counted_since: Option<Timestamp>,
    /// Containers that reported in the last 15 minutes.
    pub containers: u64,
    /// The coherence window in force, in milliseconds.
    pub coherence_window_ms: u64,
    /// Records in the journal.
    pub journal_records: u64,
    /// The newest of them.
    pub journal_newest: Option<String>,
}

impl Client {
    /// The state and the statistics of all levels. A level that is down is part of the answer, not an error.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/status.rs")]
    /// ```
    pub fn status(&self) -> StatusRequest<'_> {
        StatusRequest { client: self, history: None }
    }
}

/// See [`Client::status`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct StatusRequest<'a> {
    client: &'a Client,
    history: Option<u64>,
}

impl StatusRequest<'_> {
    /// With what the fleet did in each of the last minutes, 1 to 60.
    pub fn history(mut self, minutes: u64) -> Self {
        self.history = Some(minutes);
        self
    }

    async fn send(self) -> Result<Status> {
        let minutes = self.history.map(|minutes| minutes.to_string());
        self.client.send(Call::new(Method::GET, "/status").query("history", minutes)).await?.json()
    }
}

awaited!(StatusRequest<'a> => Status);
