//! What a PUT stores.

use crate::{
    config::Refusal,
    entry::{MAX_TAG_BYTES, MAX_TAGS, MAX_TTL_SECONDS},
    json::Json,
    level::Levels,
    outcome::Condition,
    tags::is_tag,
};
use std::sync::Arc;

/// A value to store: by default without tags, in all levels that are enabled, compressed where that makes it smaller,
/// and whatever is there now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Put {
    /// The value.
    pub value: Json,
    /// Life in seconds, 1 to [`MAX_TTL_SECONDS`].
    pub ttl_seconds: u32,
    /// Tags, at most [`MAX_TAGS`]; they replace those of the value before.
    pub tags: Vec<Arc<str>>,
    /// Whether compression is allowed; the configured threshold decides.
    pub compress: bool,
    /// The levels to use; `None` for all that are enabled. Must be enabled ones.
    pub levels: Option<Levels>,
    /// Under which condition.
    pub condition: Condition,
    /// Who asked for it, for the journal; empty when nobody should be named.
    pub by: String,
    /// The API key in whose stock it is, see [`quota`](crate::quota); empty for nobody's.
    pub api_key: String,
}

impl Put {
    /// A PUT of `value` that lives for `ttl_seconds`.
    pub fn new(value: Json, ttl_seconds: u32) -> Put {
        Put {
            value,
            ttl_seconds,
            tags: Vec::new(),
            compress: true,
            levels: None,
            condition: Condition::Always,
            by: String::new(),
            api_key: String::new(),
        }
    }

    /// With these tags: 1 to [`MAX_TAG_BYTES`] bytes each, without control characters.
    #[must_use]
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Put {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Into these levels only; none of them may be switched off.
    #[must_use]
    pub fn levels(mut self, levels: Levels) -> Put {
        self.levels = Some(levels);
        self
    }

    /// Only under this condition.
    #[must_use]
    pub fn only_if(mut self, condition: Condition) -> Put {
        self.condition = condition;
        self
    }

    /// On behalf of `by`, as the journal is to say.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Put {
        self.by = by.into();
        self
    }

    /// What of it no entry may have.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if !(1..=MAX_TTL_SECONDS).contains(&self.ttl_seconds) {
            let message = format!("must be from 1 to {MAX_TTL_SECONDS}");
            refusals.push(Refusal { field: "ttl_seconds", message });
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
        assert_eq!(refused(put(1).tags(["a"; MAX_TAGS + 1])), ["tags"]);
        for tag in ["", "two\nlines", &"a".repeat(MAX_TAG_BYTES + 1)] {
            assert_eq!(refused(put(1).tags([tag])), ["tags"], "{tag:?}");
        }
    }
}
