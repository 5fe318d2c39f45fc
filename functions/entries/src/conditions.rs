//! Conditional requests (RFC 9110, section 13): entity tags of the value, which are its checksum.

use strata_api::{ApiError, Headers, Problem};
use strata_cache::{Condition, Entry};

/// The entity tags of an `If-Match` or `If-None-Match` header.
#[derive(Debug, PartialEq)]
pub enum Tags {
    /// `*`: any live value.
    Any,
    /// These.
    Listed(Vec<Tag>),
}

/// An entity tag as it was sent.
#[derive(Debug, PartialEq)]
pub struct Tag {
    weak: bool,
    /// The checksum, if it can be one of ours.
    checksum: Option<u128>,
}

impl Tags {
    /// Whether `entry` has one of the tags, weak ones counting: for `If-None-Match`.
    pub fn weakly_match(&self, entry: &Entry) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => tags.iter().any(|tag| tag.checksum == Some(entry.checksum)),
        }
    }

    /// Whether `entry` has one of the tags, weak ones not counting: for `If-Match`.
    pub fn strongly_match(&self, entry: &Entry) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => strong(tags).any(|checksum| checksum == entry.checksum),
        }
    }
}

fn strong(tags: &[Tag]) -> impl Iterator<Item = u128> {
    tags.iter().filter(|tag| !tag.weak).filter_map(|tag| tag.checksum)
}

/// The tags of `If-Match`, if it is there.
pub fn if_match(headers: &Headers) -> Result<Option<Tags>, Problem> {
    header("If-Match", headers.if_match.as_deref())
}

/// The tags of `If-None-Match`, if it is there.
pub fn if_none_match(headers: &Headers) -> Result<Option<Tags>, Problem> {
    header("If-None-Match", headers.if_none_match.as_deref())
}

/// The condition of a PUT. A condition that cannot be kept is refused: ignoring it would overwrite what the caller
/// wants to keep.
pub fn of_put(headers: &Headers) -> Result<Condition, ApiError> {
    match (if_match(headers)?, if_none_match(headers)?) {
        (None, None) => Ok(Condition::Always),
        (None, Some(Tags::Any)) => Ok(Condition::Absent),
        (Some(Tags::Any), None) => Ok(Condition::Present),
        (Some(Tags::Listed(tags)), None) => Ok(Condition::Matches(strong(&tags).collect())),
        (None, Some(Tags::Listed(_))) => Err(Problem::new("If-None-Match", "must be * with PUT").into()),
        (Some(_), Some(_)) => Err(Problem::new("If-None-Match", "must not be sent together with If-Match").into()),
    }
}

/// Refuses conditions where none can be kept.
pub fn none(headers: &Headers) -> Result<(), Problem> {
    let sent = [("If-Match", &headers.if_match), ("If-None-Match", &headers.if_none_match)];
    match sent.into_iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(Problem::new(name, "is not supported with this method")),
        None => Ok(()),
    }
}

fn header(name: &'static str, value: Option<&str>) -> Result<Option<Tags>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let tags = parse(value).ok_or_else(|| Problem::new(name, "must be * or a list of entity tags in quotes"))?;
    Ok(Some(tags))
}

/// `*`, or a comma-separated list of entity tags, in which empty elements are allowed (RFC 9110, section 5.6.1.2).
fn parse(value: &str) -> Option<Tags> {
    if value.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(Tags::Listed(tags));
        }
        let (tag, after) = tag(rest)?;
        tags.push(tag);
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

/// The entity tag that `text` begins with, and what follows it.
fn tag(text: &str) -> Option<(Tag, &str)> {
    let (weak, quoted) = text.strip_prefix("W/").map_or((false, text), |quoted| (true, quoted));
    let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
    Some((Tag { weak, checksum: checksum(opaque) }, after))
}

/// The checksum that [`Entry::etag`] writes as `opaque`; exactly so, because a tag is compared letter by letter.
fn checksum(opaque: &str) -> Option<u128> {
    let written = |checksum: &u128| format!("{checksum:032x}") == opaque;
    u128::from_str_radix(opaque, 16).ok().filter(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;
    use strata_cache::{Levels, Version, config::Format};

    fn entry(checksum: u128) -> Entry {
        Entry {
            text: Bytes::from_static(b"{}"),
            created_at_ms: 0,
            expires_at_ms: 1,
            ttl_seconds: 1,
            tags: Vec::new(),
            levels: Levels::ALL,
            version: Version::ZERO,
            checksum,
            compression: None,
            stored_bytes: 2,
            format: Format::Bincode,
        }
    }

    fn headers(if_match: Option<&str>, if_none_match: Option<&str>) -> Headers {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Headers { if_match: owned(if_match), if_none_match: owned(if_none_match), ..Headers::default() }
    }

    #[test]
    fn an_entry_has_its_own_tag() {
        let entry = entry(0xab);
        let own = entry.etag();
        for list in [own.clone(), format!("\"x\", {own}"), format!(" ,, {own} ,"), format!("\"a,b\",{own}")] {
            let tags = parse(&list).unwrap();
            assert!(tags.strongly_match(&entry) && tags.weakly_match(&entry), "{list}");
        }
        let weak = parse(&format!("W/{own}")).unwrap();
        assert!(weak.weakly_match(&entry) && !weak.strongly_match(&entry));
        for other in [own.to_uppercase(), "\"ab\"".to_owned(), "\"\"".to_owned()] {
            assert!(!parse(&other).unwrap().weakly_match(&entry), "{other}");
        }
        assert!(parse(" * ").unwrap().strongly_match(&entry));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for list in ["", ",", "abc", "\"a", "\"a\" \"b\"", "w/\"a\"", "*, \"a\"", "\"a\"x"] {
            assert_eq!(parse(list), None, "{list}");
        }
    }

    #[test]
    fn conditions_of_a_put() {
        let condition = |if_match, if_none_match| of_put(&headers(if_match, if_none_match));
        assert_eq!(condition(None, None).unwrap(), Condition::Always);
        assert_eq!(condition(None, Some("*")).unwrap(), Condition::Absent);
        assert_eq!(condition(Some("*"), None).unwrap(), Condition::Present);
        let (own, other) = (entry(5).etag(), entry(6).etag());
        let listed = format!("{own}, W/{other}, \"not ours\"");
        assert_eq!(condition(Some(&listed), None).unwrap(), Condition::Matches(vec![5]));
        assert_eq!(condition(Some("\"not ours\""), None).unwrap(), Condition::Matches(Vec::new()));
        assert!(condition(None, Some(&own)).is_err());
        assert!(condition(Some("*"), Some("*")).is_err());
        assert!(condition(Some("x"), None).is_err());
    }

    #[test]
    fn no_conditions() {
        assert!(none(&headers(None, None)).is_ok());
        assert_eq!(none(&headers(Some("*"), None)).unwrap_err().field, "If-Match");
    }

    proptest! {
        #[test]
        fn every_entry_has_its_own_tag(checksum: u128) {
            prop_assert!(parse(&entry(checksum).etag()).unwrap().strongly_match(&entry(checksum)));
        }

        #[test]
        fn never_panics(value in any::<String>()) {
            let _ = parse(&value);
        }
    }
}
