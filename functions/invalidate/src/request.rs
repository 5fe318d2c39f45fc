//! What an invalidation's body may say, and what holds where it says nothing.

use serde_json::from_str;
use std::{borrow::Cow, sync::Arc};
use strata_api::{
    ApiError, Principal, Problem,
    body::{Body, Fields},
    lists,
};
use strata_cache::{Invalidate, Levels, Pattern, Selector};

/// Longest reason in bytes.
const MAX_REASON_BYTES: usize = 256;

const FIELDS: [&str; 6] = ["pattern", "tags", "levels", "reason", "dry_run", "max_affected"];

type Said<T> = Result<T, Cow<'static, str>>;

/// The invalidation that `body` asks for on behalf of `principal`. All that is wrong with it is reported together.
///
/// A level that is switched off may be named: it holds nothing to remove.
pub fn read(body: &Body, principal: &Principal) -> Result<Invalidate, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &FIELDS)?;
    let pattern = fields.optional("pattern", pattern);
    let tags = fields.optional("tags", tags);
    let levels = fields.optional("levels", lists::levels);
    let reason = fields.optional("reason", reason);
    let dry_run = fields.optional("dry_run", |raw| from_str(raw).map_err(|_| "must be true or false"));
    let max_affected =
        fields.optional("max_affected", |raw| from_str(raw).map_err(|_| "must be an integer that is not negative"));
    let both = fields.has("pattern") && fields.has("tags");
    let neither = !fields.has("pattern") && !fields.has("tags");
    fields.finish()?;
    let selector = match (pattern, tags) {
        _ if both => return Err(Problem::new("tags", "must not be given together with pattern").into()),
        _ if neither => return Err(Problem::new("pattern", "is required, unless tags are given").into()),
        (Some(pattern), _) => {
            principal.may_touch_prefix(pattern.prefix())?;
            Selector::Pattern(pattern)
        }
        (None, tags) => Selector::Tags { any: tags.unwrap_or_default(), within: principal.prefixes() },
    };
    Ok(Invalidate {
        selector,
        levels: levels.unwrap_or(Levels::ALL),
        reason,
        by: Some(principal.subject.clone()),
        account: Some(principal.account()),
        dry_run: dry_run.unwrap_or(false),
        max_affected,
    })
}

fn pattern(raw: &str) -> Said<Pattern> {
    let text: Cow<'_, str> = from_str(raw).map_err(|_| "must be a string")?;
    Pattern::new(&text).map_err(|error| error.to_string().into())
}

fn tags(raw: &str) -> Said<Vec<Arc<str>>> {
    let tags = lists::tags(raw)?;
    if tags.is_empty() { Err("must name at least one tag".into()) } else { Ok(tags) }
}

fn reason(raw: &str) -> Said<String> {
    let reason: String = from_str(raw).map_err(|_| "must be a string")?;
    if reason.len() > MAX_REASON_BYTES {
        return Err(format!("must have at most {MAX_REASON_BYTES} bytes, has {}", reason.len()).into());
    }
    Ok(reason)
}
