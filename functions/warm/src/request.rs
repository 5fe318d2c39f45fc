//! What is to be warmed, for whom, and whether it is a repetition.

use strata_api::{ApiError, Headers, Principal, Problem, body::Body, keyed, warming};
use strata_cache::Warm;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Longest `Idempotency-Key` in bytes.
const MAX_NAME_BYTES: usize = 255;

/// What `body` asks at `now_ms` to be warmed on behalf of `principal`, who may touch all of it.
pub fn read(body: &Body, principal: &Principal, now_ms: i64) -> Result<Warm, ApiError> {
    let warm = warming::read(body.as_str(), &principal.subject, now_ms)?;
    warm.keys.iter().try_for_each(|key| principal.may_touch(key))?;
    warm.patterns.iter().try_for_each(|pattern| principal.may_touch_pattern(pattern))?;
    Ok(Warm { account: Some(principal.account()), ..warm })
}

/// What names the request, if it is to be answered once however often it is sent. An API key names its own requests only;
/// and as the header has no space in it, no two API keys have the same name for one. It is keyed, as the job's id is made of
/// it: who knows both could otherwise tell the id, and read and cancel the job of another.
pub fn name(headers: &Headers, principal: &Principal) -> Result<Option<String>, Problem> {
    let Some(key) = &headers.idempotency_key else { return Ok(None) };
    if !(1..=MAX_NAME_BYTES).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("must have 1 to {MAX_NAME_BYTES} visible ASCII characters, and be sent once");
        return Err(Problem::new(IDEMPOTENCY_KEY, message));
    }
    Ok(Some(keyed::name(&format!("request {key} {}", principal.api_key))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use strata_api::Event;

    /// The caller with this API key.
    fn caller(api_key: &str) -> Principal {
        let context = json!({"sub": "s", "api_key": api_key, "exp": i64::MAX / 1000, "scopes": "[]"});
        let event: Event = serde_json::from_value(json!({"requestContext": {"authorizer": context}})).unwrap();
        Principal::of(&event, 0).unwrap()
    }

    fn named(key: &str, api_key: &str) -> Result<Option<String>, Problem> {
        name(&Headers { idempotency_key: Some(key.to_owned()), ..Headers::default() }, &caller(api_key))
    }

    #[test]
    fn each_api_key_has_names_of_its_own() {
        assert_eq!(named("a", "k"), named("a", "k"));
        assert_ne!(named("a", "k"), named("b", "k"));
        assert_ne!(named("a", "b k"), named("a b", "k"));
        assert_ne!(named("a", "k"), named("a", "l"));
        assert_eq!(name(&Headers::default(), &caller("k")), Ok(None));
    }

    #[test]
    fn a_name_is_visible_and_not_endless() {
        assert!(named(&"x".repeat(255), "k").is_ok());
        for key in ["", "a b", "a, b", "é", "a\tb", &"x".repeat(256)] {
            assert_eq!(named(key, "k").unwrap_err().field, IDEMPOTENCY_KEY, "{key}");
        }
    }
}
