//! `Cache-Control` of a request (RFC 9111, RFC 5861): how fresh an answer is to be. Directives that mean nothing here are
//! passed over.

use crate::{headers::Headers, problem::Problem};
use strata_cache::Read;

/// How the request wants to be read for.
///
/// # Errors
/// When a directive does not say seconds that has to.
pub fn read(headers: &Headers) -> Result<Read, Problem> {
    let mut read = Read::default();
    for directive in headers.cache_control.iter().flat_map(|value| value.split(',')) {
        let (name, value) = match directive.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (directive.trim(), None),
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match value {
            None if is("no-cache") => read.no_cache = true,
            value if is("max-age") => read.max_age_seconds = Some(seconds(value, "max-age")?),
            // By however much.
            None if is("max-stale") => read.max_stale_seconds = u32::MAX,
            value if is("max-stale") => read.max_stale_seconds = seconds(value, "max-stale")?,
            None if is("stale-if-error") => read.stale_if_error_seconds = u32::MAX,
            value if is("stale-if-error") => read.stale_if_error_seconds = seconds(value, "stale-if-error")?,
            _ => {}
        }
    }
    Ok(read)
}

/// Whole seconds, as a token or in quotes. More than there are in a number are as many as it has, as RFC 9111 wants it.
fn seconds(value: Option<&str>, name: &str) -> Result<u32, Problem> {
    let digits = value.unwrap_or_default();
    let digits = digits.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(digits);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::new("Cache-Control", format!("must say whole seconds in {name}")));
    }
    Ok(digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read_of(value: &str) -> Result<Read, Problem> {
        read(&Headers { cache_control: Some(value.to_owned()), ..Headers::default() })
    }

    fn said(value: &str) -> (bool, Option<u32>, u32, u32) {
        let Read { no_cache, max_age_seconds, max_stale_seconds, stale_if_error_seconds, .. } = read_of(value).unwrap();
        (no_cache, max_age_seconds, max_stale_seconds, stale_if_error_seconds)
    }

    #[test]
    fn directives_are_read_whatever_stands_beside_them() {
        assert_eq!(said("no-cache"), (true, None, 0, 0));
        assert_eq!(said("max-age=0"), (false, Some(0), 0, 0));
        assert_eq!(said("Max-Stale"), (false, None, u32::MAX, 0));
        assert_eq!(said("no-transform, max-stale=60,STALE-IF-ERROR = 600 , No-Cache"), (true, None, 60, 600));
        assert_eq!(said("stale-if-error, max-stale=\"5\""), (false, None, 5, u32::MAX));
        assert_eq!(said("max-stale=99999999999"), (false, None, u32::MAX, 0));
        for nothing in ["", "no-cachet", "x=no-cache", "no-cache=x", "only-if-cached", "max-stalest=1", ",,="] {
            assert_eq!(said(nothing), (false, None, 0, 0), "{nothing}");
        }
    }

    #[test]
    fn seconds_that_are_none_are_refused_by_name() {
        for wrong in
            ["max-age", "max-age=", "max-stale=x", "max-stale=-1", "stale-if-error=1.5", "max-stale=\"1", "max-age=+1"]
        {
            let problem = read_of(wrong).unwrap_err();
            let name = wrong.split('=').next().unwrap();
            assert_eq!(problem.field, "Cache-Control", "{wrong}");
            assert_eq!(problem.message, format!("must say whole seconds in {name}"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = read_of(&text);
        }
    }
}
