//! What can be said of the fleet at one time.

use super::Counts;
use crate::{quota::Stock, version::Position};

/// The state of the cache as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Healthy; degraded when a level is not; unhealthy when no shared level answers.
    pub health: Health,
    /// The memories of all containers together.
    pub l1: LevelStatus,
    /// Redis.
    pub l2: LevelStatus,
    /// DynamoDB.
    pub l3: LevelStatus,
    /// What keeps Redis from being of full use although it answers.
    pub strain: Strain,
    /// What is stored for the API key that was asked for; `None` where it is not known.
    pub stock: Option<Stock>,
    /// What the containers have reported; `None` when Redis, which keeps their reports, cannot be asked.
    pub report: Option<FleetReport>,
}

/// How well something answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should.
    Healthy,
    /// Slowly: it took more than half of the level's time; or Redis takes no writes, or evicts. Of the whole: a level is not
    /// healthy.
    Degraded,
    /// Not at all.
    Unhealthy,
    /// It is switched off.
    Disabled,
}

impl Health {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Unhealthy => "unhealthy",
            Health::Disabled => "disabled",
        }
    }
}

/// The state of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelStatus {
    /// How well it answers.
    pub health: Health,
    /// Values it holds.
    pub entries: u64,
    /// Bytes of those: of their JSON texts in L1, of their envelopes in L2 and L3.
    pub bytes: u64,
    /// Bytes it takes: in L1 with an estimate of what keeping them takes; all that Redis uses, or where it does not say
    /// so, the same as `bytes`; in L3 the same as `bytes`.
    pub memory_bytes: u64,
}

/// What keeps Redis from being of full use although it answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strain {
    /// The code with which a shard refused to write: `OOM`, `NOREPLICAS` or `MISCONF`.
    pub refused: Option<String>,
    /// Keys that Redis has evicted since `since_ms`.
    pub evicted: u64,
    /// Five to ten minutes ago, in milliseconds since the Unix epoch; `None` where maintenance has not run yet.
    pub since_ms: Option<i64>,
}

/// What the containers have reported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetReport {
    /// Counts since `since_ms`.
    pub counts: Counts,
    /// Counts of the last hour, and up to five minutes more.
    pub recent: Counts,
    /// Counts of each of the last minutes, as many as were asked for, the oldest first, by when it began in milliseconds
    /// since the Unix epoch. A count belongs to the minute in which it was reported.
    pub minutes: Vec<(i64, Counts)>,
    /// The greatest age of a copy in L1 that was found when it was compared with L3, in milliseconds.
    pub oldest_ms: u64,
    /// When counting began, in milliseconds since the Unix epoch: with the first report after Redis was empty.
    pub since_ms: Option<i64>,
    /// Containers that have reported in the last 15 minutes; each has one connection to Redis.
    pub containers: u64,
    /// Mutations and other records that the journal holds.
    pub journal_records: u64,
    /// The newest of them.
    pub journal_newest: Option<Position>,
}
