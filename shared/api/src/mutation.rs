//! A mutation as the journal shows it, and to whom.

use crate::{principal::Principal, timestamp::Timestamp};
use serde::Serialize;
use std::sync::Arc;
use strata_cache::{Mutation, Pattern, config::FieldChange};

/// What is shown of a mutation.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    position: String,
    at: Timestamp,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#match: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    except_tags: Option<&'a [Arc<str>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [FieldChange]>,
}

impl Line<'_> {
    /// All of it, for who may see the mutation.
    pub fn of(mutation: &Mutation) -> Line<'_> {
        Line {
            key: mutation.key.as_deref(),
            pattern: mutation.pattern.as_deref(),
            tags: mutation.tags.as_deref(),
            r#match: mutation.all_tags.then_some("all"),
            keys: mutation.keys.as_deref(),
            except_tags: mutation.except_tags.as_deref(),
            levels: mutation.levels.map(|levels| levels.names()),
            mode: mutation.makes_stale.then_some("stale"),
            by: mutation.by.as_deref(),
            reason: mutation.reason.as_deref(),
            matched_count: mutation.matched,
            changes: mutation.changes.as_deref(),
            ..Line::in_outline(mutation)
        }
    }

    /// Where and when it was, and of which kind; for who knows already that it concerns a key of theirs.
    pub fn in_outline(mutation: &Mutation) -> Line<'_> {
        Line {
            position: mutation.position.to_string(),
            at: Timestamp::floor(mutation.at_ms),
            kind: &mutation.kind,
            key: None,
            pattern: None,
            tags: None,
            r#match: None,
            keys: None,
            except_tags: None,
            levels: None,
            mode: None,
            by: None,
            reason: None,
            matched_count: None,
            changes: None,
        }
    }
}

/// Whether the mutation lies inside the prefixes of the caller's token. What others, of another API key or subject, did by
/// tag has no prefix, and the configuration is no matter of tokens that have one.
pub fn may_see(principal: &Principal, mutation: &Mutation) -> bool {
    if let Some(keys) = &mutation.keys {
        return keys.iter().all(|key| principal.reaches(key));
    }
    match (&mutation.key, &mutation.pattern) {
        (Some(key), _) => principal.reaches(key),
        (None, Some(pattern)) => Pattern::new(pattern).is_ok_and(|pattern| principal.reaches(pattern.prefix())),
        (None, None) if mutation.changes.is_some() => principal.may_touch_all().is_ok(),
        (None, None) => {
            let is_own =
                || mutation.by.as_ref() == Some(&principal.subject) && mutation.is_on_account(&principal.account());
            principal.prefixes().is_none() || is_own()
        }
    }
}
