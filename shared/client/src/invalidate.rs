//! Many entries removed at once.

use crate::{
    Result,
    call::Call,
    client::{Client, awaited},
    entries::is_false,
    level::Level,
    retry::Repeat,
    timestamp::Timestamp,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which entries are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// Those whose key matches: `*`, `?`, `[a-z]`, `[^a-z]`, `\` before a character.
    Pattern(String),
    /// Those that have any of these tags.
    Tags(Vec<String>),
    /// Those that have all of these tags.
    AllTags(Vec<String>),
    /// Those with these keys, at most 500.
    Keys(Vec<String>),
}

impl Selector {
    /// Keys that match a pattern.
    pub fn pattern(pattern: impl Into<String>) -> Selector {
        Selector::Pattern(pattern.into())
    }

    /// Entries with any of these tags.
    pub fn tags<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Selector {
        Selector::Tags(tags.into_iter().map(Into::into).collect())
    }

    /// Entries with all of these tags.
    pub fn all_tags<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Selector {
        Selector::AllTags(tags.into_iter().map(Into::into).collect())
    }

    /// Entries by name.
    pub fn keys<T: Into<String>>(keys: impl IntoIterator<Item = T>) -> Selector {
        Selector::Keys(keys.into_iter().map(Into::into).collect())
    }
}

/// What an invalidation did, or would do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Invalidated {
    /// Always true.
    pub success: bool,
    /// For people.
    pub message: String,
    /// As it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// As they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// `all` where entries with all of the tags were asked for.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
    /// Those that saved an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except_tags: Option<Vec<String>>,
    /// Entries that a read would have returned, and that are gone.
    pub invalidated_count: u64,
    /// Those that are in their grace instead, where [that](Invalidate::make_stale) was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_count: Option<u64>,
    /// Where they were.
    pub levels_affected: Vec<Level>,
    /// When it took effect.
    pub invalidated_at: Timestamp,
    /// As it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether all that is hidden has been removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reclaim: Option<Reclaim>,
    /// The job that removes the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Nothing was removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
    /// Of a dry run, some of the keys, for tokens that may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_keys: Option<Vec<String>>,
    /// What to [undo](Client::undo) it by, where that can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<String>,
    /// Until when it can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_until: Option<Timestamp>,
    /// Redis could not be told: other containers may answer the older values for ten seconds.
    #[serde(default, skip_serializing_if = "is_false")]
    pub degraded: bool,
}

/// Whether all that is hidden has been removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reclaim {
    /// It has.
    Complete,
    /// The rest is hidden already, and removed later.
    InProgress,
}

impl Client {
    /// Removes the entries that are meant. Their effect is complete when it is answered, however many there are.
    ///
    /// ```no_run
    #[doc = include_str!("../examples/invalidate.rs")]
    /// ```
    pub fn invalidate(&self, selector: Selector) -> Invalidate<'_> {
        let mut body = Body::default();
        match selector {
            Selector::Pattern(pattern) => body.pattern = Some(pattern),
            Selector::Tags(tags) => body.tags = Some(tags),
            Selector::AllTags(tags) => (body.tags, body.matching) = (Some(tags), Some("all")),
            Selector::Keys(keys) => body.keys = Some(keys),
        }
        Invalidate { client: self, body }
    }
}

/// See [`Client::invalidate`].
#[must_use = "it is sent when it is awaited"]
#[derive(Debug)]
pub struct Invalidate<'a> {
    client: &'a Client,
    body: Body,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matching: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    except_tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<Level>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(rename = "max_affected", skip_serializing_if = "Option::is_none")]
    max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_seconds: Option<u64>,
}

impl Invalidate<'_> {
    /// Only in these levels; a level that is spared fills the others again.
    pub fn levels(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.body.levels = Some(levels.into_iter().collect());
        self
    }

    /// Not those that have any of these tags.
    pub fn except_tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.body.except_tags = Some(tags.into_iter().map(Into::into).collect());
        self
    }

    /// Why, for the journal.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.body.reason = Some(reason.into());
        self
    }

    /// Counts, shows some of the keys, and removes nothing.
    pub fn dry_run(mut self) -> Self {
        self.body.dry_run = true;
        self
    }

    /// Removes nothing, with the error [`Code::TooManyMatches`](crate::Code::TooManyMatches), where more match.
    pub fn max_affected(mut self, count: u64) -> Self {
        self.body.max = Some(count);
        self
    }

    /// Keeps what it removes, so that it can be [undone](Client::undo) within so long: whole seconds, an hour at most; zero
    /// to keep nothing. By default as the API's configuration says. It is not sent again then when it may have happened.
    pub fn undo_within(mut self, time: Duration) -> Self {
        self.body.undo_seconds = Some(time.as_secs());
        self
    }

    /// Ends the life of what has a grace, which counts from then, and removes only the rest. It is for all levels, and cannot
    /// be undone.
    pub fn make_stale(mut self) -> Self {
        self.body.mode = Some("stale");
        self
    }

    /// [Makes stale](Self::make_stale), for so long at most: whole seconds, at least one.
    pub fn make_stale_within(self, time: Duration) -> Self {
        let mut stale = self.make_stale();
        stale.body.deadline_seconds = Some(time.as_secs());
        stale
    }

    async fn send(self) -> Result<Invalidated> {
        let repeat = of_removal(self.body.undo_seconds);
        let call = Call::new(Method::POST, "/invalidate").json(&self.body)?.repeat(repeat);
        self.client.send(call).await?.json()
    }
}

awaited!(Invalidate<'a> => Invalidated);

/// Whether to remove again what may have been removed: a second removal makes the first one final.
pub(crate) fn of_removal(undo_seconds: Option<u64>) -> Repeat {
    if undo_seconds.is_some_and(|seconds| seconds > 0) { Repeat::Never } else { Repeat::Harmless }
}
