//! What is to be warmed, as the body of a request and the input of a schedule say it alike.

use crate::{body::Fields, error::ApiError, problem::Problem, timestamp};
use serde_json::from_str;
use std::{borrow::Cow, ops::RangeInclusive};
use strata_cache::{
    Key, Pattern, Strategy, Warm,
    config::Refusal,
    warm::{LARGEST_MAX_CONCURRENT, MAX_BATCH_SIZE, MAX_KEYS, MAX_PATTERNS},
};

/// How far ahead a job may be put off, in ms: a year. Farther is most likely a mistake, such as ms given for seconds.
const MAX_AHEAD_MS: i64 = 365 * 24 * 3600 * 1000;

/// The fields of the body.
pub const FIELDS: [&str; 6] = ["keys", "patterns", "strategy", "batch_size", "max_concurrent", "run_at"];

type Said<T> = Result<T, Cow<'static, str>>;

/// What `text`, a JSON object, asks at `now_ms` to be warmed on behalf of `by`. All that is wrong with it is reported
/// together.
pub fn read(text: &str, by: &str, now_ms: i64) -> Result<Warm, ApiError> {
    let mut fields = Fields::parse(text, &FIELDS)?;
    let keys = fields.each("keys", MAX_KEYS, |key| Key::new(key));
    let patterns = fields.each("patterns", MAX_PATTERNS, Pattern::new);
    let strategy = fields.optional("strategy", strategy);
    let batch_size = fields.optional("batch_size", |raw| integer(raw, 1..=MAX_BATCH_SIZE));
    let max_concurrent = fields.optional("max_concurrent", |raw| integer(raw, 1..=LARGEST_MAX_CONCURRENT));
    let run_at_ms = fields.optional("run_at", |raw| run_at(raw, now_ms));
    fields.finish()?;
    let default = Warm::new(by);
    let warm = Warm {
        keys: keys.unwrap_or_default(),
        patterns: patterns.unwrap_or_default(),
        strategy: strategy.unwrap_or_default(),
        batch_size: batch_size.unwrap_or(default.batch_size),
        max_concurrent: max_concurrent.unwrap_or(default.max_concurrent),
        run_at_ms,
        ..default
    }
    .each_once();
    check(&warm)?;
    Ok(warm)
}

/// What no field says by itself.
fn check(warm: &Warm) -> Result<(), Problem> {
    if warm.keys.is_empty() && warm.patterns.is_empty() {
        return Err(Problem::new("keys", "must name at least one key, unless patterns are given"));
    }
    if let Some(Refusal { field, message }) = warm.excess() {
        return Err(Problem::new(field, message));
    }
    if warm.run_at_ms.is_some() && warm.strategy != Strategy::Scheduled {
        return Err(Problem::new("run_at", "must not be given unless strategy is SCHEDULED"));
    }
    Ok(())
}

fn strategy(raw: &str) -> Said<Strategy> {
    let name: Cow<'_, str> = from_str(raw).map_err(|_| "must be a string")?;
    Strategy::named(&name).ok_or("must be EAGER, LAZY or SCHEDULED".into())
}

fn integer(raw: &str, range: RangeInclusive<usize>) -> Said<usize> {
    let number = from_str(raw).ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("must be an integer from {} to {}", range.start(), range.end()).into())
}

fn run_at(raw: &str, now_ms: i64) -> Said<i64> {
    let text: Option<Cow<'_, str>> = from_str(raw).ok();
    let at = text.and_then(|text| timestamp::parse_ms(&text));
    let at = at.ok_or("must be a time as RFC 3339 writes it, such as 2024-01-15T10:45:00Z")?;
    if at > now_ms + MAX_AHEAD_MS { Err("must be at most a year ahead".into()) } else { Ok(at) }
}
