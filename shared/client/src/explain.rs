//! Why a read of a key is answered as it is.

use crate::{Result, call::Call, client::Client, journal::Mutation, level::Level, timestamp::Timestamp};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// What is known of a key, by the container that answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explained {
    /// The key.
    pub key: String,
    /// `hit`: a read finds the newest value; `stale`: a copy that is not, or cannot be shown to be, the newest; `miss`:
    /// nothing.
    pub verdict: String,
    /// Why it does not find the newest value, such as `expired`; `docs/explain.md` lists the reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a GET would be answered with.
    pub get: Prediction,
    /// What did it, where that is still known; with more for tokens that may read the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Mutation>,
    /// Since when all that happened to a key is known, to which nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_since: Option<Timestamp>,
    /// What each level has, the fastest first.
    pub levels: Vec<LevelCopy>,
    /// Who answered.
    pub container: Container,
}

/// What a GET would be answered with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Prediction {
    /// 200, 404 or 503.
    pub status: u16,
    /// The level that would answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
}

/// What a level has of a key, or what is left of what it had.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LevelCopy {
    /// Which level.
    pub level: Level,
    /// Whether a read may return what it has.
    pub trusted: bool,
    /// Why it may not, or why there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The mutation that it comes from; the greater is the newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The position of the journal at which it was the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// A container.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Container {
    /// Its name.
    pub id: String,
    /// The coherence window, in milliseconds.
    pub coherence_window_ms: u64,
    /// When it read the journal last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Timestamp>,
}

impl Client {
    /// Why a read of a key is answered as it is. Changes nothing, and counts as no read.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/explain.rs")]
    /// ```
    pub async fn explain(&self, key: &str) -> Result<Explained> {
        self.send(Call::new(Method::GET, "/explain").query("key", Some(key.to_owned()))).await?.json()
    }
}
