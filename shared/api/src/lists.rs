//! Lists that several operations read from their bodies: tags and levels. Each reader takes JSON text and says what
//! would be right.

use serde_json::from_str;
use std::{borrow::Cow, sync::Arc};
use strata_cache::{Level, Levels, MAX_TAG_BYTES, MAX_TAGS};

/// What was read, or how it must be.
pub type Said<T> = Result<T, Cow<'static, str>>;

/// Tags. They are a set: one that is given twice is kept once.
pub fn tags(raw: &str) -> Said<Vec<Arc<str>>> {
    let given: Vec<Arc<str>> = from_str(raw).map_err(|_| "must be an array of strings")?;
    if given.len() > MAX_TAGS {
        return Err(format!("must have at most {MAX_TAGS} tags, has {}", given.len()).into());
    }
    if let Some(at) = given.iter().position(|tag| !is_tag(tag)) {
        return Err(format!("must be of 1 to {MAX_TAG_BYTES} bytes without control characters, [{at}] is not").into());
    }
    let mut tags = Vec::with_capacity(given.len());
    for tag in given {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG_BYTES).contains(&tag.len()) && !tag.contains(char::is_control)
}

/// Levels by name, each once.
pub fn levels(raw: &str) -> Said<Levels> {
    let names: Vec<Cow<'_, str>> = from_str(raw).map_err(|_| "must be an array of level names")?;
    let mut levels = Levels::NONE;
    for name in &names {
        let all = Levels::ALL.names().join(", ");
        let level = Level::from_name(name).ok_or_else(|| format!("must be of {all}"))?;
        if levels.has(level) {
            return Err(format!("must not name {level} twice").into());
        }
        levels = levels.with(level);
    }
    if levels.is_empty() { Err("must name at least one level".into()) } else { Ok(levels) }
}
