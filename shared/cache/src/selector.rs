//! Which entries an invalidation means, and the record of one.

use crate::{
    level::{Level, Levels},
    pattern::Pattern,
    version::{Position, Version},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which entries are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Those whose key matches.
    Pattern(Pattern),
    /// Those that have any of these tags.
    Tags {
        /// The tags.
        any: Vec<Arc<str>>,
        /// Only keys that begin with one of these; `None` for every key.
        within: Option<Vec<Arc<str>>>,
    },
}

impl Selector {
    /// Whether an entry of that key and those tags is meant.
    pub fn touches(&self, key: &str, tags: &[Arc<str>]) -> bool {
        match self {
            Selector::Pattern(pattern) => pattern.matches(key),
            Selector::Tags { any, .. } => self.admits(key) && tags.iter().any(|tag| any.contains(tag)),
        }
    }

    /// Whether a key may be meant, whatever its tags.
    pub(crate) fn admits(&self, key: &str) -> bool {
        match self {
            Selector::Pattern(pattern) => pattern.matches(key),
            Selector::Tags { within: None, .. } => true,
            Selector::Tags { within: Some(prefixes), .. } => prefixes.iter().any(|prefix| key.starts_with(&**prefix)),
        }
    }
}

/// A recorded invalidation: whatever was certified before it does not exist any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalidation {
    /// Where its record stands.
    pub at: Position,
    pub version: Version,
    pub selector: Selector,
    pub levels: Levels,
}

impl Invalidation {
    /// Whether it covers a copy in `level` that was certified at `stamp`.
    pub(crate) fn covers(&self, level: Level, key: &str, tags: &[Arc<str>], stamp: Position) -> bool {
        self.at > stamp && self.levels.has(level) && self.selector.touches(key, tags)
    }

    /// Whether, while it is open, a row of L3 of that version counts as removed already.
    pub(crate) fn hides(&self, key: &str, tags: &[Arc<str>], version: Version) -> bool {
        version < self.version && self.levels.has(Level::L3) && self.selector.touches(key, tags)
    }
}

/// An invalidation as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub version: Version,
    pub levels: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Written {
    pub(crate) fn new(
        version: Version,
        selector: &Selector,
        levels: Levels,
        reason: Option<&str>,
        by: Option<&str>,
    ) -> Written {
        let (pattern, tags, within) = match selector {
            Selector::Pattern(pattern) => (Some(pattern.as_str().to_owned()), None, None),
            Selector::Tags { any, within } => (None, Some(any.clone()), within.clone()),
        };
        let (reason, by) = (reason.map(str::to_owned), by.map(str::to_owned));
        Written { version, levels: levels.bits(), pattern, tags, within, reason, by }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// What was written down under `id`; `None` for what this release cannot read.
    pub(crate) fn read(id: Position, json: &str) -> Option<Invalidation> {
        serde_json::from_str::<Written>(json).ok()?.recorded_at(id)
    }

    /// The invalidation whose record stands at `id`.
    pub(crate) fn recorded_at(self, id: Position) -> Option<Invalidation> {
        let Written { version, levels, pattern, tags, within, .. } = self;
        let selector = match (pattern, tags) {
            (Some(pattern), None) => Selector::Pattern(Pattern::new(&pattern).ok()?),
            (None, Some(any)) => Selector::Tags { any, within },
            _ => return None,
        };
        Some(Invalidation { at: id, version, selector, levels: Levels::from_bits(levels) })
    }
}
