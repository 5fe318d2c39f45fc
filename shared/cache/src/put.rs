//! What a PUT stores.

use crate::{
    chance,
    config::Refusal,
    entry::{MAX_TAG_BYTES, MAX_TAGS, MAX_TTL_SECONDS},
    fill::FillToken,
    grace::MAX_GRACE_SECONDS,
    json::Json,
    level::Levels,
    tags::is_tag,
};
use std::sync::Arc;

/// A condition on the value a PUT replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// None.
    #[default]
    Always,
    /// There is no live value (`If-None-Match: *`).
    Absent,
    /// There is a live value (`If-Match: *`).
    Present,
    /// There is a live value with one of these checksums (`If-Match`).
    Matches(Vec<u128>),
}

/// A value to store: by default without tags, in all enabled levels, compressed if that makes it smaller, and whatever is
/// there now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Put {
    /// The value.
    pub value: Json,
    /// Time to live in seconds, 1 to [`MAX_TTL_SECONDS`].
    pub ttl_seconds: u32,
    /// Let it expire sooner if nobody reads it for this many seconds, 1 to [`MAX_TTL_SECONDS`].
    pub idle_seconds: Option<u32>,
    /// For how many seconds it is kept after it has expired, at most [`MAX_GRACE_SECONDS`], for readers who
    /// [ask for that](crate::Read::max_stale). Not possible for an entry that is kept in L1 alone.
    pub grace_seconds: u32,
    /// Tags, at most [`MAX_TAGS`]; they replace those of the previous value.
    pub tags: Vec<Arc<str>>,
    /// Whether compression is allowed; the configured threshold decides.
    pub compress: bool,
    /// The levels to use, all of which must be enabled; `None` for all enabled ones.
    pub levels: Option<Levels>,
    /// Under which condition.
    pub condition: Condition,
    /// Who requested it, for the journal; empty to name nobody.
    pub by: String,
    /// The API key whose [quota](crate::quota) it counts against; empty for nobody's.
    pub api_key: String,
    /// Store it only if nothing has touched the key since the miss that this token is from. Cannot be combined with a
    /// condition.
    pub fill: Option<Box<FillToken>>,
    /// By up to what fraction the time to live is shortened at random, 0 to 0.5, so that values stored together do not expire
    /// together.
    pub ttl_jitter: f64,
}

impl Put {
    /// A PUT of `value` that lives for `ttl_seconds`.
    pub fn new(value: Json, ttl_seconds: u32) -> Put {
        Put {
            value,
            ttl_seconds,
            idle_seconds: None,
            grace_seconds: 0,
            tags: Vec::new(),
            compress: true,
            levels: None,
            condition: Condition::Always,
            by: String::new(),
            api_key: String::new(),
            fill: None,
            ttl_jitter: 0.0,
        }
    }

    /// Lets it expire sooner if nobody reads it for this many seconds; see [`sliding`](crate::sliding).
    #[must_use]
    pub fn idle(mut self, idle_seconds: u32) -> Put {
        self.idle_seconds = Some(idle_seconds);
        self
    }

    /// Keeps it for this many seconds after it has expired; see [`grace`](crate::grace).
    #[must_use]
    pub fn grace(mut self, grace_seconds: u32) -> Put {
        self.grace_seconds = grace_seconds;
        self
    }

    /// Sets its tags: 1 to [`MAX_TAG_BYTES`] bytes each, without control characters.
    #[must_use]
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Put {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Stores it in these levels only; none of them may be switched off.
    #[must_use]
    pub fn levels(mut self, levels: Levels) -> Put {
        self.levels = Some(levels);
        self
    }

    /// Stores it only under this condition.
    #[must_use]
    pub fn only_if(mut self, condition: Condition) -> Put {
        self.condition = condition;
        self
    }

    /// Names `by` in the journal as the one who requested it.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Put {
        self.by = by.into();
        self
    }

    /// Stores it as what was loaded after a miss, with the token of that miss.
    #[must_use]
    pub fn fill(mut self, token: FillToken) -> Put {
        self.fill = Some(Box::new(token));
        self
    }

    /// How long the value is to live, in ms: its life, or less by chance, but a second at least.
    pub(crate) fn life_ms(&self) -> i64 {
        let life_ms = i64::from(self.ttl_seconds) * 1000;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a year in ms is below 2^53")]
        let less_ms = (life_ms as f64 * self.ttl_jitter.clamp(0.0, 1.0) * chance::share()) as i64;
        (life_ms - less_ms).max(1000)
    }

    /// What of it no entry may have.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        for (field, seconds) in [("ttl_seconds", Some(self.ttl_seconds)), ("idle_seconds", self.idle_seconds)] {
            if seconds.is_some_and(|seconds| !(1..=MAX_TTL_SECONDS).contains(&seconds)) {
                refusals.push(Refusal { field, message: format!("must be from 1 to {MAX_TTL_SECONDS}") });
            }
        }
        if self.grace_seconds > MAX_GRACE_SECONDS {
            let message = format!("must be at most {MAX_GRACE_SECONDS}");
            refusals.push(Refusal { field: "grace_seconds", message });
        }
        if self.tags.len() > MAX_TAGS || !self.tags.iter().all(|tag| is_tag(tag)) {
            let message =
                format!("must be at most {MAX_TAGS}, of 1 to {MAX_TAG_BYTES} bytes without control characters");
            refusals.push(Refusal { field: "tags", message });
        }
        refusals
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_no_entry_may_have_is_refused() {
        let put = |ttl_seconds| Put::new(Json::of("1").unwrap(), ttl_seconds);
        let refused = |put: Put| put.refusals().into_iter().map(|refusal| refusal.field).collect::<Vec<_>>();
        assert_eq!(refused(put(1).tags(["a"; MAX_TAGS])), [""; 0]);
        assert_eq!(refused(put(0)), ["ttl_seconds"]);
        assert_eq!(refused(put(MAX_TTL_SECONDS + 1)), ["ttl_seconds"]);
        assert_eq!(refused(put(1).idle(MAX_TTL_SECONDS)), [""; 0]);
        assert_eq!(refused(put(1).idle(0)), ["idle_seconds"]);
        assert_eq!(refused(put(1).grace(MAX_GRACE_SECONDS)), [""; 0]);
        assert_eq!(refused(put(1).grace(MAX_GRACE_SECONDS + 1)), ["grace_seconds"]);
        assert_eq!(refused(put(1).tags(["a"; MAX_TAGS + 1])), ["tags"]);
        for tag in ["", "two\nlines", &"a".repeat(MAX_TAG_BYTES + 1)] {
            assert_eq!(refused(put(1).tags([tag])), ["tags"], "{tag:?}");
        }
    }
}
