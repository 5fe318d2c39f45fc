//! One entry: read, store.

use crate::{
    Result,
    cache_control::cache_control,
    call::{Call, FILL_TOKEN, Reply},
    client::{Client, awaited},
    error::{Code, Error},
    level::Level,
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::{
    Method, StatusCode,
    header::{CACHE_CONTROL, IF_MATCH, IF_NONE_MATCH},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::time::Duration;

/// A value with what is known of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// Always true.
    pub found: bool,
    /// The key.
    pub key: String,
    /// The value as JSON text, byte for byte as it was stored.
    pub value: Box<RawValue>,
    /// What is known of it.
    pub metadata: Metadata,
    /// The entity tag of the value, for conditions.
    #[serde(skip)]
    pub etag: String,
    /// What each level did (RFC 9211), the one nearest to the data first.
    #[serde(skip)]
    pub cache_status: String,
}

impl Entry {
    /// The value as a type of yours.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.value.get())
    }
}

/// What is known of an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metadata {
    /// Where it was found.
    pub level: Level,
    /// When this value was stored.
    pub created_at: Timestamp,
    /// The read before this one.
    pub last_accessed: Timestamp,
    /// Reads of this value.
    pub access_count: u64,
    /// Its time to live in seconds, as it was stored.
    pub ttl_seconds: u64,
    /// Where it expires sooner when nobody reads it: after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// From when on it is not returned any more, but to who [takes](Get::max_stale) what has expired.
    pub expires_at: Timestamp,
    /// For how many seconds it is kept after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u64>,
    /// It has expired.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stale: bool,
    /// Bytes of its JSON text.
    pub size_bytes: u64,
    /// Whether it is stored compressed.
    pub compressed: bool,
    /// How its envelope is written.
    pub serialization_format: String,
}

/// What a read finds that was told which value is known already.
#[derive(Debug, Clone)]
pub enum Change {
    /// The value is the one that is known.
    None,
    /// Another one.
    Changed(Box<Entry>),
    /// There is none any more.
    Gone,
}

/// A value that was stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stored {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The key.
    pub key: String,
    /// How it was stored.
    pub metadata: StoredMetadata,
    /// Redis could not be told: other containers may answer the older value for ten seconds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
    /// Whether there was no live entry before.
    #[serde(skip)]
    pub created: bool,
    /// The entity tag of the value, for conditions.
    #[serde(skip)]
    pub etag: String,
}

/// How a value was stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StoredMetadata {
    /// Where it is now.
    pub levels_stored: Vec<Level>,
    /// Bytes of its JSON text.
    pub size_bytes: u64,
    /// Whether it is stored compressed.
    pub compressed: bool,
    /// Stored by raw bytes; 1.0 when it is not compressed.
    pub compression_ratio: f64,
    /// How its envelope is written.
    pub serialization_format: String,
    /// From when on it is not returned any more.
    pub expires_at: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

impl Client {
    /// Reads an entry; `None` when there is none.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/get.rs")]
    /// ```
    pub fn get(&self, key: impl Into<String>) -> Get<'_> {
        Get { client: self, key: key.into(), fresh: false, max_stale: None, if_match: None }
    }

    /// Reads an entry unless its value is still the one of this entity tag.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/get_if_changed.rs")]
    /// ```
    pub fn get_if_changed(&self, key: impl Into<String>, etag: impl Into<String>) -> GetIfChanged<'_> {
        GetIfChanged { client: self, key: key.into(), etag: etag.into(), fresh: false }
    }

    /// Stores a value. A [`RawValue`] is stored byte for byte as it is.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/put.rs")]
    /// ```
    pub fn put(&self, key: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Put<'_> {
        let value = to_raw_value(value).map_err(|why| Error::Invalid(format!("the value is no JSON: {why}")));
        let options = PutOptions::default();
        Put {
            client: self,
            key: key.into(),
            value,
            options,
            if_match: None,
            if_absent: false,
            fill_token: None,
            repeat: Repeat::Never,
        }
    }
}

pub(crate) fn call(method: Method, key: &str) -> Call {
    // Every key can be sent as a parameter; in a path some would be taken for steps of it.
    Call::new(method, "/entries").query("key", Some(key))
}

/// A reply, or `None` where the entry is not there.
pub(crate) fn unless_missing(sent: Result<Reply>) -> Result<Option<Reply>> {
    match sent {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if error.code() == Some(&Code::CacheKeyNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn entry(reply: &Reply) -> Result<Entry> {
    let mut entry: Entry = reply.json()?;
    entry.etag = reply.etag().unwrap_or_default();
    entry.cache_status = reply.header("cache-status").unwrap_or_default();
    Ok(entry)
}

/// See [`Client::get`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Get<'a> {
    client: &'a Client,
    key: String,
    fresh: bool,
    pub(crate) max_stale: Option<Duration>,
    if_match: Option<String>,
}

impl Get<'_> {
    /// No value older than the one in force, at the cost of a round trip to Redis (`Cache-Control: no-cache`).
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    /// An error [`Code::PreconditionFailed`] unless the value has this entity tag.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }

    async fn send(self) -> Result<Option<Entry>> {
        let call = call(Method::GET, &self.key)
            .header(CACHE_CONTROL, cache_control(self.fresh, self.max_stale))?
            .header(IF_MATCH, self.if_match)?;
        unless_missing(self.client.send(call).await)?.as_ref().map(entry).transpose()
    }
}

awaited!(Get<'a> => Option<Entry>);

/// See [`Client::get_if_changed`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct GetIfChanged<'a> {
    client: &'a Client,
    key: String,
    etag: String,
    fresh: bool,
}

impl GetIfChanged<'_> {
    /// No value older than the one in force.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    async fn send(self) -> Result<Change> {
        let call = call(Method::GET, &self.key)
            .header(CACHE_CONTROL, self.fresh.then_some("no-cache"))?
            .header(IF_NONE_MATCH, Some(self.etag))?;
        Ok(match unless_missing(self.client.send(call).await)? {
            None => Change::Gone,
            Some(reply) if reply.status == StatusCode::NOT_MODIFIED => Change::None,
            Some(reply) => Change::Changed(Box::new(entry(&reply)?)),
        })
    }
}

awaited!(GetIfChanged<'a> => Change);

/// What a value is stored with, but for conditions.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PutOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compression_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_levels: Option<Vec<Level>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_jitter: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace_seconds: Option<u64>,
}

/// See [`Client::put`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Put<'a> {
    client: &'a Client,
    key: String,
    value: Result<Box<RawValue>>,
    pub(crate) options: PutOptions,
    if_match: Option<String>,
    if_absent: bool,
    fill_token: Option<String>,
    repeat: Repeat,
}

#[derive(Serialize)]
struct PutBody<'a> {
    value: &'a RawValue,
    #[serde(flatten)]
    options: &'a PutOptions,
}

impl Put<'_> {
    /// All of these in place of what was said.
    pub(crate) fn options(mut self, options: PutOptions) -> Self {
        self.options = options;
        self
    }

    /// Its time to live, in whole seconds, of which there is at least one; the server's default is an hour.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl_seconds = Some(ttl.as_secs());
        self
    }

    /// Ends it sooner when nobody reads it for so many whole seconds, of which there is at least one.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.options.idle_seconds = Some(idle.as_secs());
        self
    }

    /// Shortens its life by up to this share of it, 0 to 0.5, by chance, so that what is stored together does not expire
    /// together.
    pub fn jitter(mut self, share: f64) -> Self {
        self.options.ttl_jitter = Some(share);
        self
    }

    /// Its tags, by which it can be invalidated. Those of the value before are not kept.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.options.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Whether it may be compressed; default yes.
    pub fn compression(mut self, enabled: bool) -> Self {
        self.options.compression_enabled = Some(enabled);
        self
    }

    /// The levels that it may be in; default all.
    pub fn levels(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.options.cache_levels = Some(levels.into_iter().collect());
        self
    }

    /// An error [`Code::PreconditionFailed`] where there is a value.
    pub fn if_absent(mut self) -> Self {
        self.if_absent = true;
        self
    }

    /// An error [`Code::PreconditionFailed`] unless there is a value of this entity tag; `*` for any value.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }

    /// An error [`Code::LeaseLost`] unless nothing has touched the key since the miss that [granted](crate::Lease::Granted)
    /// this token. No other condition goes with it.
    pub fn fill_token(mut self, token: impl Into<String>) -> Self {
        self.fill_token = Some(token.into());
        self
    }

    /// Sends it again when it may have been stored already: for keys that nobody else stores, or values that are right
    /// whenever they are stored. A condition is not sent again all the same, for it would meet what it has stored itself.
    pub fn repeat(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    async fn send(self) -> Result<Stored> {
        let is_conditional = self.if_absent || self.if_match.is_some() || self.fill_token.is_some();
        let call = call(Method::PUT, &self.key)
            .header(IF_NONE_MATCH, self.if_absent.then_some("*"))?
            .header(IF_MATCH, self.if_match)?
            .header(FILL_TOKEN, self.fill_token)?
            .json(&PutBody { value: &self.value?, options: &self.options })?
            .repeat(if is_conditional { Repeat::Never } else { self.repeat });
        let reply = self.client.send(call).await?;
        let mut stored: Stored = reply.json()?;
        stored.created = reply.status == StatusCode::CREATED;
        stored.etag = reply.etag().unwrap_or_default();
        Ok(stored)
    }
}

awaited!(Put<'a> => Stored);
