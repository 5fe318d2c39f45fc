//! Who is calling and what they may do. Denied by default: whatever the authorizer's context does not say clearly
//! is a refusal, and the context is checked again because the gateway caches it past the token's end.

use crate::{
    denial::Denial,
    error::ApiError,
    event::{Event, Scalar},
    keyed,
    scope::Scope,
};
use std::sync::Arc;
use strata_cache::{Key, Pattern};

/// The caller, as the authorizer vouches for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// The token's subject.
    pub subject: String,
    /// Whose quota the request counts against, and whose names it uses: the token's `api_key`, else its `sub`, with a
    /// mark of which, so that a subject who is called like another's API key does not share either.
    pub api_key: String,
    scopes: Vec<Scope>,
    /// The keys the token is limited to; `None` for all.
    prefixes: Option<Vec<String>>,
}

impl Principal {
    /// The caller of `event`, at `now_ms`.
    pub fn of(event: &Event, now_ms: i64) -> Result<Principal, ApiError> {
        if event.headers.authorizations > 1 {
            return Err(ApiError::Unauthorized(Denial::Malformed));
        }
        let context = event.request_context.authorizer.as_ref();
        let context = context.ok_or(ApiError::Unauthorized(Denial::Missing))?;
        match &context.denied {
            Scalar::Absent => {}
            Scalar::Text(reason) if reason == Denial::Expired.reason() => {
                return Err(ApiError::Unauthorized(Denial::Expired));
            }
            Scalar::Text(_) | Scalar::Other => return Err(UNREADABLE),
        }
        if seconds(&context.exp)?.saturating_mul(1000) <= now_ms {
            return Err(ApiError::Unauthorized(Denial::Expired));
        }
        let scopes = list(&context.scopes)?.iter().filter_map(|name| Scope::from_name(name)).collect();
        let prefixes = match &context.prefixes {
            Scalar::Absent => None,
            limited => Some(list(limited)?),
        };
        let subject = text(&context.sub)?;
        let api_key = match &context.api_key {
            Scalar::Absent => format!("sub:{subject}"),
            given => format!("key:{}", text(given)?),
        };
        Ok(Principal { subject, api_key, scopes, prefixes })
    }

    /// What stands for the API key where something is kept on its account: no key of another deployment, and none that
    /// whoever reads a table could use.
    pub fn account(&self) -> String {
        keyed::name(&format!("account {}", self.api_key))
    }

    /// Refuses a caller without `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        let by_admin = scope == Scope::Journal && self.scopes.contains(&Scope::Admin);
        if by_admin || self.scopes.contains(&scope) { Ok(()) } else { Err(ApiError::ScopeMissing(scope)) }
    }

    /// Refuses a key outside of the prefixes the token is limited to.
    pub fn may_touch(&self, key: &Key) -> Result<(), ApiError> {
        if self.reaches(key.as_str()) { Ok(()) } else { Err(ApiError::KeyForbidden(key.clone())) }
    }

    /// Refuses a pattern, unless all that it can match lies inside of the prefixes the token is limited to.
    pub fn may_touch_pattern(&self, pattern: &Pattern) -> Result<(), ApiError> {
        let is_inside = self.reaches(pattern.prefix());
        if is_inside { Ok(()) } else { Err(ApiError::PatternForbidden(pattern.as_str().to_owned())) }
    }

    /// Refuses a token that is limited to prefixes: what it asks concerns all keys.
    pub fn may_touch_all(&self) -> Result<(), ApiError> {
        if self.prefixes.is_none() { Ok(()) } else { Err(ApiError::Confined) }
    }

    /// Whether whatever begins with `text` lies inside of the prefixes the token is limited to.
    pub fn reaches(&self, text: &str) -> bool {
        self.prefixes.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| text.starts_with(prefix)))
    }

    /// The prefixes the token is limited to; `None` for all keys.
    pub fn prefixes(&self) -> Option<Vec<Arc<str>>> {
        self.prefixes.as_ref().map(|prefixes| prefixes.iter().map(|prefix| prefix.as_str().into()).collect())
    }
}

const UNREADABLE: ApiError = ApiError::Unauthorized(Denial::Refused);

fn text(value: &Scalar) -> Result<String, ApiError> {
    match value {
        Scalar::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(UNREADABLE),
    }
}

fn seconds(value: &Scalar) -> Result<i64, ApiError> {
    text(value)?.parse().map_err(|_| UNREADABLE)
}

fn list(value: &Scalar) -> Result<Vec<String>, ApiError> {
    serde_json::from_str(&text(value)?).map_err(|_| UNREADABLE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_700_000_000_000;

    fn context() -> Value {
        json!({"sub": "s", "api_key": "k", "exp": "1700000001", "scopes": "[\"cache:read\",\"other\"]"})
    }

    fn principal(context: Value, headers: Value) -> Result<Principal, ApiError> {
        let event = json!({"requestContext": {"authorizer": context}, "multiValueHeaders": headers});
        Principal::of(&serde_json::from_value(event).unwrap(), NOW)
    }

    fn with(field: &str, value: Value) -> Result<Principal, ApiError> {
        let mut context = context();
        context[field] = value;
        principal(context, Value::Null)
    }

    #[test]
    fn scopes_are_exact() {
        let caller = principal(context(), json!({"Authorization": ["Bearer x"]})).unwrap();
        assert!(caller.require(Scope::Read).is_ok());
        assert!(matches!(caller.require(Scope::Write), Err(ApiError::ScopeMissing(Scope::Write))));
        assert!(caller.may_touch(&Key::new("any").unwrap()).is_ok());
        assert!(caller.may_touch_all().is_ok());
    }

    #[test]
    fn the_journal_is_read_by_its_own_scope_and_by_admin() {
        for (scopes, journal, admin) in [
            ("[\"cache:journal\"]", true, false),
            ("[\"cache:admin\"]", true, true),
            ("[\"cache:read\",\"cache:write\"]", false, false),
        ] {
            let caller = with("scopes", json!(scopes)).unwrap();
            assert_eq!(
                (caller.require(Scope::Journal).is_ok(), caller.require(Scope::Admin).is_ok()),
                (journal, admin)
            );
        }
    }

    #[test]
    fn a_token_ends_at_its_second() {
        assert!(with("exp", json!(1_700_000_001)).is_ok());
        assert!(with("exp", json!(1_700_000_000)).is_err());
    }

    /// Also when all that a bearer needs stands beside it.
    #[test]
    fn what_the_authorizer_denies_is_refused() {
        let denial = |context| match principal(context, Value::Null) {
            Err(ApiError::Unauthorized(denial)) => denial,
            _ => panic!("not refused"),
        };
        assert_eq!(denial(json!({"denied": "expired"})), Denial::Expired);
        for (said, meant) in
            [(json!("expired"), Denial::Expired), (json!("x"), Denial::Refused), (Value::Null, Denial::Refused)]
        {
            let mut context = context();
            context["denied"] = said;
            assert_eq!(denial(context), meant);
        }
    }

    #[test]
    fn a_subject_and_an_api_key_never_meet() {
        let budget = |sub: &str, api_key: Option<&str>| {
            let mut context = context();
            context["sub"] = json!(sub);
            match api_key {
                Some(key) => context["api_key"] = json!(key),
                None => drop(context.as_object_mut().unwrap().remove("api_key")),
            }
            principal(context, Value::Null).unwrap().api_key
        };
        assert_eq!(budget("a", Some("k")), budget("b", Some("k")), "one API key, whoever has it");
        for (sub, key) in [("k", "k"), ("key:k", "k"), ("k", "sub:k"), ("sub:k", "k")] {
            assert_ne!(budget(sub, None), budget("other", Some(key)), "{sub} {key}");
        }
    }

    #[test]
    fn prefixes_limit_the_keys() {
        let caller = with("prefixes", json!("[\"a:\",\"b/\"]")).unwrap();
        for (key, allowed) in [("a:1", true), ("b/", true), ("a", false), ("A:1", false), ("xa:", false)] {
            assert_eq!(caller.may_touch(&Key::new(key).unwrap()).is_ok(), allowed, "{key}");
        }
        assert!(caller.may_touch_all().is_err());
        assert!(with("prefixes", json!("[]")).unwrap().may_touch(&Key::new("a").unwrap()).is_err());
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        let refused = |result: Result<Principal, ApiError>| matches!(result, Err(ApiError::Unauthorized(_)));
        assert!(refused(principal(Value::Null, Value::Null)));
        assert!(refused(principal(context(), json!({"Authorization": ["a"], "authorization": ["b"]}))));
        for (field, value) in [
            ("sub", Value::Null),
            ("sub", json!("")),
            ("api_key", json!([])),
            ("exp", json!("soon")),
            ("exp", json!(1.5)),
            ("scopes", json!("cache:read")),
            ("scopes", json!(null)),
            ("prefixes", json!(null)),
            ("prefixes", json!("a:")),
            ("prefixes", json!("[1]")),
        ] {
            assert!(refused(with(field, value.clone())), "{field} = {value}");
        }
    }
}
