//! Deleting an entry.

use crate::{
    Result,
    call::Reply,
    client::{Client, awaited},
    entries::{call, is_false, unless_missing},
    invalidate::of_removal,
    level::Level,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    /// What to [undo](Client::undo) it by, where that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<String>,
    /// Until when it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
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
        Delete { client: self, key: key.into(), undo_seconds: None }
    }
}

/// See [`Client::delete`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Delete<'a> {
    client: &'a Client,
    key: String,
    undo_seconds: Option<u64>,
}

impl Delete<'_> {
    /// Keeps the value, so that it can be [undone](Client::undo) within so long: whole seconds, an hour at most; zero to
    /// keep nothing. By default as the API's configuration says. It is not sent again then when it may have happened.
    pub fn undo_within(mut self, time: Duration) -> Self {
        self.undo_seconds = Some(time.as_secs());
        self
    }

    async fn send(self) -> Result<Option<Deleted>> {
        let seconds = self.undo_seconds.map(|seconds| seconds.to_string());
        let call = call(Method::DELETE, &self.key).query("undo_seconds", seconds).repeat(of_removal(self.undo_seconds));
        unless_missing(self.client.send(call).await)?.as_ref().map(Reply::json).transpose()
    }
}

awaited!(Delete<'a> => Option<Deleted>);
