//! Which entries an invalidation means, and the record of one.

use crate::{
    level::{Level, Levels},
    pattern::Pattern,
    record::cut,
    shard::{SHARDS, shard},
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

    /// Where to look for what is meant, always in the same order. One key lies in one shard.
    pub(crate) fn stretches(&self) -> Vec<Stretch<'_>> {
        let everywhere = |tag, prefix| (0..SHARDS).map(move |shard| Stretch { shard, tag, prefix, exact: false });
        match self {
            Selector::Pattern(pattern) if pattern.is_literal() => {
                let key = pattern.prefix();
                vec![Stretch { shard: shard(key), tag: None, prefix: key, exact: true }]
            }
            Selector::Pattern(pattern) => everywhere(None, pattern.prefix()).collect(),
            Selector::Tags { any, within: None } => any.iter().flat_map(|tag| everywhere(Some(&**tag), "")).collect(),
            Selector::Tags { any, within: Some(prefixes) } => {
                let pairs = any.iter().flat_map(|tag| prefixes.iter().map(move |prefix| (tag, prefix)));
                pairs.flat_map(|(tag, prefix)| everywhere(Some(&**tag), &**prefix)).collect()
            }
        }
    }

    /// Whether whatever it means `other` means as well, as far as that can be told at a glance.
    fn is_within(&self, other: &Selector) -> bool {
        match (self, other) {
            (Selector::Tags { any, within }, Selector::Tags { any: others, within: bounds }) => {
                any.iter().all(|tag| others.contains(tag)) && (bounds.is_none() || bounds == within)
            }
            _ => self == other,
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

/// A part of an index in which a selector's entries lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch<'a> {
    /// The slot of Redis and partition of DynamoDB.
    pub shard: u64,
    /// Entries with this tag; `None` for all.
    pub tag: Option<&'a str>,
    /// Keys that begin with this.
    pub prefix: &'a str,
    /// Only the key that is the prefix itself.
    pub exact: bool,
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

    /// Whether, while it is open, a row of L3 of that version counts as removed already, whose value is kept in `level`.
    pub(crate) fn hides(&self, level: Level, key: &str, tags: &[Arc<str>], version: Version) -> bool {
        version < self.version && self.levels.has(level) && self.selector.touches(key, tags)
    }

    /// Whether nothing is left of it once `done` has removed all that it means: that is as much or more, and newer.
    pub(crate) fn is_passed_by(&self, done: &Invalidation) -> bool {
        self.version < done.version
            && self.levels.and(done.levels) == self.levels
            && self.selector.is_within(&done.selector)
    }

    /// The same as it is written down; who began it, and why, stands in its record only.
    pub(crate) fn written(&self) -> Written {
        Written::new(self.version, &self.selector, self.levels, None, None)
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
        let by = by.map(|by| cut(by).into_owned());
        Written { version, levels: levels.bits(), pattern, tags, within, reason: reason.map(str::to_owned), by }
    }

    pub(crate) fn levels(&self) -> Levels {
        Levels::from_bits(self.levels)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pattern(text: &str) -> Selector {
        Selector::Pattern(Pattern::new(text).unwrap())
    }

    #[test]
    fn an_invalidation_passes_those_before_it_that_mean_no_more() {
        let tags = |any: &[&str], within: Option<&str>| Selector::Tags {
            any: any.iter().map(|tag| (*tag).into()).collect(),
            within: within.map(|prefix| vec![prefix.into()]),
        };
        let of = |version, selector: &Selector, levels| Invalidation {
            at: Position::ZERO,
            version: Version(version),
            selector: selector.clone(),
            levels,
        };
        let upper = Levels::ALL.without(Level::L3);
        let passes = |old: &Selector, new: &Selector| of(1, old, upper).is_passed_by(&of(2, new, Levels::ALL));
        let (one, both) = (tags(&["a"], None), tags(&["b", "a"], None));
        assert!(passes(&pattern("a:*"), &pattern("a:*")));
        assert!(passes(&one, &both) && passes(&tags(&["a"], Some("x:")), &both));
        assert!(passes(&tags(&["a"], Some("x:")), &tags(&["a"], Some("x:"))));
        assert!(!passes(&both, &one) && !passes(&one, &tags(&["a"], Some("x:"))));
        assert!(!passes(&pattern("a:*"), &pattern("a:1")) && !passes(&one, &pattern("*")));
        let same = pattern("a:*");
        assert!(!of(2, &same, upper).is_passed_by(&of(2, &same, Levels::ALL)), "not older");
        assert!(!of(3, &same, upper).is_passed_by(&of(2, &same, Levels::ALL)), "newer");
        assert!(!of(1, &same, Levels::ALL).is_passed_by(&of(2, &same, upper)), "in more levels");
    }

    #[test]
    fn one_key_is_looked_for_where_it_lies() {
        let selector = pattern("customer:\\*");
        let key = "customer:*";
        assert_eq!(selector.stretches(), [Stretch { shard: shard(key), tag: None, prefix: key, exact: true }]);
        assert_eq!(pattern("customer:*").stretches().len(), 16);
    }

    #[test]
    fn tags_are_looked_for_under_each_prefix() {
        let any: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        let tags = |within| Selector::Tags { any: any.clone(), within };
        assert_eq!(tags(None).stretches().len(), 32);
        let within = tags(Some(vec!["x:".into(), "y:".into(), "z:".into()]));
        let stretches = within.stretches();
        assert_eq!(stretches.len(), 96);
        assert!(stretches.iter().any(|s| (s.shard, s.tag, s.prefix, s.exact) == (15, Some("b"), "y:", false)));
    }
}
