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
use std::time::Duration;

/// Mutations, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mutations {
    /// The mutations.
    pub mutations: Vec<Mutation>,
    /// What to give as [`Journal::since`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The search ended here: what is older was not looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched_since: Option<String>,
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
    /// `stale` of an invalidation that left the grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
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
        Journal { client: self, since: None, limit: None, narrowed: Vec::new() }
    }
}

/// See [`Client::journal`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Journal<'a> {
    client: &'a Client,
    since: Option<String>,
    limit: Option<u64>,
    narrowed: Vec<(&'static str, String)>,
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

    /// Those that may have touched this key: by whatever tags it had.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.narrow("key", key)
    }

    /// Those that may have touched a key that begins with this.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.narrow("prefix", prefix)
    }

    /// Those of this kind: `put`, `delete`, `invalidate` or `config`.
    pub fn kind(self, kind: impl Into<String>) -> Self {
        self.narrow("kind", kind)
    }

    /// Those that this subject asked for.
    pub fn by(self, subject: impl Into<String>) -> Self {
        self.narrow("by", subject)
    }

    /// Where there are none after [`since`](Journal::since) yet, waits so long for the next one; whole seconds, 20 at most.
    pub fn wait(self, time: Duration) -> Self {
        self.narrow("wait", time.as_secs().to_string())
    }

    fn narrow(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.narrowed.push((name, value.into()));
        self
    }

    async fn send(self) -> Result<Mutations> {
        let call = Call::new(Method::GET, "/journal").query("since", self.since);
        let call = call.query("limit", self.limit.map(|limit| limit.to_string()));
        let call = self.narrowed.into_iter().fold(call, |call, (name, value)| call.query(name, Some(value)));
        self.client.send(call).await?.json()
    }
}

awaited!(Journal<'a> => Mutations);
