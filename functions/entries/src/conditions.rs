//! The condition of a request on an entry: entity tags of the value, which are its checksum.

use strata_api::{
    ApiError, Headers, Principal, Problem,
    etag::{Tag, Tags, if_match, if_none_match},
    fill,
};
use strata_cache::{Condition, FillToken};

/// The condition of a PUT. A condition that cannot be kept is refused: ignoring it would overwrite what the caller
/// wants to keep.
pub fn of_put(headers: &Headers) -> Result<Condition, ApiError> {
    match (if_match(headers)?, if_none_match(headers)?) {
        (None, None) => Ok(Condition::Always),
        (None, Some(Tags::Any)) => Ok(Condition::Absent),
        (Some(Tags::Any), None) => Ok(Condition::Present),
        (Some(Tags::Listed(tags)), None) => Ok(Condition::Matches(checksums(&tags))),
        (None, Some(Tags::Listed(_))) => Err(Problem::new("If-None-Match", "must be * with PUT and PATCH").into()),
        (Some(_), Some(_)) => Err(Problem::new("If-None-Match", "must not be sent together with If-Match").into()),
    }
}

/// The token of a PUT that fills. It says already what must stand, so that no condition goes with it.
pub fn fill_of_put(
    headers: &Headers,
    condition: &Condition,
    principal: &Principal,
) -> Result<Option<Box<FillToken>>, ApiError> {
    if headers.fill_lease.is_some() {
        return Err(Problem::new("Fill-Lease", "is not supported with this request").into());
    }
    let Some(text) = &headers.fill_token else { return Ok(None) };
    if *condition != Condition::Always {
        return Err(Problem::new("Fill-Token", "must not be sent together with If-Match or If-None-Match").into());
    }
    fill::token("Fill-Token", text, principal).map(|token| Some(Box::new(token)))
}

/// Refuses conditions where none can be kept.
pub fn none(headers: &Headers) -> Result<(), Problem> {
    refuse(headers, "is not supported with this method")
}

/// Refuses conditions of a whole batch: each of its operations has its own.
pub fn none_of_batch(headers: &Headers) -> Result<(), Problem> {
    refuse(headers, "is not supported with this request: an operation has if_match and if_none_match")
}

fn refuse(headers: &Headers, message: &'static str) -> Result<(), Problem> {
    fill::none(headers)?;
    let sent = [("If-Match", &headers.if_match), ("If-None-Match", &headers.if_none_match)];
    match sent.into_iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(Problem::new(name, message)),
        None => Ok(()),
    }
}

/// The checksums of the strong tags that can be ours.
fn checksums(tags: &[Tag]) -> Vec<u128> {
    tags.iter().filter(|tag| !tag.weak).filter_map(|tag| checksum(&tag.opaque)).collect()
}

/// The checksum that [`strata_cache::Entry::etag`] writes as `opaque`; exactly so, because a tag is compared letter by
/// letter.
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
    use strata_cache::{Entry, Levels, Tags, Version, config::Format};

    fn etag(checksum: u128) -> String {
        let entry = Entry {
            text: Bytes::from_static(b"{}"),
            created_at_ms: 0,
            expires_at_ms: 1,
            ttl_seconds: 1,
            sliding: None,
            grace_seconds: 0,
            made_stale: false,
            tags: Tags::default(),
            levels: Levels::ALL,
            version: Version::ZERO,
            checksum,
            compression: None,
            stored_bytes: 2,
            format: Format::Bincode,
        };
        entry.etag()
    }

    fn headers(if_match: Option<&str>, if_none_match: Option<&str>) -> Headers {
        let owned = |value: Option<&str>| value.map(str::to_owned);
        Headers { if_match: owned(if_match), if_none_match: owned(if_none_match), ..Headers::default() }
    }

    #[test]
    fn conditions_of_a_put() {
        fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Condition, ApiError> {
            of_put(&headers(if_match, if_none_match))
        }
        assert_eq!(condition(None, None).unwrap(), Condition::Always);
        assert_eq!(condition(None, Some("*")).unwrap(), Condition::Absent);
        assert_eq!(condition(Some("*"), None).unwrap(), Condition::Present);
        let (own, other) = (etag(5), etag(6));
        let listed = format!("{own}, W/{other}, \"not ours\"");
        assert_eq!(condition(Some(&listed), None).unwrap(), Condition::Matches(vec![5]));
        for not_ours in ["\"not ours\"".to_owned(), "\"ab\"".to_owned(), etag(0xab).to_uppercase()] {
            assert_eq!(condition(Some(&not_ours), None).unwrap(), Condition::Matches(Vec::new()));
        }
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
        fn every_entry_can_be_meant(checksum: u128) {
            let condition = of_put(&headers(Some(&etag(checksum)), None)).unwrap();
            prop_assert_eq!(condition, Condition::Matches(vec![checksum]));
        }
    }
}
