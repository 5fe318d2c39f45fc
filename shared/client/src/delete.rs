//! Deleting an entry.

use crate::{
    Result,
    call::Reply,
    client::{Client, awaited},
    entries::{call, is_false, unless_missing},
    level::Level,
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// An entry that was deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Deleted {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The key.
    pub key: String,
    /// Where it was.
    pub deleted_from_levels: Vec<Level>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Redis could not be told: other containers may answer the deleted value for ten seconds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
}

impl Client {
    /// Deletes an entry; `None` when there was none. Where an answer got lost on the way that may be one's own doing.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/delete.rs")]
    /// ```
    pub fn delete(&self, key: impl Into<String>) -> Delete<'_> {
        Delete { client: self, key: key.into() }
    }
}

/// See [`Client::delete`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Delete<'a> {
    client: &'a Client,
    key: String,
}

impl Delete<'_> {
    async fn send(self) -> Result<Option<Deleted>> {
        let call = call(Method::DELETE, &self.key).repeat(Repeat::Harmless);
        unless_missing(self.client.send(call).await)?.as_ref().map(Reply::json).transpose()
    }
}

awaited!(Delete<'a> => Option<Deleted>);
