//! Taking an invalidation or a DELETE back.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    retry::Repeat,
    timestamp::Timestamp,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// What an undo brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Undone {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// The invalidation.
    pub invalidation_id: String,
    /// Entries that are there again.
    pub restored: u64,
    /// Entries that something else has touched since, which stay as they are.
    pub overwritten: u64,
    /// Entries whose time to live is over by now.
    pub expired: u64,
    /// Entries that Redis alone held, which nothing keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level2_only: Option<u64>,
    /// When they came back.
    pub undone_at: Timestamp,
}

/// An invalidation that is open, or that can be undone or could in the last day.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Invalidation {
    /// What to [undo](Client::undo) it by.
    pub invalidation_id: String,
    /// By what it was meant: `pattern`, `tags`, `keys`, or `delete` for a DELETE.
    pub kind: String,
    /// The key of a DELETE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// How many keys it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_count: Option<u64>,
    /// Whose token it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// As it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `stale` where it leaves the grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// What can be done about it.
    pub state: InvalidationState,
    /// Until when it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
    /// Entries that it removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidated_count: Option<u64>,
    /// Entries that its undo brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
}

/// What can be done about an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InvalidationState {
    /// It has not removed everything, which is hidden meanwhile.
    Open,
    /// It can be undone.
    Undoable,
    /// It was undone.
    Undone,
    /// It is too late to undo it.
    Expired,
}

impl InvalidationState {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            InvalidationState::Open => "open",
            InvalidationState::Undoable => "undoable",
            InvalidationState::Undone => "undone",
            InvalidationState::Expired => "expired",
        }
    }
}

/// Some of the invalidations, the newest first; the first page begins with those that are open and cannot be undone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvalidationPage {
    /// The invalidations.
    pub invalidations: Vec<Invalidation>,
    /// What to give as [`Invalidations::cursor`] for those that come after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Client {
    /// Brings back what an invalidation or a DELETE has removed that was asked for with
    /// [`undo_within`](crate::Invalidate::undo_within), where nothing else has touched it since. Later than that the error
    /// is [`Code::UndoExpired`](crate::Code::UndoExpired). While it has not come to its end
    /// ([`Code::UndoPending`](crate::Code::UndoPending)) it is asked again, as [`Retry`](crate::Retry) allows.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/undo.rs")]
    /// ```
    pub async fn undo(&self, invalidation_id: &str) -> Result<Undone> {
        let path = format!("/invalidate/{}/undo", utf8_percent_encode(invalidation_id, NON_ALPHANUMERIC));
        // The same again is answered as the first time.
        self.send(Call::new(Method::POST, &path).repeat(Repeat::Harmless)).await?.json()
    }

    /// Lists the invalidations that can be undone, or could in the last day, page by page.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/invalidations.rs")]
    /// ```
    pub fn invalidations(&self) -> Invalidations<'_> {
        Invalidations { client: self, limit: None, cursor: None }
    }
}

/// See [`Client::invalidations`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Invalidations<'a> {
    client: &'a Client,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl Invalidations<'_> {
    /// At most so many that can be undone, or could, 1 to 100; default 20.
    pub fn limit(mut self, invalidations: u64) -> Self {
        self.limit = Some(invalidations);
        self
    }

    /// Those after the page that said this.
    pub fn cursor(mut self, next: impl Into<String>) -> Self {
        self.cursor = Some(next.into());
        self
    }

    async fn send(self) -> Result<InvalidationPage> {
        let call = Call::new(Method::GET, "/invalidations").query("limit", self.limit.map(|limit| limit.to_string()));
        self.client.send(call.query("cursor", self.cursor)).await?.json()
    }
}

awaited!(Invalidations<'a> => InvalidationPage);
