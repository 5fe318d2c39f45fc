//! What is asked of an entry without its value being sent: whether it is there, and another life or other tags for it.

use crate::{
    Result,
    client::{Client, awaited},
    entries::{call, is_false, unless_missing},
    error::Error,
    level::Level,
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::{
    Method,
    header::{CACHE_CONTROL, IF_MATCH},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An entry that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The entity tag of the value, for conditions.
    pub etag: String,
    /// What each level did (RFC 9211), the one nearest to the data first.
    pub cache_status: String,
}

/// An entry that has another life or other tags now, or was left as it was.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Patched {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The key.
    pub key: String,
    /// Whether anything was changed.
    pub changed: bool,
    /// How it is now.
    pub metadata: PatchedMetadata,
    /// Redis could not be told: other containers learn of it within ten seconds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
    /// The entity tag of the value, which stays.
    #[serde(skip)]
    pub etag: String,
}

/// How an entry is after [`Client::patch`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatchedMetadata {
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels_stored: Option<Vec<Level>>,
    /// Its time to live in seconds.
    pub ttl_seconds: u64,
    /// Where it expires sooner when nobody reads it: after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Bytes of its JSON text.
    pub size_bytes: u64,
    /// Whether it is stored compressed.
    pub compressed: bool,
    /// How its envelope is written.
    pub serialization_format: String,
    /// From when on it is not returned any more.
    pub expires_at: Timestamp,
    /// When its value was stored.
    pub created_at: Timestamp,
}

impl Client {
    /// Asks whether an entry is there, without its value; `None` when it is not.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/head.rs")]
    /// ```
    pub fn head(&self, key: impl Into<String>) -> HeadEntry<'_> {
        HeadEntry { client: self, key: key.into(), fresh: false }
    }

    /// Gives an entry another life or other tags, without its value being sent; `None` when it is not there.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/patch.rs")]
    /// ```
    pub fn patch(&self, key: impl Into<String>) -> Patch<'_> {
        Patch { client: self, key: key.into(), body: Body::default(), if_match: None }
    }
}

/// See [`Client::head`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct HeadEntry<'a> {
    client: &'a Client,
    key: String,
    fresh: bool,
}

impl HeadEntry<'_> {
    /// Of the value in force, at the cost of a round trip to Redis.
    pub fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }

    async fn send(self) -> Result<Option<Head>> {
        let call = call(Method::HEAD, &self.key).header(CACHE_CONTROL, self.fresh.then_some("no-cache"))?;
        let reply = match self.client.send(call).await {
            Ok(reply) => reply,
            // An answer to HEAD has no body that could say more.
            Err(Error::Protocol { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Head {
            etag: reply.etag().unwrap_or_default(),
            cache_status: reply.header("cache-status").unwrap_or_default(),
        }))
    }
}

awaited!(HeadEntry<'a> => Option<Head>);

/// See [`Client::patch`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Patch<'a> {
    client: &'a Client,
    key: String,
    body: Body,
    if_match: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    add_tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remove_tags: Vec<String>,
}

impl Patch<'_> {
    /// So long from now, in whole seconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.body.ttl_seconds = Some(ttl.as_secs());
        self
    }

    /// Only if it lives longer then.
    pub fn only_longer(mut self) -> Self {
        self.body.only = Some("longer");
        self
    }

    /// Only if it lives shorter then.
    pub fn only_shorter(mut self) -> Self {
        self.body.only = Some("shorter");
        self
    }

    /// These tags as well.
    pub fn add_tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.body.add_tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Not these tags any more.
    pub fn remove_tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.body.remove_tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// An error [`Code::PreconditionFailed`](crate::Code::PreconditionFailed) unless the value has this entity tag.
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.if_match = Some(etag.into());
        self
    }

    async fn send(self) -> Result<Option<Patched>> {
        // Sent again it could end a life that another has made longer in between.
        let call =
            call(Method::PATCH, &self.key).header(IF_MATCH, self.if_match)?.json(&self.body)?.repeat(Repeat::Never);
        let Some(reply) = unless_missing(self.client.send(call).await)? else { return Ok(None) };
        let mut patched: Patched = reply.json()?;
        patched.etag = reply.etag().unwrap_or_default();
        Ok(Some(patched))
    }
}

awaited!(Patch<'a> => Option<Patched>);
