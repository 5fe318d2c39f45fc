//! Lists of entries or tags, ordered by the bytes of their names, page by page.
//!
//! A page begins at a [`Mark`], a place among all possible names. It does not depend on what was listed before, so pages fit
//! together whatever is put or deleted between them: a name that is there throughout is on exactly one of them.

use crate::level::Levels;
use std::sync::Arc;

/// Follows a name in the text of the mark behind it: no name lies between them, for none has a control character.
const BEHIND: char = '\0';

/// Names that begin with one of some prefixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// In order; none begins with another, so that what lies under one comes as a whole before what lies under the next.
    prefixes: Vec<Arc<str>>,
}

/// A place in the order of names: before those that are not less than its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

/// Which entries to list.
#[derive(Debug, Clone)]
pub struct List {
    /// Their keys.
    pub within: Within,
    /// Only entries with this tag.
    pub tag: Option<Arc<str>>,
    /// Where the page begins; `None` for the beginning.
    pub from: Option<Mark>,
    /// Most entries of the page.
    pub limit: usize,
}

/// Which tags to list.
#[derive(Debug, Clone)]
pub struct ListTags {
    /// What they begin with.
    pub prefix: Arc<str>,
    /// The entries to count; a tag that none of them has is omitted.
    pub within: Within,
    /// Where the page begins; `None` for the beginning.
    pub from: Option<Mark>,
    /// Most tags of the page.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was found. It may be fewer than requested, or none, although more follow: the cost of a page is limited.
    pub found: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Mark>,
}

/// A live entry, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// When its value was put, in milliseconds since the Unix epoch; `None` if an earlier release wrote it.
    pub created_at_ms: Option<i64>,
    /// Bytes of its JSON text; `None` as with `created_at_ms`.
    pub size_bytes: Option<u64>,
    /// Its tags.
    pub tags: Vec<Arc<str>>,
    /// The levels that its PUT put it into.
    pub levels: Levels,
}

/// A tag, and how many entries have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// Entries that have it.
    pub entries: u64,
}

impl Within {
    /// Names that begin with `prefix` and, where there are `bounds`, with one of those as well; `None` when no name can.
    pub fn of(prefix: &str, bounds: Option<&[Arc<str>]>) -> Option<Within> {
        let Some(bounds) = bounds else { return Some(Within { prefixes: vec![prefix.into()] }) };
        let narrower = bounds.iter().filter_map(|bound| match bound.starts_with(prefix) {
            true => Some(Arc::clone(bound)),
            false => prefix.starts_with(&**bound).then(|| prefix.into()),
        });
        let mut prefixes: Vec<Arc<str>> = narrower.collect();
        prefixes.sort_unstable();
        // What begins with another comes right after it.
        prefixes.dedup_by(|next, kept| next.starts_with(&**kept));
        (!prefixes.is_empty()).then_some(Within { prefixes })
    }

    /// The prefixes, in order; none begins with another.
    pub(crate) fn prefixes(&self) -> &[Arc<str>] {
        &self.prefixes
    }

    /// Whether a page of these names can begin at `mark`.
    pub fn has(&self, mark: &Mark) -> bool {
        self.prefixes.iter().any(|prefix| mark.0.starts_with(&**prefix))
    }

    /// The prefixes from `mark` on, each with the name behind which it begins.
    pub(crate) fn from<'a>(&'a self, mark: Option<&'a Mark>) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let first = mark.map_or(0, |mark| {
            let holds = |prefix: &Arc<str>| mark.0.starts_with(&**prefix);
            self.prefixes.iter().position(holds).unwrap_or(self.prefixes.len())
        });
        let rest = self.prefixes.iter().skip(first).enumerate();
        rest.map(move |(number, prefix)| (&**prefix, mark.filter(|_| number == 0).and_then(Mark::name_before)))
    }
}

impl Mark {
    /// Behind `name`.
    pub fn behind(name: &str) -> Mark {
        Mark(format!("{name}{BEHIND}"))
    }

    /// Before whatever begins with `prefix`.
    pub(crate) fn before(prefix: &str) -> Mark {
        Mark(prefix.to_owned())
    }

    /// The name behind which it is, where it is behind one.
    pub(crate) fn name_before(&self) -> Option<&str> {
        self.0.strip_suffix(BEHIND)
    }

    /// The mark that has this text.
    pub fn read(text: String) -> Mark {
        Mark(text)
    }

    /// Its text: the name of an entry or a tag of the list, or one of the prefixes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn within(prefix: &str, bounds: &[&str]) -> Option<Vec<String>> {
        let bounds: Vec<Arc<str>> = bounds.iter().map(|bound| (*bound).into()).collect();
        let within = Within::of(prefix, Some(&bounds))?;
        Some(within.prefixes().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn bounds_narrow_a_prefix() {
        assert_eq!(within("", &["b:", "a:", "a:1", "b:"]).unwrap(), ["a:", "b:"]);
        assert_eq!(within("a", &["b:", "a:", "ab:x"]).unwrap(), ["a:", "ab:x"]);
        assert_eq!(within("a:1", &["a:", "b:"]).unwrap(), ["a:1"]);
        assert_eq!(within("c", &["a:", "b:"]), None);
        assert_eq!(within("", &[]), None);
        assert_eq!(within("x", &["", "x:"]).unwrap(), ["x"]);
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let within = Within::of("", Some(&["a:".into(), "b:".into(), "c:".into()])).unwrap();
        let from = |mark: Option<&Mark>| -> Vec<(String, Option<String>)> {
            within.from(mark).map(|(prefix, after)| (prefix.to_owned(), after.map(str::to_owned))).collect()
        };
        let open = |prefix: &str| (prefix.to_owned(), None);
        assert_eq!(from(None), [open("a:"), open("b:"), open("c:")]);
        assert_eq!(from(Some(&Mark::before("b:"))), [open("b:"), open("c:")]);
        let behind = Mark::behind("b:7");
        assert_eq!(from(Some(&behind)), [("b:".to_owned(), Some("b:7".to_owned())), open("c:")]);
        assert!(within.has(&behind) && within.has(&Mark::behind("b:")) && !within.has(&Mark::behind("b")));
        assert!(!within.has(&Mark::before("d:")));
    }
}
