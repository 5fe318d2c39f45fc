//! The invalidations that a container knows, kept so that asking a copy which of them mean it costs by those that could.
//!
//! Whoever may invalidate decides how many there are and what they look like, and everybody's reads ask them. So the
//! invalidations are indexed, and not what L1 holds: an entry takes no more memory for that, and is not looked for when an
//! invalidation comes.
//!
//! - **Equal ones are one**: of a pattern or a tag it is kept where its newest record stands, for each level.
//! - **Patterns are found by their literal prefix**, tags by their text. A key meets only the patterns that begin as it does.
//! - **Few are kept.** Beyond that the oldest are forgotten, and the container knows since when it knows all of them: what
//!   was certified before is doubted.

use crate::{
    level::{Level, Levels},
    pattern::Pattern,
    planted::{Bug, planted},
    selector::{Invalidation, Selector},
    version::Position,
};
use std::{
    collections::{BTreeMap, HashMap},
    iter,
    ops::Bound,
    sync::Arc,
};

/// Most different patterns that are kept. A key of 512 bytes meets that many of the worst in a few milliseconds; then it
/// is as cheap to ask L3. Ten API keys at the default limit of invalidations send as many in the time they are kept for.
const MOST_PATTERNS: usize = 1024;
/// Most tags: 2 MB of the longest.
const MOST_TAGS: usize = 8192;

/// The invalidations of a stretch of the journal.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    patterns: Prefixes<Vec<(Pattern, Newest)>>,
    patterns_kept: usize,
    tags: HashMap<Arc<str>, Vec<(Within, Newest)>>,
    tags_kept: usize,
    /// Of all of them.
    newest: Newest,
    /// None of those that are kept is older.
    oldest: Option<Position>,
}

/// The prefixes under which a tag is meant; `None` for everywhere.
type Within = Option<Arc<[Arc<str>]>>;

/// Where the newest record stands, for each level.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Newest([Position; Level::ALL.len()]);

/// Values by the prefix of the texts that they are about.
#[derive(Debug)]
struct Prefixes<T>(BTreeMap<Arc<str>, T>);

impl Sweeps {
    /// Takes one in. Returns where the newest of those stands that had to be forgotten for it.
    pub(crate) fn add(&mut self, invalidation: &Invalidation) -> Option<Position> {
        let Invalidation { at, levels, .. } = *invalidation;
        match &invalidation.selector {
            Selector::Pattern(pattern) => {
                let alike = self.patterns.0.entry(pattern.shared_prefix()).or_default();
                self.patterns_kept += usize::from(raise(alike, pattern, levels, at));
            }
            Selector::Tags { any, within } => {
                let within: Within = within.as_deref().map(Arc::from);
                for tag in any {
                    let tagged = self.tags.entry(Arc::clone(tag)).or_default();
                    self.tags_kept += usize::from(raise(tagged, &within, levels, at));
                }
            }
        }
        self.newest.raise(levels, at);
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.keep_few()
    }

    /// Whether one covers a copy in `level` that was certified at `stamp`.
    pub(crate) fn cover(&self, level: Level, key: &str, tags: &[Arc<str>], stamp: Position) -> bool {
        if self.newest.of(level) <= stamp {
            return false;
        }
        let is_newer = |newest: &Newest| newest.of(level) > stamp;
        let tags = if planted(Bug::TagMissed) { &tags[tags.len().min(1)..] } else { tags };
        let tagged = tags.iter().filter(|_| self.tags_kept > 0).filter_map(|tag| self.tags.get(tag)).flatten();
        let patterns = || self.patterns.of(key).flatten();
        tagged.into_iter().any(|(within, newest)| is_newer(newest) && is_under(key, within.as_deref()))
            || patterns().any(|(pattern, newest)| is_newer(newest) && pattern.matches(key))
    }

    /// Forgets those recorded up to `at`; returns where the newest of these stands.
    pub(crate) fn forget(&mut self, at: Position) -> Option<Position> {
        if self.oldest.is_none_or(|oldest| oldest > at) {
            return None;
        }
        let patterns = self.forget_patterns(at);
        patterns.max(self.forget_tags(at))
    }

    /// Forgets the older half of what is too much.
    fn keep_few(&mut self) -> Option<Position> {
        let patterns = (self.patterns_kept > MOST_PATTERNS).then(|| middle(self.patterns.0.values().flatten()));
        let patterns = patterns.and_then(|at| self.forget_patterns(at));
        let tags = (self.tags_kept > MOST_TAGS).then(|| middle(self.tags.values().flatten()));
        patterns.max(tags.and_then(|at| self.forget_tags(at)))
    }

    fn forget_patterns(&mut self, at: Position) -> Option<Position> {
        let forgotten = forget_in(self.patterns.0.values_mut(), at);
        self.patterns.0.retain(|_, alike| !alike.is_empty());
        self.patterns_kept = self.patterns.0.values().map(Vec::len).sum();
        self.find_oldest();
        forgotten
    }

    fn forget_tags(&mut self, at: Position) -> Option<Position> {
        let forgotten = forget_in(self.tags.values_mut(), at);
        self.tags.retain(|_, tagged| !tagged.is_empty());
        self.tags_kept = self.tags.values().map(Vec::len).sum();
        self.find_oldest();
        forgotten
    }

    fn find_oldest(&mut self) {
        let patterns = self.patterns.0.values().flatten().map(|(_, newest)| newest.last());
        let tags = self.tags.values().flatten().map(|(_, newest)| newest.last());
        self.oldest = patterns.chain(tags).min();
    }
}

/// Raises what is kept of one of `alike`, or adds it; returns whether it was added.
fn raise<T: Clone + PartialEq>(alike: &mut Vec<(T, Newest)>, one: &T, levels: Levels, at: Position) -> bool {
    if let Some((_, newest)) = alike.iter_mut().find(|(known, _)| known == one) {
        newest.raise(levels, at);
        return false;
    }
    let mut newest = Newest::default();
    newest.raise(levels, at);
    alike.push((one.clone(), newest));
    true
}

/// Forgets what was recorded up to `at`; returns where the newest of that stands.
fn forget_in<'a, T: 'a>(all: impl Iterator<Item = &'a mut Vec<(T, Newest)>>, at: Position) -> Option<Position> {
    all.flat_map(|alike| alike.extract_if(.., |(_, newest)| newest.last() <= at)).map(|(_, gone)| gone.last()).max()
}

/// The position up to which the older half was recorded.
fn middle<'a, T: 'a>(all: impl Iterator<Item = &'a (T, Newest)>) -> Position {
    let mut positions: Vec<Position> = all.map(|(_, newest)| newest.last()).collect();
    let half = positions.len() / 2;
    *positions.select_nth_unstable(half).1
}

fn is_under(key: &str, prefixes: Option<&[Arc<str>]>) -> bool {
    prefixes.is_none_or(|prefixes| prefixes.iter().any(|prefix| key.starts_with(&**prefix)))
}

impl Newest {
    fn of(&self, level: Level) -> Position {
        self.0[level as usize]
    }

    fn last(&self) -> Position {
        self.0.into_iter().max().unwrap_or_default()
    }

    fn raise(&mut self, levels: Levels, at: Position) {
        for level in levels.iter() {
            let newest = &mut self.0[level as usize];
            *newest = at.max(*newest);
        }
    }
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Prefixes(BTreeMap::new())
    }
}

impl<T> Prefixes<T> {
    /// The values of all prefixes of `text`, the longest first.
    ///
    /// They stand before it in order. Where the last before a bound is none, only what both have in common can be.
    fn of<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a T> {
        let mut bound = Bound::Included(text);
        iter::from_fn(move || {
            loop {
                let (prefix, value) = self.0.range::<str, _>((Bound::Unbounded, bound)).next_back()?;
                if text.starts_with(&**prefix) {
                    bound = Bound::Excluded(&**prefix);
                    return Some(value);
                }
                let common = text.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
                bound = Bound::Included(&text[..text.floor_char_boundary(common)]);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;
    use proptest::prelude::*;

    fn at(ms: u64) -> Position {
        Position { ms, seq: 0 }
    }

    fn invalidation(ms: u64, selector: Selector, levels: Levels) -> Invalidation {
        Invalidation { at: at(ms), version: Version(ms), selector, levels }
    }

    fn pattern(text: &str) -> Selector {
        Selector::Pattern(Pattern::new(text).expect("a test's pattern is valid"))
    }

    fn tags(any: &[&str], within: Option<&[&str]>) -> Selector {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        Selector::Tags { any: list(any), within: within.map(list) }
    }

    #[test]
    fn equal_ones_are_one_in_the_levels_that_each_names() {
        let mut sweeps = Sweeps::default();
        let upper = Levels::ALL.without(Level::L3);
        for (ms, levels) in [(10, Levels::ALL), (20, upper), (30, upper)] {
            assert_eq!(sweeps.add(&invalidation(ms, pattern("a:*"), levels)), None);
            sweeps.add(&invalidation(ms, tags(&["t"], Some(&["a:"])), levels));
        }
        assert_eq!((sweeps.patterns_kept, sweeps.tags_kept), (1, 1));
        assert!(sweeps.cover(Level::L1, "a:1", &[], at(29)) && !sweeps.cover(Level::L1, "a:1", &[], at(30)));
        assert!(sweeps.cover(Level::L3, "a:1", &[], at(9)) && !sweeps.cover(Level::L3, "a:1", &[], at(10)));
        assert!(!sweeps.cover(Level::L1, "b:1", &["t".into()], at(0)), "the tag is meant under a: only");
    }

    #[test]
    fn of_too_many_the_older_half_is_forgotten_and_since_when_is_said() {
        let mut sweeps = Sweeps::default();
        let one = |ms: u64| invalidation(ms, pattern(&format!("{ms}:*")), Levels::ALL);
        let most = MOST_PATTERNS as u64;
        assert!((1..=most).all(|ms| sweeps.add(&one(ms)).is_none()));
        let forgotten = sweeps.add(&one(most + 1)).expect("there is no room for it");
        assert_eq!(forgotten, at(most / 2 + 1));
        assert!(
            !sweeps.cover(Level::L1, "7:x", &[], at(0)) && sweeps.cover(Level::L1, &format!("{most}:x"), &[], at(0))
        );
        assert_eq!(sweeps.patterns_kept, MOST_PATTERNS / 2);
        assert_eq!(sweeps.forget(at(most / 2)), None);
        assert_eq!(sweeps.forget(at(most + 1)), Some(at(most + 1)));
        assert_eq!((sweeps.patterns_kept, sweeps.oldest), (0, None));
    }

    proptest! {
        #[test]
        fn covers_what_any_of_them_covers(
            selectors in prop::collection::vec((0usize..3, "[ab]{0,3}[*?é]{0,2}[ab]?", "[a-c]", "[ab]{0,2}"), 1..20),
            key in "[abé]{1,5}",
            tag in "[a-c]",
            stamp in 0u64..20,
        ) {
            let all: Vec<Invalidation> = selectors.iter().zip(1..).map(|((kind, text, tag, prefix), ms)| {
                let selector = match kind {
                    0 => tags(&[tag], None),
                    1 => tags(&[tag, "x"], Some(&[prefix, "zz"])),
                    _ => pattern(if text.is_empty() { "*" } else { text }),
                };
                invalidation(ms, selector, if ms % 3 == 0 { Levels::NONE.with(Level::L2) } else { Levels::ALL })
            }).collect();
            let mut sweeps = Sweeps::default();
            all.iter().for_each(|one| assert_eq!(sweeps.add(one), None));
            let own: [Arc<str>; 2] = ["y".into(), tag.as_str().into()];
            for level in Level::ALL {
                let expected = all.iter().any(|one| one.covers(level, &key, &own, at(stamp)));
                prop_assert_eq!(sweeps.cover(level, &key, &own, at(stamp)), expected);
            }
        }
    }
}
