//! What an invalidation's body may say, and what holds where it says nothing.

use serde_json::from_str;
use std::{borrow::Cow, sync::Arc};
use strata_api::{
    ApiError, Principal, Problem,
    body::{Body, Fields},
    lists,
};
use strata_cache::{Invalidate, Key, Levels, Pattern, Selector, grace::MAX_GRACE_SECONDS, undo::MOST_SECONDS};

/// Longest reason in bytes.
const MAX_REASON_BYTES: usize = 256;

/// Most keys of one invalidation.
const MAX_KEYS: usize = 500;

/// What names the entries: one of these.
const NAMED: [&str; 3] = ["pattern", "tags", "keys"];
/// The fields of the body.
pub const FIELDS: [&str; 12] = [
    "pattern",
    "tags",
    "match",
    "keys",
    "except_tags",
    "levels",
    "reason",
    "dry_run",
    "max_affected",
    "undo_seconds",
    "mode",
    "deadline_seconds",
];

type Said<T> = Result<T, Cow<'static, str>>;

/// The invalidation that `body` asks for on behalf of `principal`. All that is wrong with it is reported together.
///
/// A level that is switched off may be named: it holds nothing to remove.
pub fn read(body: &Body, principal: &Principal) -> Result<Invalidate, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &FIELDS)?;
    let pattern = fields.optional("pattern", pattern);
    let tags = fields.optional("tags", some_tags);
    let all_tags = fields.optional("match", |raw| match from_str::<Cow<'_, str>>(raw).as_deref() {
        Ok("any") => Ok(false),
        Ok("all") => Ok(true),
        _ => Err("must be any or all"),
    });
    let keys = fields.each("keys", MAX_KEYS, |text| Key::new(text));
    if keys.as_ref().is_some_and(Vec::is_empty) {
        fields.refuse("keys", "must name at least one key");
    }
    let except_tags = fields.optional("except_tags", some_tags);
    let levels = fields.optional("levels", lists::levels);
    let reason = fields.optional("reason", reason);
    let dry_run = fields.optional("dry_run", |raw| from_str(raw).map_err(|_| "must be true or false"));
    let max_affected =
        fields.optional("max_affected", |raw| from_str(raw).map_err(|_| "must be an integer that is not negative"));
    let undo_seconds = fields.optional("undo_seconds", undo_seconds);
    let is_stale = fields.optional("mode", |raw| match from_str::<Cow<'_, str>>(raw).as_deref() {
        Ok("remove") => Ok(false),
        Ok("stale") => Ok(true),
        _ => Err("must be remove or stale"),
    });
    let deadline_seconds = fields.optional("deadline_seconds", deadline_seconds);
    if is_stale == Some(true) {
        // What is made stale is there still: nothing of it can be brought back.
        fields.refuse("undo_seconds", "is not for the mode stale");
        fields.refuse("levels", "must be left out with the mode stale, which means all levels");
    } else {
        fields.refuse("deadline_seconds", "is a field of the mode stale only");
    }
    let named = NAMED.iter().filter(|name| fields.has(name)).count();
    if named > 1 {
        let one_more = if fields.has("keys") { "keys" } else { "tags" };
        fields.refuse(one_more, "must not be given together with another of pattern, tags, keys");
    }
    if !fields.has("tags") {
        fields.refuse("match", "is a field of tags only");
    }
    let is_missing = named == 0;
    fields.finish()?;
    let of = match (pattern, tags, keys) {
        _ if is_missing => return Err(Problem::new("pattern", "is required, unless tags or keys are given").into()),
        (Some(pattern), ..) => {
            principal.may_touch_pattern(&pattern)?;
            Selector::Pattern(pattern)
        }
        (None, Some(all), _) if all_tags == Some(true) => Selector::AllTags { all, within: principal.prefixes() },
        (None, Some(any), _) => Selector::Tags { any, within: principal.prefixes() },
        (None, None, keys) => {
            let keys = keys.unwrap_or_default();
            keys.iter().try_for_each(|key| principal.may_touch(key))?;
            Selector::Keys(keys.into_iter().collect())
        }
    };
    let selector = match except_tags {
        Some(tags) => Selector::Except { of: Box::new(of), tags },
        None => of,
    };
    Ok(Invalidate {
        selector,
        levels: levels.unwrap_or(Levels::ALL),
        reason,
        by: Some(principal.subject.clone()),
        account: Some(principal.account()),
        dry_run: dry_run.unwrap_or(false),
        max_affected,
        undo_seconds,
        stale_seconds: (is_stale == Some(true)).then_some(deadline_seconds.unwrap_or(u32::MAX)),
    })
}

fn pattern(raw: &str) -> Said<Pattern> {
    let text: Cow<'_, str> = from_str(raw).map_err(|_| "must be a string")?;
    Pattern::new(&text).map_err(|error| error.to_string().into())
}

fn some_tags(raw: &str) -> Said<Vec<Arc<str>>> {
    let tags = lists::tags(raw)?;
    if tags.is_empty() { Err("must name at least one tag".into()) } else { Ok(tags) }
}

/// For how long an invalidation can be undone, in seconds.
fn undo_seconds(raw: &str) -> Said<u32> {
    let seconds = from_str(raw).ok().filter(|seconds| *seconds <= MOST_SECONDS);
    seconds.ok_or_else(|| format!("must be an integer from 0 to {MOST_SECONDS}").into())
}

/// For how long values that are made stale may still be served, in seconds.
fn deadline_seconds(raw: &str) -> Said<u32> {
    let seconds = from_str(raw).ok().filter(|seconds| (1..=MAX_GRACE_SECONDS).contains(seconds));
    seconds.ok_or_else(|| format!("must be an integer from 1 to {MAX_GRACE_SECONDS}").into())
}

fn reason(raw: &str) -> Said<String> {
    let reason: String = from_str(raw).map_err(|_| "must be a string")?;
    if reason.len() > MAX_REASON_BYTES {
        return Err(format!("must have at most {MAX_REASON_BYTES} bytes, has {}", reason.len()).into());
    }
    Ok(reason)
}
