//! Which key a request is about.
//!
//! A path arrives percent-encoded and is decoded exactly once; `+` stands for itself there. A query value arrives
//! decoded. Anything else in the query is refused: it is most likely the rest of a key whose `?` was not encoded, and
//! answering for the first half of it would be another entry.

use strata_api::{ApiError, Call, Event, Problem};
use strata_cache::Key;

/// The key that `call` is about, which its caller may touch.
pub fn key(call: &mut Call<'_>) -> Result<Key, ApiError> {
    key_beside(call, &[])
}

/// The same where other parameters may be given as well.
pub fn key_beside(call: &mut Call<'_>, others: &[&str]) -> Result<Key, ApiError> {
    let key = read(&call.event, others)?;
    call.trace.key(&key);
    call.principal.may_touch(&key)?;
    Ok(key)
}

/// The key that `event` names.
fn read(event: &Event, others: &[&str]) -> Result<Key, Problem> {
    let text = match (event.path_parameter("key"), in_query(event, others)?) {
        (Some(path), None) => path?,
        (None, Some(query)) => query.to_owned(),
        (Some(_), Some(_)) => return Err(Problem::new("key", "must be given by path or by query, not by both")),
        (None, None) => return Err(Problem::new("key", "is required")),
    };
    Key::new(text).map_err(|error| Problem::new("key", error.to_string()))
}

fn in_query<'e>(event: &'e Event, others: &[&str]) -> Result<Option<&'e str>, Problem> {
    let is_other = |name: &&String| *name != "key" && !others.contains(&name.as_str());
    if let Some(other) = event.query.keys().find(is_other) {
        let name: String = other.chars().take(64).collect();
        let known = match event.path_parameter("key") {
            Some(_) => "a ? in a path is written %3F".to_owned(),
            None => format!("known are {}", [&["key"][..], others].concat().join(", ")),
        };
        return Err(Problem::new(name, format!("is not a known query parameter; {known}")));
    }
    match event.query.get("key").map(Vec::as_slice) {
        None | Some([]) => Ok(None),
        Some([key]) => Ok(Some(key)),
        Some(_) => Err(Problem::new("key", "must not be given twice")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn addressed(path: Value, query: Value) -> Result<String, String> {
        let event = json!({"pathParameters": path, "multiValueQueryStringParameters": query});
        let key = read(&serde_json::from_value(event).unwrap(), &[]);
        key.map(|key| key.as_str().to_owned()).map_err(|problem| format!("{} {}", problem.field, problem.message))
    }

    fn by_path(path: &str) -> Result<String, String> {
        addressed(json!({"key": path}), Value::Null)
    }

    #[test]
    fn paths_are_decoded_once() {
        for (path, key) in [
            ("customer:12345", "customer:12345"),
            ("a/b//c/", "a/b//c/"),
            ("a%2Fb", "a/b"),
            ("%252F", "%2F"),
            ("a+b%20c", "a+b c"),
            ("../%2e%2E/.", "../../."),
            ("%F0%9F%98%80", "😀"),
            ("😀", "😀"),
            ("a%3Fb%23c%25", "a?b#c%"),
        ] {
            assert_eq!(by_path(path).as_deref(), Ok(key), "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in ["%", "a%2", "%zz", "%%20", "%2G", "%F0%9F", "%ff", "%00", "%0A", "a%7F", ""] {
            assert!(by_path(path).unwrap_err().starts_with("key must"), "{path}");
        }
        assert!(by_path(&"x".repeat(513)).is_err());
        assert!(by_path(&"%41".repeat(512)).is_ok());
    }

    #[test]
    fn queries_arrive_decoded() {
        let by_query = |keys: Value| addressed(Value::Null, json!({ "key": keys }));
        assert_eq!(by_query(json!(["a%2Fb+c%"])).as_deref(), Ok("a%2Fb+c%"));
        assert_eq!(by_query(json!(["a", "a"])).unwrap_err(), "key must not be given twice");
        assert_eq!(by_query(json!([])).unwrap_err(), "key is required");
        assert_eq!(by_query(json!([""])).unwrap_err(), "key must have at least 1 byte");
    }

    #[test]
    fn exactly_one_address() {
        assert_eq!(addressed(Value::Null, Value::Null).unwrap_err(), "key is required");
        let both = addressed(json!({"key": "a"}), json!({"key": ["a"]}));
        assert_eq!(both.unwrap_err(), "key must be given by path or by query, not by both");
        let stray = addressed(json!({"key": "a"}), json!({"b": ["c"]}));
        assert!(stray.unwrap_err().ends_with("a ? in a path is written %3F"));
        let stray = addressed(Value::Null, json!({"key": ["a"], "b": ["c"]}));
        assert_eq!(stray.unwrap_err(), "b is not a known query parameter; known are key");
    }

    proptest! {
        #[test]
        fn every_key_survives_the_path(key in "\\PC{1,60}") {
            let encoded = percent_encoding::utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(by_path(&encoded), Ok(key));
        }

        #[test]
        fn never_panics(path in any::<String>()) {
            let _ = by_path(&path);
        }
    }
}
