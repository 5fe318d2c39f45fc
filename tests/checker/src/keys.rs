//! The few keys of a run, and the patterns and tags that mean some of them.

use fastrand::Rng;

use crate::history::{KeyId, Scope, TagId};

/// Keys that everything is done to.
const COMMON: [&str; 3] = ["a/1", "a/2", "b/1"];
/// The key whose values live for a second or two.
const SHORT: KeyId = 3;
/// The key that is read and written, and that no deletion and no invalidation ever means, though it has the prefix of
/// the others, and a tag.
const KEPT: KeyId = 4;
/// Tags of the common keys.
const TAGS: usize = 2;
/// The tag of the key that is kept, of which the name of another is a prefix.
const KEPT_TAG: TagId = 2;
/// Patterns, and which keys they match.
const PATTERNS: [(&str, &[KeyId]); 6] = [
    ("a/*", &[0, 1]),
    ("[ab]/1", &[0, 2]),
    ("?/?", &[0, 1, 2]),
    ("[a-b]/*", &[0, 1, 2]),
    ("b/1", &[2]),
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
        let all = COMMON.into_iter().chain(["short", "kept"]);
        Self { prefix: prefix.to_owned(), names: all.map(|name| format!("{prefix}{name}")).collect() }
    }

    pub(crate) fn tag(&self, tag: TagId) -> String {
        // The second and third begin like the first.
        format!("{}t{}", self.prefix, ["", "t", "t:kept"][tag])
    }

    /// Any key; the first ones more often than the last.
    pub(crate) fn any(&self, rng: &mut Rng) -> KeyId {
        let count = self.names.len();
        rng.usize(..count).min(rng.usize(..count))
    }

    /// A key that may be deleted.
    pub(crate) fn removable(&self, rng: &mut Rng) -> KeyId {
        rng.usize(..KEPT)
    }

    /// A pattern that matches some.
    pub(crate) fn pattern(&self, rng: &mut Rng) -> Scope {
        let (pattern, keys) = PATTERNS[rng.usize(..PATTERNS.len())];
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
}
