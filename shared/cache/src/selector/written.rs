//! The record of an invalidation, and how it is written down.

use super::{Keys, Selector};
use crate::{
    grace::End,
    key::Key,
    level::{Level, Levels},
    limits::name,
    pattern::Pattern,
    record::cut,
    version::{Position, Version},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Digits of the name of an account that every container carries along with an open invalidation.
const ACCOUNT_DIGITS: usize = 8;

/// A recorded invalidation: whatever was certified before it does not exist any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalidation {
    /// Where its record stands.
    pub at: Position,
    pub version: Version,
    pub selector: Selector,
    pub levels: Levels,
    /// How it can be undone.
    pub undo: Option<Undoable>,
    /// It makes stale what has a grace, for so many seconds at most, and removes the rest.
    pub stale_seconds: Option<u32>,
}

/// That an invalidation can be undone: the values that it removes are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Undoable {
    /// Its name, which nobody can foretell.
    pub id: Arc<str>,
    /// Until when it can be, in milliseconds since the Unix epoch.
    pub until_ms: i64,
}

impl Invalidation {
    /// Whether it covers a copy in `level` that was certified at `as_of`.
    pub(crate) fn covers(&self, level: Level, key: &str, tags: &[Arc<str>], as_of: Position) -> bool {
        self.at > as_of && self.levels.has(level) && self.selector.touches(key, tags)
    }

    /// Whether, while it is open, a row of L3 of that version counts as removed already, whose value is kept in `level`.
    pub(crate) fn masks(&self, level: Level, key: &str, tags: &[Arc<str>], version: Version) -> bool {
        version < self.version && self.levels.has(level) && self.selector.touches(key, tags)
    }

    /// Whether nothing is left of it once `done` has removed all that it means: that is as much or more, and newer.
    pub(crate) fn is_passed_by(&self, done: &Invalidation) -> bool {
        self.version < done.version
            && self.levels.and(done.levels) == self.levels
            // One that makes stale leaves what another is to remove.
            && (done.stale_seconds.is_none() || self.stale_seconds.is_some_and(|own| done.stale_seconds <= Some(own)))
            && self.selector.is_within(&done.selector)
    }

    /// How it ends lives, where it makes stale.
    pub(crate) fn end(&self) -> Option<End> {
        end(self.version, self.stale_seconds)
    }

    /// The same as it is written down; who began it, and why, stands in its record only.
    pub(crate) fn written(&self) -> WrittenInvalidation {
        let undo = self.undo.clone();
        let stale_seconds = self.stale_seconds;
        WrittenInvalidation {
            undo,
            stale_seconds,
            ..WrittenInvalidation::new(self.version, &self.selector, self.levels, None, None)
        }
    }
}

/// An invalidation as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenInvalidation {
    pub version: Version,
    pub levels: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<Arc<str>>>,
    /// What the first releases have no words for: to them it may mean anything, and they remove nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Stands for the API key whose share of what may be open at once it takes; `None` for nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Releases that know nothing of it keep no values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undoable>,
    /// Releases that know nothing of it remove all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_seconds: Option<u32>,
}

/// How an invalidation of that version ends lives that makes stale for so long at most.
fn end(version: Version, stale_seconds: Option<u32>) -> Option<End> {
    let at_ms = i64::try_from(version.micros() / 1000).unwrap_or(i64::MAX);
    Some(End { at_ms, until_ms: at_ms.saturating_add(i64::from(stale_seconds?) * 1000) })
}

/// What stands for an account in the record of an invalidation.
pub(crate) fn short_name(account: &str) -> String {
    name(account).chars().take(ACCOUNT_DIGITS).collect()
}

impl WrittenInvalidation {
    pub(crate) fn new(
        version: Version,
        selector: &Selector,
        levels: Levels,
        reason: Option<&str>,
        by: Option<&str>,
    ) -> WrittenInvalidation {
        let (mut pattern, mut tags, mut within, mut select) = (None, None, None, None);
        match selector {
            Selector::Pattern(of) => pattern = Some(of.as_str().to_owned()),
            Selector::Tags { any, within: of } => (tags, within) = (Some(any.clone()), of.clone()),
            Selector::AllTags { .. } | Selector::Keys(_) | Selector::Except { .. } => {
                select = Some(Select::of(selector));
            }
        }
        let by = by.map(|by| cut(by).into_owned());
        WrittenInvalidation {
            version,
            levels: levels.bits(),
            pattern,
            tags,
            within,
            select,
            reason: reason.map(str::to_owned),
            by,
            of: None,
            undo: None,
            stale_seconds: None,
        }
    }

    /// The same on an account. Where two accounts have one name they share what either may have open.
    pub(crate) fn on_account(self, account: Option<&str>) -> WrittenInvalidation {
        WrittenInvalidation { of: account.map(short_name), ..self }
    }

    /// On whose account one is that was written down.
    pub(crate) fn account_of(json: &str) -> Option<String> {
        serde_json::from_str::<WrittenInvalidation>(json).ok()?.of
    }

    pub(crate) fn levels(&self) -> Levels {
        Levels::from_bits(self.levels)
    }

    /// How it ends lives, where it makes stale.
    pub(crate) fn end(&self) -> Option<End> {
        end(self.version, self.stale_seconds)
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// What was written down under `id`; `None` for what this release cannot read.
    pub(crate) fn read(id: Position, json: &str) -> Option<Invalidation> {
        serde_json::from_str::<WrittenInvalidation>(json).ok()?.recorded_at(id)
    }

    /// The invalidation whose record stands at `id`.
    pub(crate) fn recorded_at(self, id: Position) -> Option<Invalidation> {
        let WrittenInvalidation { version, levels, pattern, tags, within, select, undo, stale_seconds, .. } = self;
        let selector = match (pattern, tags, select) {
            (Some(pattern), None, None) => Selector::Pattern(Pattern::new(&pattern).ok()?),
            (None, Some(any), None) => Selector::Tags { any, within },
            (None, None, Some(select)) => select.selector()?,
            _ => return None,
        };
        Some(Invalidation { at: id, version, selector, levels: Levels::from_bits(levels), undo, stale_seconds })
    }
}

/// A selector as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Select {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub except: Option<Vec<Arc<str>>>,
}

impl Select {
    fn of(selector: &Selector) -> Select {
        match selector {
            Selector::Pattern(pattern) => Select { pattern: Some(pattern.as_str().to_owned()), ..Select::default() },
            Selector::Tags { any, within } => {
                Select { any: Some(any.clone()), within: within.clone(), ..Select::default() }
            }
            Selector::AllTags { all, within } => {
                Select { all: Some(all.clone()), within: within.clone(), ..Select::default() }
            }
            Selector::Keys(keys) => Select { keys: Some(keys.texts().to_vec()), ..Select::default() },
            Selector::Except { of, tags } => Select { except: Some(tags.clone()), ..Select::of(of) },
        }
    }

    fn selector(self) -> Option<Selector> {
        let Select { keys, pattern, any, all, within, except } = self;
        let of = match (keys, pattern, any, all) {
            (Some(keys), None, None, None) => {
                let keys: Result<Keys, _> = keys.into_iter().map(Key::new).collect();
                Selector::Keys(keys.ok()?)
            }
            (None, Some(pattern), None, None) => Selector::Pattern(Pattern::new(&pattern).ok()?),
            (None, None, Some(any), None) => Selector::Tags { any, within },
            (None, None, None, Some(all)) if !all.is_empty() => Selector::AllTags { all, within },
            _ => return None,
        };
        Some(match except {
            Some(tags) => Selector::Except { of: Box::new(of), tags },
            None => of,
        })
    }
}
