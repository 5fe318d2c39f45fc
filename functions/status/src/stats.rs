//! GET `/cache/stats`: entries and bytes by what their keys begin with, as the last census counted them.

use serde::Serialize;
use std::borrow::Cow;
use strata_api::{Answer, ApiError, Call, Query, Response, Timestamp, http::StatusCode};
use strata_cache::{
    Level,
    stats::{Amount, Breakdown, Census, MAX_DEPTH, SEPARATORS},
};

const DEFAULT_SEPARATOR: char = ':';

#[derive(Serialize)]
struct Answered<'a> {
    level: &'static str,
    separator: char,
    depth: usize,
    prefixes: Vec<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<Sum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Sum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
}

#[derive(Serialize)]
struct Group<'a> {
    prefix: &'a str,
    #[serde(flatten)]
    sum: Sum,
}

#[derive(Serialize)]
struct Sum {
    entries: u64,
    stored_bytes: u64,
}

/// Answers with what the last census counted under the prefixes of the depth that is asked for.
pub async fn handle(call: Call<'_>) -> Answer {
    let (separator, depth) = read(&call)?;
    let census = call.cache.census().await?;
    let level = if call.cache.config().l3_config.enabled { Level::L3 } else { Level::L2 };
    let began_ms = census.as_ref().map(|census| census.began_ms);
    let counted = census.map_or_else(Breakdown::default, |Census { counted, .. }| counted);
    let mut groups = counted.by(separator, depth);
    let bounds = call.principal.prefixes();
    // What is counted together with others' entries is no number of a token's own.
    let is_whole = bounds.is_none() && began_ms.is_some();
    let (other, total) = (counted.besides(&groups), counted.total);
    groups.retain(|(prefix, _)| bounds.as_ref().is_none_or(|own| own.iter().any(|own| prefix.starts_with(&**own))));
    let answered = Answered {
        level: level.name(),
        separator,
        depth,
        prefixes: groups.into_iter().map(|(prefix, amount)| Group { prefix, sum: amount.into() }).collect(),
        other: is_whole.then(|| other.into()),
        total: is_whole.then(|| total.into()),
        counted_at: began_ms.map(Timestamp::floor),
        age_seconds: began_ms.map(|began_ms| (call.cache.clock().now_ms() - began_ms).max(0) / 1000),
    };
    Response::json(StatusCode::OK, &answered)
}

fn read(call: &Call<'_>) -> Result<(char, usize), ApiError> {
    let mut query = Query::of(&call.event, &["separator", "depth"]);
    let separator = query.optional("separator", separator);
    let depth = query.count("depth", MAX_DEPTH);
    query.finish()?;
    Ok((separator.unwrap_or(DEFAULT_SEPARATOR), depth.unwrap_or(1)))
}

fn separator(text: &str) -> Result<char, Cow<'static, str>> {
    let one = SEPARATORS.into_iter().find(|separator| text.chars().eq([*separator]));
    one.ok_or_else(|| format!("must be one of {}", SEPARATORS.map(String::from).join(" ")).into())
}

impl From<Amount> for Sum {
    fn from(amount: Amount) -> Sum {
        Sum { entries: amount.entries, stored_bytes: amount.bytes }
    }
}
