//! The headers for filling what is missing: `Fill-Lease` and `Prefer: wait` of a read, `Fill-Token` of its answer and of the
//! PUT that follows.

use crate::{
    error::ApiError, fill_offer::FillOffer, headers::Headers, keyed, principal::Principal, problem::Problem, sealed,
};
use std::time::Duration;
use strata_cache::{
    Fill, FillToken, Lease,
    fill::{MAX_LEASE_SECONDS, MAX_WAIT_SECONDS},
};

/// What the seal of a token is for.
const PURPOSE: &str = "fill token";

/// What `principal` is offered.
pub fn offer(fill: &Fill, principal: &Principal) -> FillOffer {
    match fill {
        Fill::Granted { token, expires_in } => {
            FillOffer::Granted { token: seal(token, principal), expires_in: *expires_in }
        }
        Fill::Held { retry_after } => FillOffer::Held(*retry_after),
        Fill::Unavailable => FillOffer::Unavailable,
    }
}

/// The lease that a read asks for, on behalf of `principal`.
pub fn lease(headers: &Headers, principal: &Principal) -> Result<Option<Lease>, Problem> {
    let Some(text) = &headers.fill_lease else { return Ok(None) };
    let message = || format!("must be a number of seconds from 1 to {MAX_LEASE_SECONDS}");
    let seconds = whole(text.trim(), 1..=MAX_LEASE_SECONDS).ok_or_else(|| Problem::new("Fill-Lease", message()))?;
    let wait = wait(headers)?;
    Ok(Some(Lease { seconds, wait, api_key: principal.api_key.clone() }))
}

/// How long a read is willing to wait for another to fill. Other preferences are passed over, as RFC 7240 wants it.
fn wait(headers: &Headers) -> Result<Duration, Problem> {
    let wrong = || Problem::new("Prefer", format!("must have a wait of 1 to {MAX_WAIT_SECONDS} seconds, if any"));
    for preference in headers.prefer.iter().flat_map(|value| value.split(',')) {
        let (name, value) =
            preference.split(';').next().unwrap_or_default().split_once('=').unwrap_or((preference, ""));
        if name.trim().eq_ignore_ascii_case("wait") {
            let seconds = value.trim().trim_matches('"');
            let seconds = whole(seconds, 1..=MAX_WAIT_SECONDS).ok_or_else(wrong)?;
            return Ok(Duration::from_secs(seconds.into()));
        }
    }
    Ok(Duration::ZERO)
}

fn whole(text: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && range.contains(number))
}

/// The text of a token, good for the API key of `principal` only.
fn seal(token: &FillToken, principal: &Principal) -> String {
    let content = [&token.to_bytes()[..], &owner(principal).to_be_bytes()].concat();
    sealed::seal(PURPOSE, "", &content)
}

fn owner(principal: &Principal) -> u128 {
    keyed::hash("fill owner", &principal.api_key)
}

/// The token that `text`, of a header or field of that name, carries.
///
/// # Errors
/// When it is none of ours; [`ApiError::LeaseLost`] when it was given to another API key.
pub fn token(name: &str, text: &str, principal: &Principal) -> Result<FillToken, ApiError> {
    let wrong = || Problem::new(name, "must be the Fill-Token of an answer, as it was given");
    let content = sealed::open(PURPOSE, "", text.trim()).ok_or_else(wrong)?;
    let (token, owned_by) = content.split_at_checked(FillToken::BYTES).ok_or_else(wrong)?;
    let token = FillToken::from_bytes(token).ok_or_else(wrong)?;
    if owned_by == owner(principal).to_be_bytes() { Ok(token) } else { Err(ApiError::LeaseLost) }
}

/// Refuses headers that are for another method.
pub fn none(headers: &Headers) -> Result<(), Problem> {
    let sent = [("Fill-Lease", &headers.fill_lease), ("Fill-Token", &headers.fill_token)];
    match sent.into_iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(Problem::new(name, "is not supported with this request")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn principal(api_key: &str) -> Principal {
        let context = json!({"sub": "s", "api_key": api_key, "exp": "2000000000", "scopes": "[]"});
        let event = json!({"requestContext": {"authorizer": context}});
        Principal::of(&serde_json::from_value(event).unwrap(), 0).unwrap()
    }

    fn asked(fill_lease: &str, prefer: Option<&str>) -> Result<(u32, u64), String> {
        let headers = Headers {
            fill_lease: Some(fill_lease.to_owned()),
            prefer: prefer.map(str::to_owned),
            ..Headers::default()
        };
        let lease = lease(&headers, &principal("k")).map_err(|problem| problem.to_string())?;
        Ok(lease.map(|lease| (lease.seconds, lease.wait.as_secs())).unwrap())
    }

    #[test]
    fn a_lease_has_whole_seconds_and_may_be_waited_for() {
        assert_eq!(asked("1", None), Ok((1, 0)));
        assert_eq!(asked(" 60 ", Some("respond-async, wait=10")), Ok((60, 10)));
        assert_eq!(asked("5", Some("Wait=\"3\"; x=y")), Ok((5, 3)));
        assert_eq!(asked("5", Some("handling=lenient")), Ok((5, 0)));
        for wrong in ["0", "61", "", "x", "1.5", "+1", "-1", "1, 2", "99999999999"] {
            assert!(asked(wrong, None).unwrap_err().starts_with("Fill-Lease must be"), "{wrong}");
        }
        for wrong in ["wait", "wait=0", "wait=11", "wait=x", "wait=1.5"] {
            assert!(asked("5", Some(wrong)).unwrap_err().starts_with("Prefer must have"), "{wrong}");
        }
        assert_eq!(lease(&Headers::default(), &principal("k")).unwrap().map(|lease| lease.seconds), None);
    }

    #[test]
    fn a_token_is_good_for_its_api_key_and_cannot_be_changed() {
        let token_of = |text: &str, api_key: &str| token("Fill-Token", text, &principal(api_key));
        let own = FillToken::from_bytes(&[0; FillToken::BYTES]).unwrap();
        let text = seal(&own, &principal("k"));
        assert!(text.len() <= 512 && text.is_ascii(), "{text}");
        assert_eq!(token_of(&text, "k").unwrap(), own);
        assert!(matches!(token_of(&text, "l"), Err(ApiError::LeaseLost)));
        for (at, _) in text.char_indices() {
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert!(matches!(token_of(&changed, "k"), Err(ApiError::Invalid(_))), "{changed}");
        }
        for wrong in ["", "A", &text[1..], &text[..text.len() - 4]] {
            assert!(matches!(token_of(wrong, "k"), Err(ApiError::Invalid(_))), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            prop_assert!(token("Fill-Token", &text, &principal("k")).is_err());
        }
    }
}
