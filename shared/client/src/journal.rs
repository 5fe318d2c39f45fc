//! Who changed what lately, and why.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    level::Level,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Mutations, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mutations {
    /// The mutations.
    pub mutations: Vec<Mutation>,
    /// What to give as [`Journal::since`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A mutation, or a change of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mutation {
    /// Its place in the journal.
    pub position: String,
    /// When it took effect.
    pub at: Timestamp,
    /// `put`, `delete`, `invalidate`, `config`, or what later versions add.
    pub kind: String,
    /// The key of a put or a delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The pattern of an invalidation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The tags of an invalidation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// `all` where an invalidation meant entries with all of the tags.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// The keys of an invalidation by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Tags that saved an entry from an invalidation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_tags: Option<Vec<String>>,
    /// Where it took effect, if not everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<Level>>,
    /// Whose token it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// As it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Entries that an invalidation met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_count: Option<u64>,
    /// What an update of the configuration changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<FieldChange>>,
}

/// A field of the configuration that was changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FieldChange {
    /// Its path, such as `l1_config.ttl_minutes`.
    pub field: String,
    /// Its value before.
    pub old: Value,
    /// Its value since.
    pub new: Value,
}

impl Client {
    /// The mutations of the last ten minutes that the token may see.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/journal.rs")]
    /// ```
    pub fn journal(&self) -> Journal<'_> {
        Journal { client: self, since: None, limit: None }
    }
}

/// See [`Client::journal`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Journal<'a> {
    client: &'a Client,
    since: Option<String>,
    limit: Option<u64>,
}

impl Journal<'_> {
    /// Those after this position; without it the newest.
    pub fn since(mut self, position: impl Into<String>) -> Self {
        self.since = Some(position.into());
        self
    }

    /// At most so many, 1 to 1000; default 100.
    pub fn limit(mut self, mutations: u64) -> Self {
        self.limit = Some(mutations);
        self
    }

    async fn send(self) -> Result<Mutations> {
        let call = Call::new(Method::GET, "/journal").query("since", self.since);
        self.client.send(call.query("limit", self.limit.map(|limit| limit.to_string()))).await?.json()
    }
}

awaited!(Journal<'a> => Mutations);
