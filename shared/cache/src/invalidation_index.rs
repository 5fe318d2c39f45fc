//! The invalidations that a container knows, indexed so that a copy is compared only with those that may cover it.
//!
//! The senders of invalidations decide how many there are and what they look like, and every read has to be compared with
//! them. So the invalidations are indexed rather than the contents of L1: entries take no extra memory, and need not be
//! searched when an invalidation comes.
//!
//! - **Equal ones are kept once**: for each pattern, tag or key, the newest position per level.
//! - **Each is kept where a copy that it covers looks for it**: patterns under their literal prefix, others under a tag or a
//!   key. A key is compared only with patterns that begin as it does.
//! - **Their number is limited.** Beyond that the oldest are forgotten, and the container remembers since when it knows all of
//!   them: copies certified before are in doubt.

use crate::{
    level::{Level, Levels},
    planted::{Bug, planted},
    selector::{Invalidation, Keys, Selector},
    version::Position,
};
use std::{collections::BTreeMap, iter, ops::Bound, sync::Arc};

/// Most different patterns that are kept. A key of 512 bytes meets that many of the worst in a few milliseconds; then it
/// is as cheap to ask L3. Ten API keys at the default limit of invalidations send as many in the time they are kept for.
const MOST_PATTERNS: usize = 1024;
/// Most tags, and most keys: a few MB of the longest each.
const MOST_NAMES: usize = 8192;

/// The invalidations of a stretch of the journal.
#[derive(Debug)]
pub(crate) struct InvalidationIndex {
    /// By the literal prefix of what they mean.
    patterns: Shelf,
    /// By a tag that what they mean has.
    tags: Shelf,
    /// By the key that they mean.
    keys: Shelf,
    /// Of all of them.
    newest: Newest,
    /// None of those that are kept is older.
    oldest: Option<Position>,
}

/// Invalidations by a text.
#[derive(Debug)]
struct Shelf {
    slots: BTreeMap<Arc<str>, Vec<Slot>>,
    /// What all of them weigh, and may weigh.
    weight: usize,
    most: usize,
}

/// A part of an invalidation that stands in one place.
#[derive(Debug)]
struct Slot {
    part: Selector,
    newest: Newest,
}

/// Where the newest record stands, for each level.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Newest([Position; Level::ALL.len()]);

/// On which shelf a part stands, and under which text.
enum Place {
    Prefix(Arc<str>),
    Tag(Arc<str>),
    Key(Arc<str>),
}

impl Default for InvalidationIndex {
    fn default() -> InvalidationIndex {
        let shelf = |most| Shelf { slots: BTreeMap::new(), weight: 0, most };
        let (patterns, tags, keys) = (shelf(MOST_PATTERNS), shelf(MOST_NAMES), shelf(MOST_NAMES));
        InvalidationIndex { patterns, tags, keys, newest: Newest::default(), oldest: None }
    }
}

impl InvalidationIndex {
    /// Takes one in. Returns where the newest of those stands that had to be forgotten for it.
    pub(crate) fn add(&mut self, invalidation: &Invalidation) -> Option<Position> {
        let Invalidation { at, levels, .. } = *invalidation;
        for (place, part) in parts(&invalidation.selector) {
            let (shelf, text) = match place {
                Place::Prefix(prefix) => (&mut self.patterns, prefix),
                Place::Tag(tag) => (&mut self.tags, tag),
                Place::Key(key) => (&mut self.keys, key),
            };
            shelf.add(text, part, levels, at);
        }
        self.newest.raise(levels, at);
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        let forgotten = self.shelves().into_iter().filter_map(Shelf::keep_few).max();
        if forgotten.is_some() {
            self.find_oldest();
        }
        forgotten
    }

    /// Whether one covers a copy in `level` that was certified at `as_of`.
    pub(crate) fn cover(&self, level: Level, key: &str, tags: &[Arc<str>], as_of: Position) -> bool {
        if self.newest.of(level) <= as_of {
            return false;
        }
        let looked_for = if planted(Bug::TagMissed) { &[] } else { tags };
        let tagged = looked_for.iter().flat_map(|tag| self.tags.under(tag));
        let mut could = self.keys.under(key).chain(tagged).chain(self.patterns.under_prefixes_of(key));
        could.any(|slot| slot.newest.of(level) > as_of && slot.part.touches(key, tags))
    }

    /// Forgets those recorded up to `at`; returns where the newest of these stands.
    pub(crate) fn forget(&mut self, at: Position) -> Option<Position> {
        if self.oldest.is_none_or(|oldest| oldest > at) {
            return None;
        }
        let forgotten = self.shelves().into_iter().filter_map(|shelf| shelf.forget(at)).max();
        self.find_oldest();
        forgotten
    }

    fn shelves(&mut self) -> [&mut Shelf; 3] {
        [&mut self.patterns, &mut self.tags, &mut self.keys]
    }

    fn find_oldest(&mut self) {
        let oldest = self.shelves().into_iter().filter_map(|shelf| shelf.all().map(Slot::last).min()).min();
        self.oldest = oldest;
    }
}

/// The parts of a selector, each of which means what all of them do at one place.
fn parts(selector: &Selector) -> Vec<(Place, Selector)> {
    match selector {
        Selector::Pattern(pattern) if pattern.is_literal() => {
            vec![(Place::Key(pattern.shared_prefix()), selector.clone())]
        }
        Selector::Pattern(pattern) => vec![(Place::Prefix(pattern.shared_prefix()), selector.clone())],
        Selector::Tags { any, within } => {
            let part = |tag: &Arc<str>| Selector::Tags { any: vec![Arc::clone(tag)], within: within.clone() };
            any.iter().map(|tag| (Place::Tag(Arc::clone(tag)), part(tag))).collect()
        }
        // What has all of them has any one.
        Selector::AllTags { all, .. } => {
            all.first().map(|tag| (Place::Tag(Arc::clone(tag)), selector.clone())).into_iter().collect()
        }
        Selector::Keys(keys) => {
            let part = |key: &Arc<str>| Selector::Keys(Keys::one(key));
            keys.texts().iter().map(|key| (Place::Key(Arc::clone(key)), part(key))).collect()
        }
        Selector::Except { of, tags } => {
            let except = |of| Selector::Except { of: Box::new(of), tags: tags.clone() };
            parts(of).into_iter().map(|(place, of)| (place, except(of))).collect()
        }
    }
}

/// By how much a part counts: one, and what it has to be compared with besides its place.
fn weight(part: &Selector) -> usize {
    match part {
        Selector::Pattern(_) => 1,
        Selector::Keys(keys) => keys.texts().len(),
        Selector::Tags { any: tags, within } | Selector::AllTags { all: tags, within } => {
            tags.len() + within.as_ref().map_or(0, Vec::len)
        }
        Selector::Except { of, tags } => weight(of) + tags.len(),
    }
}

impl Shelf {
    fn add(&mut self, text: Arc<str>, part: Selector, levels: Levels, at: Position) {
        let slots = self.slots.entry(text).or_default();
        if let Some(slot) = slots.iter_mut().find(|slot| slot.part == part) {
            return slot.newest.raise(levels, at);
        }
        let mut newest = Newest::default();
        newest.raise(levels, at);
        self.weight += weight(&part);
        slots.push(Slot { part, newest });
    }

    fn all(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values().flatten()
    }

    fn under(&self, text: &str) -> impl Iterator<Item = &Slot> {
        self.slots.get(text).into_iter().flatten()
    }

    /// What stands under any prefix of `text`.
    ///
    /// These stand before it in order. Where the last before a bound is none, only what both have in common can be.
    fn under_prefixes_of<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Slot> {
        let mut bound = Bound::Included(text);
        let under_next = move || {
            loop {
                let (prefix, slots) = self.slots.range::<str, _>((Bound::Unbounded, bound)).next_back()?;
                if text.starts_with(&**prefix) {
                    bound = Bound::Excluded(&**prefix);
                    return Some(slots);
                }
                let common = text.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
                bound = Bound::Included(&text[..text.floor_char_boundary(common)]);
            }
        };
        iter::from_fn(under_next).flatten()
    }

    /// Forgets the older half of what is too much; returns where the newest of that stands.
    fn keep_few(&mut self) -> Option<Position> {
        if self.weight <= self.most {
            return None;
        }
        let mut positions: Vec<Position> = self.all().map(Slot::last).collect();
        let half = positions.len() / 2;
        let middle = *positions.select_nth_unstable(half).1;
        self.forget(middle)
    }

    /// Forgets what was recorded up to `at`; returns where the newest of that stands.
    fn forget(&mut self, at: Position) -> Option<Position> {
        let old = self.slots.values_mut().flat_map(|slots| slots.extract_if(.., |slot| slot.last() <= at));
        let forgotten = old.map(|slot| slot.last()).max();
        self.slots.retain(|_, slots| !slots.is_empty());
        self.weight = self.all().map(|slot| weight(&slot.part)).sum();
        forgotten
    }
}

impl Slot {
    fn last(&self) -> Position {
        self.newest.0.into_iter().max().unwrap_or_default()
    }
}

impl Newest {
    fn of(&self, level: Level) -> Position {
        self.0[level as usize]
    }

    fn raise(&mut self, levels: Levels, at: Position) {
        for level in levels.iter() {
            let newest = &mut self.0[level as usize];
            *newest = at.max(*newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key::Key, pattern::Pattern, version::Version};
    use proptest::prelude::*;

    fn at(ms: u64) -> Position {
        Position { ms, seq: 0 }
    }

    fn invalidation(ms: u64, selector: Selector, levels: Levels) -> Invalidation {
        Invalidation { at: at(ms), version: Version(ms), selector, levels, undo: None }
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
        let mut invalidates = InvalidationIndex::default();
        let upper = Levels::ALL.without(Level::L3);
        for (ms, levels) in [(10, Levels::ALL), (20, upper), (30, upper)] {
            assert_eq!(invalidates.add(&invalidation(ms, pattern("a:*"), levels)), None);
            invalidates.add(&invalidation(ms, tags(&["t"], Some(&["a:"])), levels));
        }
        assert_eq!((invalidates.patterns.weight, invalidates.tags.weight), (1, 2));
        assert!(invalidates.cover(Level::L1, "a:1", &[], at(29)) && !invalidates.cover(Level::L1, "a:1", &[], at(30)));
        assert!(invalidates.cover(Level::L3, "a:1", &[], at(9)) && !invalidates.cover(Level::L3, "a:1", &[], at(10)));
        assert!(!invalidates.cover(Level::L1, "b:1", &["t".into()], at(0)), "the tag is meant under a: only");
    }

    #[test]
    fn of_too_many_the_older_half_is_forgotten_and_since_when_is_said() {
        let mut invalidates = InvalidationIndex::default();
        let one = |ms: u64| invalidation(ms, pattern(&format!("{ms}:*")), Levels::ALL);
        let most = MOST_PATTERNS as u64;
        assert!((1..=most).all(|ms| invalidates.add(&one(ms)).is_none()));
        let forgotten = invalidates.add(&one(most + 1)).expect("there is no room for it");
        assert_eq!(forgotten, at(most / 2 + 1));
        assert!(
            !invalidates.cover(Level::L1, "7:x", &[], at(0))
                && invalidates.cover(Level::L1, &format!("{most}:x"), &[], at(0))
        );
        assert_eq!(invalidates.patterns.weight, MOST_PATTERNS / 2);
        assert_eq!(invalidates.forget(at(most / 2)), None);
        assert_eq!(invalidates.forget(at(most + 1)), Some(at(most + 1)));
        assert_eq!((invalidates.patterns.weight, invalidates.oldest), (0, None));
    }

    proptest! {
        #[test]
        fn covers_what_any_of_them_covers(
            selectors in prop::collection::vec((0usize..6, "[ab]{0,3}[*?é]{0,2}[ab]?", "[a-c]", "[ab]{0,2}"), 1..20),
            key in "[abé]{1,5}",
            tag in "[a-c]",
            as_of in 0u64..20,
        ) {
            let a = Key::new("a").expect("it is a key");
            let all: Vec<Invalidation> = selectors.iter().zip(1..).map(|((kind, text, tag, prefix), ms)| {
                let selector = match kind {
                    0 => tags(&[tag], None),
                    1 => tags(&[tag, "x"], Some(&[prefix, "zz"])),
                    3 => Selector::AllTags { all: vec!["y".into(), tag.as_str().into()], within: None },
                    4 => Selector::Keys([text, tag].map(|text| Key::new(text.as_str()).unwrap_or(a.clone())).into_iter().collect()),
                    5 => Selector::Except { of: Box::new(pattern("*")), tags: vec![tag.as_str().into()] },
                    _ => pattern(if text.is_empty() { "*" } else { text }),
                };
                invalidation(ms, selector, if ms % 3 == 0 { Levels::NONE.with(Level::L2) } else { Levels::ALL })
            }).collect();
            let mut invalidates = InvalidationIndex::default();
            all.iter().for_each(|one| assert_eq!(invalidates.add(one), None));
            let own: [Arc<str>; 2] = ["y".into(), tag.as_str().into()];
            for level in Level::ALL {
                let expected = all.iter().any(|one| one.covers(level, &key, &own, at(as_of)));
                prop_assert_eq!(invalidates.cover(level, &key, &own, at(as_of)), expected);
            }
        }
    }
}
