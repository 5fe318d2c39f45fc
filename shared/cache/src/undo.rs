//! Invalidations and deletes that can be undone, and what came of undoing them.

use crate::{cache_position::CachePosition, key::Key, selector::Selector};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The longest time for which an invalidation can be undone, in seconds: as long as tombstones stay.
pub const MOST_SECONDS: u32 = 3600;

/// How to undo an invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoHandle {
    /// Its name, which cannot be guessed.
    pub id: Arc<str>,
    /// Until when that is possible, in milliseconds since the Unix epoch.
    pub until_ms: i64,
}

/// Whether the caller may know of an invalidation.
pub type MayKnow<'a> = dyn Fn(&ListedInvalidation) -> bool + Sync + 'a;

/// Which invalidation to undo.
pub struct Undo<'a> {
    /// Its name.
    pub id: &'a str,
    /// Who undoes it, for the journal.
    pub by: &'a str,
    /// Whether they may.
    pub may: &'a MayKnow<'a>,
}

/// What an undo has brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Undone {
    /// Entries that were restored.
    pub restored: u64,
    /// Entries that something else has touched since, which stay as they are.
    pub overwritten: u64,
    /// Entries that have expired by now.
    pub expired: u64,
    /// Entries that only L2 held, which nothing keeps.
    pub level2_only: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The position of a caller that is told of it.
    #[serde(skip)]
    pub position: CachePosition,
}

/// Why an undo was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoRefusal {
    /// There is no invalidation of that name that the caller may undo.
    Unknown,
    /// It could be undone until this time, in milliseconds since the Unix epoch.
    Expired {
        /// When.
        until_ms: i64,
    },
    /// It, or an older one, has not removed all of its matches: it can be undone after that.
    Open,
    /// There was no time to bring everything back: repeat the call to continue.
    Unfinished,
}

impl fmt::Display for UndoRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UndoRefusal::Unknown => "there is no such invalidation to undo",
            UndoRefusal::Expired { .. } => "it is too late to undo it",
            UndoRefusal::Open => "an invalidation has not removed all it means",
            UndoRefusal::Unfinished => "there was no time to bring everything back",
        })
    }
}

/// The state of an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidationState {
    /// It has not removed all of its matches, which are hidden until then.
    Open,
    /// It can be undone.
    Undoable,
    /// It was undone.
    Undone,
    /// Its time is over.
    Expired,
}

impl InvalidationState {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            InvalidationState::Open => "open",
            InvalidationState::Undoable => "undoable",
            InvalidationState::Undone => "undone",
            InvalidationState::Expired => "expired",
        }
    }
}

/// What an invalidation covered, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MeantEntries {
    /// A DELETE: the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The pattern, of one by pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The tags, of one by tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Arc<str>>>,
    /// How many keys, of one by keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_count: Option<u64>,
    /// Everything it may cover has a key that begins with one of these.
    pub within: Vec<String>,
}

impl MeantEntries {
    /// What a selector covers.
    pub(crate) fn of(selector: &Selector) -> MeantEntries {
        let within = |within: &Option<Vec<Arc<str>>>| match within {
            Some(prefixes) => prefixes.iter().map(|prefix| prefix.to_string()).collect(),
            None => vec![String::new()],
        };
        match selector {
            Selector::Pattern(pattern) => MeantEntries {
                pattern: Some(pattern.as_str().to_owned()),
                within: vec![pattern.prefix().to_owned()],
                ..MeantEntries::default()
            },
            Selector::Tags { any: tags, within: bounds } | Selector::AllTags { all: tags, within: bounds } => {
                MeantEntries { tags: Some(tags.clone()), within: within(bounds), ..MeantEntries::default() }
            }
            Selector::Keys(keys) => MeantEntries {
                keys_count: Some(keys.texts().len() as u64),
                within: vec![common_beginning(keys.texts()).to_owned()],
                ..MeantEntries::default()
            },
            Selector::Except { of, .. } => MeantEntries::of(of),
        }
    }

    /// What a DELETE covers.
    pub(crate) fn deleted(key: &Key) -> MeantEntries {
        let key = key.as_str().to_owned();
        MeantEntries { key: Some(key.clone()), within: vec![key], ..MeantEntries::default() }
    }

    /// How the entries were selected, as the API calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            MeantEntries { key: Some(_), .. } => "delete",
            MeantEntries { pattern: Some(_), .. } => "pattern",
            MeantEntries { tags: Some(_), .. } => "tags",
            _ => "keys",
        }
    }
}

/// An invalidation that is open, or that can be undone, or recently could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedInvalidation {
    /// Its name.
    pub id: String,
    /// What it covered.
    pub meant: MeantEntries,
    /// Who requested it.
    pub by: Option<String>,
    /// The account it counts for.
    pub account: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether it makes stale what has a grace, and removes the rest alone.
    pub makes_stale: bool,
    /// When it began, in milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// Its state.
    pub state: InvalidationState,
    /// Until when it can be undone, or could, in milliseconds since the Unix epoch.
    pub until_ms: Option<i64>,
    /// Matching keys found so far; `None` if that is not known.
    pub matched: Option<u64>,
    /// What an undo has brought back.
    pub undone: Option<Undone>,
}

/// A page of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalidations {
    /// Those that are open and cannot be undone, then the others, newest first.
    pub invalidations: Vec<ListedInvalidation>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// What all of them begin with.
fn common_beginning(texts: &[Arc<str>]) -> &str {
    // They are in order, so that the first and the last have the least in common.
    let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return "" };
    let common = first.char_indices().zip(last.chars()).take_while(|((_, a), b)| a == b).last();
    common.map_or("", |((at, last), _)| &first[..at + last.len_utf8()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pattern::Pattern;

    #[test]
    fn what_is_meant_lies_within_what_it_says() {
        let keys = |texts: &[&str]| Selector::Keys(texts.iter().map(|text| Key::new(*text).unwrap()).collect());
        for (texts, within) in
            [(vec!["a:1"], "a:1"), (vec!["a:1", "a:2"], "a:"), (vec!["a", "b"], ""), (vec!["é1", "é2", "é"], "é")]
        {
            let meant = MeantEntries::of(&keys(&texts));
            assert_eq!((meant.within, meant.keys_count), (vec![within.to_owned()], Some(texts.len() as u64)));
        }
        let pattern = MeantEntries::of(&Selector::Pattern(Pattern::new("a:*").unwrap()));
        assert_eq!((pattern.kind(), &pattern.within[..]), ("pattern", &["a:".to_owned()][..]));
        let tags = MeantEntries::of(&Selector::Tags { any: vec!["t".into()], within: None });
        assert_eq!((tags.kind(), &tags.within[..]), ("tags", &[String::new()][..]));
        assert_eq!(MeantEntries::deleted(&Key::new("a").unwrap()).kind(), "delete");
    }
}
