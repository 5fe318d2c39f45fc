//! Queries of the journal: which mutations, page by page.

use crate::{key::Key, outcome::Mutation, pattern::Pattern, record::cut, selector::short_name, version::Position};

/// Which page of the journal.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// What was recorded after this, oldest first; `None` for the newest.
    pub since: Option<Position>,
    /// Most mutations of the page.
    pub limit: usize,
    /// Which of them.
    pub filter: MutationFilter,
}

/// A page of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Oldest first.
    pub mutations: Vec<Mutation>,
    /// The next page begins after this position.
    pub next: Option<Position>,
    /// The search ended here for lack of time: older mutations were not searched.
    pub searched_since: Option<Position>,
}

/// Which mutations: those that match all of the given parts.
#[derive(Debug, Clone, Default)]
pub struct MutationFilter {
    /// Those that may have touched this key: its puts and deletes, and invalidations that cover it by pattern, by name, or
    /// by any tag, because nobody knows which tags it had then.
    pub key: Option<Key>,
    /// Those that may have touched a key that begins with this.
    pub prefix: Option<String>,
    /// Those of this [kind](Mutation::kind).
    pub kind: Option<String>,
    /// Those that this subject requested.
    pub by: Option<String>,
}

impl Mutation {
    /// Whether it is an invalidation on that account, as far as a record tells.
    pub fn is_on_account(&self, account: &str) -> bool {
        self.of.as_deref() == Some(&*short_name(account))
    }

    /// One of which nothing is told but where, when and what it was.
    pub(crate) fn bare(position: Position, at_ms: i64, kind: String) -> Mutation {
        Mutation {
            position,
            at_ms,
            kind,
            key: None,
            pattern: None,
            tags: None,
            all_tags: false,
            keys: None,
            except_tags: None,
            levels: None,
            makes_stale: false,
            by: None,
            of: None,
            reason: None,
            matched: None,
            changes: None,
        }
    }
}

impl MutationFilter {
    /// Whether it admits everything.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, MutationFilter { key: None, prefix: None, kind: None, by: None })
    }

    /// Whether the mutation is looked for.
    pub(crate) fn admits(&self, mutation: &Mutation) -> bool {
        self.kind.as_ref().is_none_or(|kind| *kind == mutation.kind)
            && self.by.as_ref().is_none_or(|by| mutation.by.as_deref() == Some(&*cut(by)))
            && self.key.as_ref().is_none_or(|key| may_touch(mutation, key.as_str()))
            && self.prefix.as_ref().is_none_or(|prefix| may_touch_under(mutation, prefix))
    }
}

fn may_touch(mutation: &Mutation, key: &str) -> bool {
    match (&mutation.key, &mutation.keys, &mutation.pattern) {
        (Some(touched), ..) => touched == key,
        (_, Some(keys), _) => keys.iter().any(|touched| **touched == *key),
        (_, _, Some(pattern)) => Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(key)),
        _ => mutation.tags.is_some(),
    }
}

fn may_touch_under(mutation: &Mutation, prefix: &str) -> bool {
    match (&mutation.key, &mutation.keys, &mutation.pattern) {
        (Some(key), ..) => key.starts_with(prefix),
        (_, Some(keys), _) => keys.iter().any(|key| key.starts_with(prefix)),
        (_, _, Some(pattern)) => Pattern::new(pattern).is_ok_and(|pattern| {
            let literal = pattern.prefix();
            literal.starts_with(prefix) || (!pattern.is_literal() && prefix.starts_with(literal))
        }),
        _ => mutation.tags.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutation(kind: &str) -> Mutation {
        Mutation { by: Some("me".to_owned()), ..Mutation::bare(Position::ZERO, 0, kind.to_owned()) }
    }

    fn all() -> [Mutation; 5] {
        [
            Mutation { key: Some("a:1".to_owned()), ..mutation("put") },
            Mutation { pattern: Some("a:*".to_owned()), ..mutation("invalidate") },
            Mutation { tags: Some(vec!["t".into()]), ..mutation("invalidate") },
            Mutation { keys: Some(vec!["a:1".into(), "b".into()]), ..mutation("invalidate") },
            Mutation { by: Some("you".to_owned()), ..mutation("config") },
        ]
    }

    #[test]
    fn each_part_narrows_what_is_found() {
        let by_key = |key: &str| MutationFilter { key: Key::new(key).ok(), ..MutationFilter::default() };
        let by_prefix = |prefix: &str| MutationFilter { prefix: Some(prefix.to_owned()), ..MutationFilter::default() };
        let by_kind = |kind: &str| MutationFilter { kind: Some(kind.to_owned()), ..MutationFilter::default() };
        let by = |by: &str| MutationFilter { by: Some(by.to_owned()), ..MutationFilter::default() };
        for (filter, expected) in [
            (MutationFilter::default(), [true; 5]),
            (by_key("a:1"), [true, true, true, true, false]),
            (by_key("a:2"), [false, true, true, false, false]),
            (by_key("b"), [false, false, true, true, false]),
            (by_prefix("a:"), [true, true, true, true, false]),
            (by_prefix("a:12"), [false, true, true, false, false]),
            (by_prefix("c"), [false, false, true, false, false]),
            (by_kind("invalidate"), [false, true, true, true, false]),
            (by("me"), [true, true, true, true, false]),
            (MutationFilter { by: Some("you".to_owned()), ..by_kind("put") }, [false; 5]),
        ] {
            assert_eq!(all().map(|mutation| filter.admits(&mutation)), expected, "{filter:?}");
        }
        let long = "x".repeat(300);
        let recorded = Mutation { by: Some(cut(&long).into_owned()), ..mutation("put") };
        assert!(by(&long).admits(&recorded), "records have the beginning of a long name");
    }
}
