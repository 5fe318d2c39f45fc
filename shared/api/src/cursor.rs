//! Where the next page of a list begins, as the client carries it: unreadable, and valid only for the same list and the same
//! caller.
//!
//! A page may end at a name that its reader must not know, such as another tenant's tag that was skipped. So the place is
//! sealed, for its list and caller. It grants nothing: every request for a page is authorized again.

use crate::{principal::Principal, problem::Problem, sealed};
use std::borrow::Cow;

/// Longest cursor that is read, in characters: of a key of 512 bytes and one more it has 706.
const MAX_CHARS: usize = 1024;

/// What a cursor belongs to.
#[derive(Debug)]
pub struct CursorOf(String);

impl CursorOf {
    /// The list that `principal` asks for by `operation`, with parameters that mean that list, in the operation's order.
    pub fn list(operation: &str, principal: &Principal, parameters: &[&str]) -> CursorOf {
        let parts = [operation, &principal.api_key].into_iter().chain(parameters.iter().copied());
        // None of them can have a zero byte but what a token names, which must not be mistaken for a parameter.
        CursorOf(parts.map(|part| format!("{} {part}\0", part.len())).collect())
    }

    /// The cursor for the page that begins at `place`.
    pub fn seal(&self, place: &str) -> String {
        sealed::seal("cursor", &self.0, place.as_bytes())
    }

    /// The place that a cursor holds.
    ///
    /// # Errors
    /// When it was not made by [`seal`](CursorOf::seal) for the same list and caller.
    pub fn open(&self, cursor: &str) -> Result<String, Cow<'static, str>> {
        const WRONG: &str = "must be the next of a page of the same list, which has the same parameters but for limit";
        let cursor = Some(cursor).filter(|cursor| cursor.len() <= MAX_CHARS);
        let place = cursor.and_then(|cursor| sealed::open("cursor", &self.0, cursor));
        place.and_then(|place| String::from_utf8(place).ok()).ok_or(WRONG.into())
    }
}

/// A problem with the parameter that carries a cursor.
pub fn misplaced() -> Problem {
    Problem::new("cursor", "must lie within the list")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::json;

    fn list(api_key: &str, parameters: &[&str]) -> CursorOf {
        let context = json!({"sub": "s", "api_key": api_key, "exp": "2000000000", "scopes": "[]"});
        let event = json!({"requestContext": {"authorizer": context}});
        let principal = Principal::of(&serde_json::from_value(event).unwrap(), 0).unwrap();
        CursorOf::list("keys", &principal, parameters)
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_and_caller() {
        let own = list("k", &["a:", "t"]);
        let cursor = own.seal("a:1\0");
        assert_eq!(own.open(&cursor).unwrap(), "a:1\0");
        for other in [list("l", &["a:", "t"]), list("k", &["a:", ""]), list("k", &["", "a:t"]), list("k", &["a", ":t"])]
        {
            assert!(other.open(&cursor).is_err(), "{other:?}");
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        let own = list("k", &[]);
        let cursor = own.seal("customer:12345");
        for (at, _) in cursor.char_indices() {
            let mut changed = cursor.clone();
            let other = if &cursor[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert!(own.open(&changed).is_err(), "{changed}");
        }
        for wrong in ["", "A", "customer:12345", &cursor[..cursor.len() - 4], &"A".repeat(4000), "é"] {
            assert!(own.open(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_place_cannot_be_read() {
        let place = "customer:".repeat(50);
        let sealed = URL_SAFE_NO_PAD.decode(list("k", &[]).seal(&place)).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"cust"));
    }

    proptest! {
        #[test]
        fn every_place_comes_back(place in "(?s).{0,520}") {
            let own = list("k", &["p"]);
            prop_assert_eq!(own.open(&own.seal(&place)).ok(), Some(place).filter(|place| own.seal(place).len() <= MAX_CHARS));
        }

        #[test]
        fn never_panics(cursor in any::<String>()) {
            prop_assert!(list("k", &[]).open(&cursor).is_err());
        }
    }
}
