//! Entity tags of conditional requests (RFC 9110, section 13).

use crate::{headers::Headers, problem::Problem};

/// The entity tags of an `If-Match` or `If-None-Match` header.
#[derive(Debug, PartialEq)]
pub enum Tags {
    /// `*`: whatever there is.
    Any,
    /// These.
    Listed(Vec<Tag>),
}

/// An entity tag as it was sent.
#[derive(Debug, PartialEq)]
pub struct Tag {
    /// Whether it began with `W/`.
    pub weak: bool,
    /// What stands between the quotes.
    pub opaque: String,
}

impl Tags {
    /// Whether `etag`, strong and with its quotes, is one of them, weak ones counting: for `If-None-Match`.
    pub fn weakly_match(&self, etag: &str) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => tags.iter().any(|tag| tag.is(etag)),
        }
    }

    /// Whether `etag`, strong and with its quotes, is one of them, weak ones not counting: for `If-Match`.
    pub fn strongly_match(&self, etag: &str) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => tags.iter().any(|tag| !tag.weak && tag.is(etag)),
        }
    }
}

impl Tag {
    fn is(&self, etag: &str) -> bool {
        etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')) == Some(&self.opaque)
    }
}

/// The tags of `If-Match`, if it is there.
///
/// # Errors
/// When the header is malformed.
pub fn if_match(headers: &Headers) -> Result<Option<Tags>, Problem> {
    header("If-Match", headers.if_match.as_deref())
}

/// The tags of `If-None-Match`, if it is there.
///
/// # Errors
/// When the header is malformed.
pub fn if_none_match(headers: &Headers) -> Result<Option<Tags>, Problem> {
    header("If-None-Match", headers.if_none_match.as_deref())
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
    Some((Tag { weak, opaque: opaque.to_owned() }, after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const OWN: &str = "\"ab\"";

    #[test]
    fn a_tag_is_found_in_every_form_of_list() {
        for list in [OWN.to_owned(), format!("\"x\", {OWN}"), format!(" ,, {OWN} ,"), format!("\"a,b\",{OWN}")] {
            let tags = parse(&list).unwrap();
            assert!(tags.strongly_match(OWN) && tags.weakly_match(OWN), "{list}");
        }
        let weak = parse(&format!("W/{OWN}")).unwrap();
        assert!(weak.weakly_match(OWN) && !weak.strongly_match(OWN));
        for other in ["\"AB\"", "\"abc\"", "\"\""] {
            assert!(!parse(other).unwrap().weakly_match(OWN), "{other}");
        }
        assert!(parse(" * ").unwrap().strongly_match(OWN));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for list in ["", ",", "abc", "\"a", "\"a\" \"b\"", "w/\"a\"", "*, \"a\"", "\"a\"x"] {
            assert_eq!(parse(list), None, "{list}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in any::<String>()) {
            let _ = parse(&value);
        }
    }
}
