//! What there is: keys, tags, and how much of them.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    level::Level,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// Some of the entries, by the bytes of their keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyPage {
    /// The entries; there may be fewer than were asked for, and more to come.
    pub keys: Vec<ListedKey>,
    /// What to give as [`Keys::cursor`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An entry without its value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListedKey {
    /// The key.
    pub key: String,
    /// From when on it is not returned any more.
    pub expires_at: Timestamp,
    /// Bytes of its JSON text, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// When this value was stored, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The levels that it may be in.
    #[serde(default)]
    pub levels: Vec<Level>,
}

/// Some of the tags.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagPage {
    /// The tags.
    pub tags: Vec<TagCount>,
    /// What to give as [`Tags::cursor`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// Entries that have it.
    pub entries: u64,
}

/// What the last census counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// The level that was counted.
    pub level: Level,
    /// What parts of keys are separated by.
    pub separator: char,
    /// Parts that a prefix has.
    pub depth: u64,
    /// The prefixes with most.
    pub prefixes: Vec<PrefixAmount>,
    /// All that is under none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Amount>,
    /// All there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Amount>,
    /// When the census began; without one nothing has been counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_at: Option<Timestamp>,
    /// How long ago that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
}

/// What is under a prefix.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PrefixAmount {
    /// The prefix.
    pub prefix: String,
    /// Entries under it.
    pub entries: u64,
    /// Bytes that they take.
    pub stored_bytes: u64,
}

/// How much there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Amount {
    /// Entries.
    pub entries: u64,
    /// Bytes that they take.
    pub stored_bytes: u64,
}

impl Client {
    /// Lists the entries, page by page.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/keys.rs")]
    /// ```
    pub fn keys(&self) -> Keys<'_> {
        Keys { client: self, prefix: None, tag: None, limit: None, cursor: None }
    }

    /// Lists the tags, page by page, and how many entries have them.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/tags.rs")]
    /// ```
    pub fn tags(&self) -> Tags<'_> {
        Tags { client: self, prefix: None, limit: None, cursor: None }
    }

    /// How much lies under which prefixes, as the last census has counted it.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/stats.rs")]
    /// ```
    pub fn stats(&self) -> StatsRequest<'_> {
        StatsRequest { client: self, separator: None, depth: None }
    }
}

/// See [`Client::keys`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Keys<'a> {
    client: &'a Client,
    prefix: Option<String>,
    tag: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl Keys<'_> {
    /// Those that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Those that have this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// At most so many, 1 to 1000; default 100.
    pub fn limit(mut self, keys: u64) -> Self {
        self.limit = Some(keys);
        self
    }

    /// Those after the page that said this.
    pub fn cursor(mut self, next: impl Into<String>) -> Self {
        self.cursor = Some(next.into());
        self
    }

    async fn send(self) -> Result<KeyPage> {
        let call = Call::new(Method::GET, "/keys").query("prefix", self.prefix).query("tag", self.tag);
        let call = call.query("limit", self.limit.map(|limit| limit.to_string())).query("cursor", self.cursor);
        self.client.send(call).await?.json()
    }
}

awaited!(Keys<'a> => KeyPage);

/// See [`Client::tags`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Tags<'a> {
    client: &'a Client,
    prefix: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl Tags<'_> {
    /// Those that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// At most so many, 1 to 1000; default 100.
    pub fn limit(mut self, tags: u64) -> Self {
        self.limit = Some(tags);
        self
    }

    /// Those after the page that said this.
    pub fn cursor(mut self, next: impl Into<String>) -> Self {
        self.cursor = Some(next.into());
        self
    }

    async fn send(self) -> Result<TagPage> {
        let call = Call::new(Method::GET, "/tags").query("prefix", self.prefix);
        let call = call.query("limit", self.limit.map(|limit| limit.to_string())).query("cursor", self.cursor);
        self.client.send(call).await?.json()
    }
}

awaited!(Tags<'a> => TagPage);

/// See [`Client::stats`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct StatsRequest<'a> {
    client: &'a Client,
    separator: Option<char>,
    depth: Option<u64>,
}

impl StatsRequest<'_> {
    /// What parts of keys are separated by; default `:`.
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = Some(separator);
        self
    }

    /// Parts that a prefix has; default 1.
    pub fn depth(mut self, parts: u64) -> Self {
        self.depth = Some(parts);
        self
    }

    async fn send(self) -> Result<Stats> {
        let call = Call::new(Method::GET, "/stats").query("separator", self.separator.map(String::from));
        self.client.send(call.query("depth", self.depth.map(|depth| depth.to_string()))).await?.json()
    }
}

awaited!(StatsRequest<'a> => Stats);
