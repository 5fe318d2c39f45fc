//! How an invalidation is requested.

use crate::{
    level::Levels,
    outcome::Invalidate,
    pattern::Pattern,
    selector::{Keys, Selector},
};

impl Invalidate {
    /// Removes what `selector` selects from every level; how long that can be undone is for the configuration to say.
    pub fn new(selector: impl Into<Selector>) -> Invalidate {
        Invalidate {
            selector: selector.into(),
            levels: Levels::ALL,
            reason: None,
            by: None,
            account: None,
            dry_run: false,
            max_affected: None,
            undo_seconds: None,
        }
    }

    /// Names `by` in the journal as the one who requested it.
    #[must_use]
    pub fn by(mut self, by: impl Into<String>) -> Invalidate {
        self.by = Some(by.into());
        self
    }

    /// Gives the journal a reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Invalidate {
        self.reason = Some(reason.into());
        self
    }

    /// Removes nothing if more keys than this match.
    #[must_use]
    pub fn max_affected(mut self, keys: u64) -> Invalidate {
        self.max_affected = Some(keys);
        self
    }

    /// Counts the matches only, and removes nothing.
    #[must_use]
    pub fn dry_run(mut self) -> Invalidate {
        self.dry_run = true;
        self
    }

    /// Lets it be undone for this many seconds, up to [`undo::MOST_SECONDS`](crate::undo::MOST_SECONDS).
    #[must_use]
    pub fn undo_seconds(mut self, seconds: u32) -> Invalidate {
        self.undo_seconds = Some(seconds);
        self
    }
}

impl From<Pattern> for Selector {
    fn from(pattern: Pattern) -> Selector {
        Selector::Pattern(pattern)
    }
}

impl From<Keys> for Selector {
    fn from(keys: Keys) -> Selector {
        Selector::Keys(keys)
    }
}
