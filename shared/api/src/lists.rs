//! Lists that several operations read from their bodies: tags, levels and texts. Each reader takes JSON text and says
//! what would be valid. A list that is too long is counted to its end, and no more of it is kept than it may have.

use serde::{
    Deserialize,
    de::{self, Deserializer as _, IgnoredAny},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc};
use strata_cache::{Level, Levels, MAX_TAG_BYTES, MAX_TAGS, tags::is_tag};

/// Most characters of what is wrong that are repeated to the client.
const MAX_SHOWN_CHARS: usize = 64;

/// What was read, or how it must be.
pub type Said<T> = Result<T, Cow<'static, str>>;

/// Tags. They are a set: one that is given twice is kept once.
pub fn tags(raw: &str) -> Said<Vec<Arc<str>>> {
    let given: Vec<Arc<str>> = strings(raw, MAX_TAGS, "tags")?.into_iter().map(Arc::from).collect();
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

/// Levels by name, each once.
pub fn levels(raw: &str) -> Said<Levels> {
    // One more than there are: of these one is unknown or comes twice.
    let (names, _) = first_of::<String>(raw, Level::ALL.len() + 1).map_err(|_| "must be an array of level names")?;
    let mut levels = Levels::NONE;
    for (at, name) in names.iter().enumerate() {
        let level = Level::from_name(name).ok_or_else(|| {
            let shown: String =
                name.chars().take(MAX_SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!("must be of {}, [{at}] is \"{shown}\"", Levels::ALL.names().join(", "))
        })?;
        if levels.has(level) {
            return Err(format!("must not name {level} twice").into());
        }
        levels = levels.with(level);
    }
    if levels.is_empty() { Err("must name at least one level".into()) } else { Ok(levels) }
}

/// At most so many strings. `what` they are is said where there are more.
pub fn strings(raw: &str, most: usize, what: &str) -> Said<Vec<String>> {
    items(raw, most, what, "strings")
}

/// At most so many objects, not yet read.
pub fn objects<'a>(raw: &'a str, most: usize, what: &str) -> Said<Vec<&'a RawValue>> {
    items(raw, most, what, "objects")
}

fn items<'a, T: Deserialize<'a>>(raw: &'a str, most: usize, what: &str, kind: &str) -> Said<Vec<T>> {
    match first_of(raw, most).map_err(|_| format!("must be an array of {kind}"))? {
        (items, count) if count <= most => Ok(items),
        (_, count) => Err(format!("must have at most {most} {what}, has {count}").into()),
    }
}

/// The first items of an array, at most so many, and how many it has.
fn first_of<'a, T: Deserialize<'a>>(raw: &'a str, most: usize) -> Result<(Vec<T>, usize), serde_json::Error> {
    serde_json::Deserializer::from_str(raw).deserialize_seq(FirstOf(most, PhantomData))
}

struct FirstOf<T>(usize, PhantomData<T>);

impl<'de, T: Deserialize<'de>> de::Visitor<'de> for FirstOf<T> {
    type Value = (Vec<T>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut first, mut count) = (Vec::new(), 0);
        while count < self.0 {
            let Some(item) = items.next_element()? else { return Ok((first, count)) };
            first.push(item);
            count += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((first, count))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// An array of so many of one item.
    fn array(count: usize, item: &str) -> String {
        format!("[{}]", vec![item; count].join(","))
    }

    #[test]
    fn a_list_is_counted_to_its_end_and_kept_as_far_as_it_may_go() {
        assert_eq!(strings(&array(3, "\"a\\n\""), 3, "items").unwrap(), ["a\n"; 3]);
        assert_eq!(strings("[]", 3, "items").unwrap(), Vec::<String>::new());
        assert_eq!(strings(&array(100_000, "\"\""), 3, "items").unwrap_err(), "must have at most 3 items, has 100000");
        let (kept, count) = first_of::<String>(&array(100_000, "\"\""), 3).unwrap();
        assert_eq!((kept.len(), count), (3, 100_000));
        for wrong in ["1", "{}", "null", "[1]", "[\"a\",null]"] {
            assert_eq!(strings(wrong, 3, "items").unwrap_err(), "must be an array of strings", "{wrong}");
        }
    }

    #[test]
    fn too_many_levels_are_told_by_the_first_of_them() {
        assert_eq!(levels(&array(100_000, "\"L1_MEMORY\"")).unwrap_err(), "must not name L1_MEMORY twice");
        let all = r#""L1_MEMORY","L2_REDIS","L3_DATABASE""#;
        assert_eq!(levels(&format!("[{all}]")).unwrap(), Levels::ALL);
        let more = format!("[{all},{}]", vec!["\"\""; 100_000].join(","));
        assert_eq!(levels(&more).unwrap_err(), "must be of L1_MEMORY, L2_REDIS, L3_DATABASE, [3] is \"\"");
        let wrong = format!("[\"L1_MEMORY\",\"L4\\n{}\"]", "x".repeat(100));
        let shown = format!("\"L4 {}\"", "x".repeat(61));
        assert_eq!(levels(&wrong).unwrap_err(), format!("must be of L1_MEMORY, L2_REDIS, L3_DATABASE, [1] is {shown}"));
    }

    #[test]
    fn tags_are_counted() {
        assert_eq!(tags(&array(100_000, "\"t\"")).unwrap_err(), "must have at most 50 tags, has 100000");
    }
}
