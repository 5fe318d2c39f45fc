//! The version of the configuration as an entity tag.

use strata_api::{Headers, Problem, etag};

/// The strong entity tag of a version, with its quotes.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The versions that `If-Match` allows; `None` for every one.
pub fn expected(headers: &Headers) -> Result<Option<Vec<u64>>, Problem> {
    if headers.if_none_match.is_some() {
        return Err(Problem::new("If-None-Match", "is not supported with this method"));
    }
    Ok(match etag::if_match(headers)? {
        None | Some(etag::Tags::Any) => None,
        Some(etag::Tags::Listed(tags)) => Some(tags.iter().filter_map(version).collect()),
    })
}

/// The version whose tag is exactly this one.
fn version(tag: &etag::Tag) -> Option<u64> {
    let version = tag.opaque.parse().ok().filter(|version: &u64| version.to_string() == tag.opaque);
    version.filter(|_| !tag.weak)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn expected_by(if_match: &str) -> Option<Vec<u64>> {
        expected(&Headers { if_match: Some(if_match.to_owned()), ..Headers::default() }).unwrap()
    }

    #[test]
    fn a_version_is_meant_by_its_own_tag_only() {
        assert_eq!(expected_by(&etag(7)), Some(vec![7]));
        assert_eq!(expected_by("*"), None);
        assert_eq!(expected(&Headers::default()).unwrap(), None);
        for other in ["W/\"7\"", "\"07\"", "\"+7\"", "\"x\""] {
            assert_eq!(expected_by(other), Some(Vec::new()), "{other}");
        }
        let both = Headers { if_none_match: Some("*".to_owned()), ..Headers::default() };
        assert_eq!(expected(&both).unwrap_err().field, "If-None-Match");
    }
}
