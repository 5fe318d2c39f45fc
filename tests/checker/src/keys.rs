//! The few keys of a run, and the patterns and tags that mean some of them.

use std::ops::Range;

use fastrand::Rng;

use crate::history::{KeyId, Scope, TagId};

/// The names of the keys behind the run's prefix, the busy ones first. With `/`: what everything is done to.
const NAMES: [&str; 6] = ["a/1", "a/2", "ß/1", "short", "b/é", "kept"];
/// The key whose values live for a second or two.
const SHORT: KeyId = 3;
/// The key for what is aimed at a moment, which others seldom touch.
pub(crate) const QUIET: KeyId = 4;
/// The pattern that matches that key only.
const QUIET_PATTERN: (&str, &[KeyId]) = ("[b-z]/?", &[QUIET]);
/// The key that is read and written, and that no deletion and no invalidation ever means, though it has the prefix of
/// the others, and a tag.
pub(crate) const KEPT: KeyId = 5;
/// Keys behind those, which only one fault uses, and leaves alone then.
const LEFT: usize = 16;
/// Tags of the common keys.
const TAGS: usize = 2;
/// The tag of the key that is kept, of which the name of another is a prefix.
const KEPT_TAG: TagId = 2;
/// The tag of keys that are left alone.
pub(crate) const LEFT_TAG: TagId = 3;
/// Patterns, and which keys they match.
const PATTERNS: [(&str, &[KeyId]); 6] = [
    ("a/*", &[0, 1]),
    ("[aß]/1", &[0, 2]),
    ("?/?", &[0, 1, 2, QUIET]),
    ("*/1", &[0, 2]),
    ("ß/1", &[2]),
    ("s*", &[SHORT]),
];

/// The names of one run: no other has the same.
pub(crate) struct Keys {
    prefix: String,
    pub(crate) names: Vec<String>,
}

impl Keys {
    /// Names under a prefix that is used once.
    pub(crate) fn under(prefix: &str) -> Self {
        let left = (0..LEFT).map(|number| format!("{prefix}left{number}"));
        let names = NAMES.map(|name| format!("{prefix}{name}")).into_iter().chain(left).collect();
        Self { prefix: prefix.to_owned(), names }
    }

    pub(crate) fn tag(&self, tag: TagId) -> String {
        // All begin the same way as the first.
        format!("{}t{}", self.prefix, ["", "t", "t:kept", "t:left"][tag])
    }

    /// Any key; the first ones more often than the last.
    pub(crate) fn any(rng: &mut Rng) -> KeyId {
        rng.usize(..NAMES.len()).min(rng.usize(..NAMES.len()))
    }

    /// The keys that are left alone once they have been used.
    pub(crate) fn left() -> Range<KeyId> {
        NAMES.len()..NAMES.len() + LEFT
    }

    /// The name of a key that is no part of the history. All are of one length.
    pub(crate) fn filler(&self, number: usize) -> String {
        format!("{}many{number:05}", self.prefix)
    }

    /// Some of the keys that everything is done to, each once; at least two.
    pub(crate) fn some(rng: &mut Rng) -> Vec<KeyId> {
        let mut keys: Vec<KeyId> = (0..NAMES.len()).collect();
        rng.shuffle(&mut keys);
        keys.truncate(rng.usize(2..=NAMES.len()));
        keys
    }

    /// Some of those that may be deleted.
    pub(crate) fn some_removable(rng: &mut Rng) -> Vec<KeyId> {
        let mut keys = Self::some(rng);
        keys.retain(|&key| Self::is_removable(key));
        keys
    }

    /// Whether a key may be deleted.
    pub(crate) fn is_removable(key: KeyId) -> bool {
        key < KEPT
    }

    /// A key that may be deleted.
    pub(crate) fn removable(rng: &mut Rng) -> KeyId {
        rng.usize(..KEPT).min(rng.usize(..KEPT))
    }

    /// A pattern that matches some.
    pub(crate) fn pattern(&self, rng: &mut Rng) -> Scope {
        self.scope(PATTERNS[rng.usize(..PATTERNS.len())])
    }

    /// The pattern that matches every key.
    pub(crate) fn all(&self) -> String {
        format!("{}*", self.prefix)
    }

    /// The pattern that matches the quiet key.
    pub(crate) fn quiet(&self) -> Scope {
        self.scope(QUIET_PATTERN)
    }

    /// The pattern that is the key itself.
    pub(crate) fn exactly(&self, key: KeyId) -> Scope {
        Scope::Pattern { text: self.names[key].clone(), keys: vec![key] }
    }

    /// A pattern that matches the first of those that are left alone, as many as have one digit.
    pub(crate) fn first_left(&self) -> Scope {
        Scope::Pattern { text: format!("{}left?", self.prefix), keys: Self::left().take(10).collect() }
    }

    fn scope(&self, (pattern, keys): (&str, &[KeyId])) -> Scope {
        Scope::Pattern { text: format!("{}{pattern}", self.prefix), keys: keys.to_vec() }
    }

    /// A tag that some may have.
    pub(crate) fn swept_tag(rng: &mut Rng) -> TagId {
        rng.usize(..TAGS)
    }

    /// Tags for a new value.
    pub(crate) fn tags(key: KeyId, rng: &mut Rng) -> Vec<TagId> {
        match key {
            SHORT => Vec::new(),
            KEPT => vec![KEPT_TAG],
            _ => (0..TAGS).filter(|_| rng.bool()).collect(),
        }
    }

    /// The life of a new value in seconds.
    pub(crate) fn ttl_seconds(key: KeyId, rng: &mut Rng) -> u64 {
        if key == SHORT { rng.u64(1..=2) } else { 3600 }
    }

    /// The grace of a new value in seconds: every other one has one.
    pub(crate) fn grace_seconds(key: KeyId, value: u64) -> u64 {
        match key {
            _ if value.is_multiple_of(2) => 0,
            // Some are over within a run.
            SHORT => 1 + value % 5,
            _ => 3600,
        }
    }

    /// The life that a PATCH gives, in seconds; a long one differs by hours from those that PUTs give.
    pub(crate) fn patched_ttl_seconds(key: KeyId, rng: &mut Rng) -> u64 {
        if key == SHORT { rng.u64(1..=3) } else { 3600 * rng.u64(2..=9) }
    }
}
