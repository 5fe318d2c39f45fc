//! Which entries an invalidation means, and the record of one.

mod written;

pub(crate) use self::written::{Invalidation, Undoable, WrittenInvalidation};

use crate::{
    key::Key,
    pattern::Pattern,
    planted::{Bug, planted},
    shard::{SHARDS, shard},
};
use std::sync::Arc;

/// Most keys of one record, and most bytes of them: a few such records fit one sync, and none keeps another from being
/// open beside it.
const PART_KEYS: usize = 128;
const PART_BYTES: usize = 3 * 1024;

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
    /// Those that have all of these tags, of which there is one at least.
    AllTags {
        /// The tags.
        all: Vec<Arc<str>>,
        /// As with [`Tags`](Selector::Tags).
        within: Option<Vec<Arc<str>>>,
    },
    /// Those of these keys.
    Keys(Keys),
    /// Those that another one means, but for entries that have any of these tags.
    Except {
        /// The other one.
        of: Box<Selector>,
        /// The tags.
        tags: Vec<Arc<str>>,
    },
}

/// Keys that are meant by name: each once, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Arc<[Arc<str>]>);

impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Keys {
        let mut keys: Vec<Arc<str>> = keys.into_iter().map(|key| key.shared()).collect();
        keys.sort_unstable();
        keys.dedup();
        Keys(keys.into())
    }
}

impl Keys {
    /// One of them alone.
    pub(crate) fn one(key: &Arc<str>) -> Keys {
        Keys([Arc::clone(key)].into())
    }

    /// Their texts.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.0
    }

    fn has(&self, key: &str) -> bool {
        let found = self.0.binary_search_by(|known| (**known).cmp(key));
        found.is_ok_and(|at| !planted(Bug::KeyLeftOut) || at + 1 < self.0.len())
    }

    /// As many as one record holds, and the others in the same way.
    fn parts(&self) -> Vec<Keys> {
        let (mut parts, mut part, mut bytes) = (Vec::new(), Vec::new(), 0);
        for key in &*self.0 {
            if part.len() == PART_KEYS || (!part.is_empty() && bytes + key.len() > PART_BYTES) {
                parts.push(Keys(std::mem::take(&mut part).into()));
                bytes = 0;
            }
            bytes += key.len();
            part.push(Arc::clone(key));
        }
        parts.push(Keys(part.into()));
        parts
    }
}

/// What a copy or a row must have for tags, besides being where a selector looks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tagged<'a> {
    /// One of these; whatever it has where there are none.
    pub any: &'a [Arc<str>],
    /// All of these.
    pub all: &'a [Arc<str>],
    /// None of these.
    pub none: &'a [Arc<str>],
}

impl Selector {
    /// Entries that have any of these tags.
    pub fn tags<T: Into<Arc<str>>>(any: impl IntoIterator<Item = T>) -> Selector {
        Selector::Tags { any: any.into_iter().map(Into::into).collect(), within: None }
    }

    /// Whether an entry of that key and those tags is meant.
    pub fn touches(&self, key: &str, tags: &[Arc<str>]) -> bool {
        match self {
            Selector::Pattern(pattern) => pattern.matches(key),
            Selector::Keys(keys) => keys.has(key),
            Selector::Tags { any, .. } => self.admits(key) && tags.iter().any(|tag| any.contains(tag)),
            Selector::AllTags { all, .. } => self.admits(key) && all.iter().all(|tag| tags.contains(tag)),
            Selector::Except { of, tags: spared } => {
                of.touches(key, tags) && !tags.iter().any(|tag| spared.contains(tag))
            }
        }
    }

    /// Selectors that together mean the same, each short enough for one record.
    pub(crate) fn parts(&self) -> Vec<Selector> {
        match self {
            Selector::Keys(keys) => keys.parts().into_iter().map(Selector::Keys).collect(),
            Selector::Except { of, tags } => {
                let except = |of| Selector::Except { of: Box::new(of), tags: tags.clone() };
                of.parts().into_iter().map(except).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// The keys, where they are meant by name.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        match self {
            Selector::Keys(keys) => Some(keys),
            Selector::Except { of, .. } => of.keys(),
            _ => None,
        }
    }

    /// Whether whatever it may mean has a key that begins with a text within `reach`.
    pub fn lies_within(&self, reach: impl Fn(&str) -> bool + Copy) -> bool {
        match self {
            Selector::Pattern(pattern) => reach(pattern.prefix()),
            Selector::Tags { within, .. } | Selector::AllTags { within, .. } => match within {
                Some(prefixes) => prefixes.iter().all(|prefix| reach(prefix)),
                None => reach(""),
            },
            Selector::Keys(keys) => keys.texts().iter().all(|key| reach(key)),
            Selector::Except { of, .. } => of.lies_within(reach),
        }
    }

    /// Where to look for what is meant, always in the same order. One key lies in one shard.
    pub(crate) fn key_ranges(&self) -> Vec<KeyRange<'_>> {
        let everywhere = |tag, prefix| (0..SHARDS).map(move |shard| KeyRange { shard, tag, prefix, exact: false });
        let exactly = |key| KeyRange { shard: shard(key), tag: None, prefix: key, exact: true };
        match self {
            Selector::Pattern(pattern) if pattern.is_literal() => vec![exactly(pattern.prefix())],
            Selector::Pattern(pattern) => everywhere(None, pattern.prefix()).collect(),
            Selector::Keys(keys) => keys.texts().iter().map(|key| exactly(key)).collect(),
            Selector::Except { of, .. } => of.key_ranges(),
            Selector::Tags { within, .. } | Selector::AllTags { within, .. } => {
                let tags = self.tagged().any.iter().map(|tag| Some(&**tag));
                match within {
                    None => tags.flat_map(|tag| everywhere(tag, "")).collect(),
                    Some(prefixes) => {
                        let pairs = tags.flat_map(|tag| prefixes.iter().map(move |prefix| (tag, prefix)));
                        pairs.flat_map(|(tag, prefix)| everywhere(tag, &**prefix)).collect()
                    }
                }
            }
        }
    }

    /// Whether whatever it means `other` means as well, as far as that can be told at a glance.
    fn is_within(&self, other: &Selector) -> bool {
        match (self, other) {
            (Selector::Tags { any, within }, Selector::Tags { any: others, within: bounds }) => {
                any.iter().all(|tag| others.contains(tag)) && (bounds.is_none() || bounds == within)
            }
            (Selector::Keys(keys), Selector::Keys(_) | Selector::Pattern(_)) => {
                keys.texts().iter().all(|key| other.touches(key, &[]))
            }
            _ if self == other => true,
            (Selector::Except { of, .. }, _) => of.is_within(other),
            _ => false,
        }
    }

    /// Whether a key may be meant, whatever its tags.
    pub(crate) fn admits(&self, key: &str) -> bool {
        match self {
            Selector::Pattern(pattern) => pattern.matches(key),
            Selector::Keys(keys) => keys.has(key),
            Selector::Except { of, .. } => of.admits(key),
            Selector::Tags { within, .. } | Selector::AllTags { within, .. } => {
                within.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| key.starts_with(&**prefix)))
            }
        }
    }

    /// Whether it matters which tags an entry has.
    pub(crate) fn is_by_tag(&self) -> bool {
        !matches!(self, Selector::Pattern(_) | Selector::Keys(_))
    }

    /// Whether what its key_ranges have may not be meant, by tags that the place does not tell.
    pub(crate) fn needs_tags(&self) -> bool {
        matches!(self, Selector::AllTags { .. } | Selector::Except { .. })
    }

    /// Which tags what its key_ranges have must have. What has all of some tags is looked for by the first of them.
    pub(crate) fn tagged(&self) -> Tagged<'_> {
        match self {
            Selector::Pattern(_) | Selector::Keys(_) => Tagged::default(),
            Selector::Tags { any, .. } => Tagged { any, ..Tagged::default() },
            Selector::AllTags { all, .. } => {
                let (any, all) = all.split_at(all.len().min(1));
                Tagged { any, all, none: &[] }
            }
            Selector::Except { of, tags } => Tagged { none: tags, ..of.tagged() },
        }
    }
}

/// A part of an index in which a selector's entries lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRange<'a> {
    /// The slot of Redis and partition of DynamoDB.
    pub shard: u64,
    /// Entries with this tag; `None` for all.
    pub tag: Option<&'a str>,
    /// Keys that begin with this.
    pub prefix: &'a str,
    /// Only the key that is the prefix itself.
    pub exact: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        level::{Level, Levels},
        version::{Position, Version},
    };

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
            undo: None,
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

    fn keys(texts: impl IntoIterator<Item = String>) -> Selector {
        Selector::Keys(texts.into_iter().map(|text| Key::new(text).unwrap()).collect())
    }

    fn tags(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    fn except(of: Selector, names: &[&str]) -> Selector {
        Selector::Except { of: Box::new(of), tags: tags(names) }
    }

    #[test]
    fn what_is_meant_depends_on_keys_and_tags() {
        let both = Selector::AllTags { all: tags(&["a", "b"]), within: Some(tags(&["x:"])) };
        assert!(both.touches("x:1", &tags(&["b", "c", "a"])));
        assert!(!both.touches("x:1", &tags(&["a"])) && !both.touches("y:1", &tags(&["a", "b"])));
        let spared = except(pattern("x:*"), &["keep", "pin"]);
        assert!(spared.touches("x:1", &[]) && spared.touches("x:1", &tags(&["a"])));
        assert!(!spared.touches("x:1", &tags(&["a", "pin"])) && !spared.touches("y:1", &[]));
        let named = keys(["b", "a", "b", "é"].map(str::to_owned));
        assert!(["a", "b", "é"].iter().all(|key| named.touches(key, &[])) && !named.touches("c", &[]));
        assert_eq!(named.keys().unwrap().texts().len(), 3, "each once");
        assert!(!except(named, &["a"]).touches("a", &tags(&["a"])));
    }

    #[test]
    fn keys_are_cut_into_records_that_together_mean_the_same() {
        for (count, length) in [(1, 1), (500, 20), (500, 512), (128, 1), (129, 3)] {
            let texts: Vec<String> = (0..count).map(|number| format!("{number:0length$}")).collect();
            let whole = except(keys(texts.clone()), &["keep"]);
            let parts = whole.parts();
            for part in &parts {
                let texts = part.keys().unwrap().texts();
                let bytes: usize = texts.iter().map(|text| text.len()).sum();
                assert!(texts.len() <= PART_KEYS && (bytes <= PART_BYTES || texts.len() == 1));
                assert!(!part.touches(&texts[0], &tags(&["keep"])));
            }
            let meant: Vec<&str> =
                parts.iter().flat_map(|part| part.keys().unwrap().texts()).map(|text| &**text).collect();
            let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            texts.sort_unstable();
            assert_eq!(meant, texts);
        }
        assert_eq!(pattern("*").parts(), [pattern("*")]);
    }

    #[test]
    fn what_is_written_down_is_read_as_it_was_meant() {
        let all = Selector::AllTags { all: tags(&["a", "b"]), within: Some(tags(&["x:"])) };
        let any = Selector::Tags { any: tags(&["a"]), within: None };
        let named = keys(["a\"b".to_owned(), "c".to_owned()]);
        let plain = [pattern("a:*"), any.clone(), all.clone(), named.clone()];
        let spared = [except(pattern("a:*"), &["t"]), except(any, &["t"]), except(all, &["t"]), except(named, &["t"])];
        for selector in plain.into_iter().chain(spared) {
            let written = WrittenInvalidation::new(Version(7), &selector, Levels::ALL, None, None).to_json();
            let read = WrittenInvalidation::read(Position::ZERO, &written).unwrap();
            assert_eq!(read.selector, selector);
            let is_old = !matches!(selector, Selector::Pattern(_) | Selector::Tags { .. });
            assert_eq!(written.contains("select"), is_old, "{written}: a release without a word for it does not guess");
        }
        for odd in [r#"{"version":1,"levels":7,"select":{}}"#, r#"{"version":1,"levels":7,"select":{"all":[]}}"#] {
            assert!(WrittenInvalidation::read(Position::ZERO, odd).is_none());
        }
    }

    #[test]
    fn a_selector_lies_where_all_it_may_mean_does() {
        let mine = |text: &str| text.starts_with("x:");
        let within = |of: Option<&str>| Selector::AllTags { all: tags(&["a"]), within: of.map(|of| tags(&[of])) };
        assert!(pattern("x:*").lies_within(mine) && within(Some("x:1")).lies_within(mine));
        assert!(!pattern("*").lies_within(mine) && !within(None).lies_within(mine));
        assert!(keys(["x:1".to_owned()]).lies_within(mine) && !keys(["x:1", "y"].map(str::to_owned)).lies_within(mine));
        assert!(!except(pattern("y"), &["a"]).lies_within(mine));
    }

    #[test]
    fn one_key_is_looked_for_where_it_lies() {
        let selector = pattern("customer:\\*");
        let key = "customer:*";
        assert_eq!(selector.key_ranges(), [KeyRange { shard: shard(key), tag: None, prefix: key, exact: true }]);
        assert_eq!(pattern("customer:*").key_ranges().len(), 16);
    }

    #[test]
    fn tags_are_looked_for_under_each_prefix() {
        let any: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        let tags = |within| Selector::Tags { any: any.clone(), within };
        assert_eq!(tags(None).key_ranges().len(), 32);
        let within = tags(Some(vec!["x:".into(), "y:".into(), "z:".into()]));
        let key_ranges = within.key_ranges();
        assert_eq!(key_ranges.len(), 96);
        assert!(key_ranges.iter().any(|s| (s.shard, s.tag, s.prefix, s.exact) == (15, Some("b"), "y:", false)));
    }
}
