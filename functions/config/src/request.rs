//! What an update's body may say: any part of the document. Here it is only read; whether a value is allowed is for the
//! cache to say.

use serde_json::{Map, Value, from_str};
use strata_api::{
    ApiError, Problem,
    body::{Body, Fields},
};
use strata_cache::config::{Assignment, FIELDS, Fault, Field};

/// The fields that `body` changes, in the document's order. All that is wrong with it is reported together.
pub fn read(body: &Body) -> Result<Vec<Assignment>, ApiError> {
    let mut fields = Fields::parse(body.as_str(), &sections())?;
    let paths: Vec<&'static str> = FIELDS.iter().map(|field| field.path).collect();
    for section in sections().into_iter().filter(|section| Field::find(section).is_none()) {
        let known: Vec<&'static str> = paths.iter().copied().filter(|path| is_in(path, section)).collect();
        fields.open(section, &known);
    }
    let assignments: Vec<Assignment> = FIELDS.iter().filter_map(|field| assignment(&mut fields, field)).collect();
    fields.finish()?;
    if assignments.is_empty() {
        return Err(Problem::new("body", "must change at least one field").into());
    }
    Ok(assignments)
}

fn assignment(fields: &mut Fields<'_>, field: &'static Field) -> Option<Assignment> {
    let value = fields.optional(field.path, |raw| {
        let value = value(raw)?;
        match field.check(&value) {
            Err(Fault::WrongType(message)) => Err(message),
            // What is of the right type and not allowed is refused when everything can be read.
            Ok(()) | Err(Fault::NotAllowed(_)) => Ok(value),
        }
    });
    Some((field, value?))
}

/// The value of valid JSON text. No field takes an array or an object: what is in one is not looked at.
fn value(raw: &str) -> Result<Value, String> {
    match raw.as_bytes() {
        [b'[', ..] => Ok(Value::Array(Vec::new())),
        [b'{', ..] => Ok(Value::Object(Map::new())),
        _ => from_str(raw).or_else(|_| unreadable(raw)),
    }
}

/// What valid JSON text stands for that no value can hold. A number of more than 308 digits stands as the largest there
/// is: it is out of every range all the same.
fn unreadable(raw: &str) -> Result<Value, String> {
    match raw.as_bytes() {
        [b'-', ..] => Ok(f64::MIN.into()),
        [b'0'..=b'9', ..] => Ok(f64::MAX.into()),
        _ => Err("must not have half of a surrogate pair".to_owned()),
    }
}

/// The names at the top of the document, in its order.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&'static str> = FIELDS.iter().map(|field| section(field.path)).collect();
    sections.dedup();
    sections
}

fn section(path: &'static str) -> &'static str {
    path.split_once('.').map_or(path, |(section, _)| section)
}

fn is_in(path: &'static str, section: &str) -> bool {
    self::section(path) == section
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use strata_cache::Config;

    fn read_text(text: &str) -> Result<Vec<Assignment>, ApiError> {
        read(&Body::new(Some(text.to_owned()), false).unwrap())
    }

    /// Fields and messages of a refusal.
    fn problems(text: &str) -> Vec<(String, String)> {
        match read_text(text) {
            Err(ApiError::Invalid(problems)) => {
                problems.into_iter().map(|problem| (problem.field, problem.message.into_owned())).collect()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn only(text: &str) -> (String, String) {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        problems.into_iter().next().unwrap()
    }

    #[test]
    fn fields_come_in_the_document_s_order() {
        let text =
            r#"{"max_entry_size_mb":2,"compression":{"level":3,"algorithm":"zstd"},"l1_config":{"enabled":true}}"#;
        let paths: Vec<_> = read_text(text).unwrap().into_iter().map(|(field, value)| (field.path, value)).collect();
        let expected = [
            ("l1_config.enabled", json!(true)),
            ("compression.algorithm", json!("zstd")),
            ("compression.level", json!(3)),
            ("max_entry_size_mb", json!(2)),
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn unknown_and_repeated_fields_are_named_with_their_section() {
        let (field, message) = only(r#"{"l1_config":{"maxcapacity":1}}"#);
        assert_eq!(
            (field.as_str(), message.as_str()),
            ("l1_config.maxcapacity", "is not a known field; did you mean l1_config.max_capacity?")
        );
        assert_eq!(only(r#"{"l4_config":{}}"#).1, "is not a known field; did you mean l1_config?");
        assert_eq!(only(r#"{"compression":{"level":1,"level":1}}"#).0, "compression.level");
        assert_eq!(only(r#"{"compression":{},"compression":{"level":1}}"#).0, "compression");
        assert_eq!(only(r#"{"l1_config":5}"#), ("l1_config".into(), "must be a JSON object".into()));
        assert_eq!(only(r#"{"max_entry_size_mb":{"x":1}}"#).0, "max_entry_size_mb");
    }

    #[test]
    fn wrong_types_are_told_from_values_that_are_not_allowed() {
        for wrong in [
            json!({"l1_config": {"enabled": "yes"}}),
            json!({"l1_config": {"max_capacity": "many"}}),
            json!({"l1_config": {"max_capacity": 1.5}}),
            json!({"l1_config": {"max_capacity": null}}),
            json!({"compression": {"algorithm": 1}}),
        ] {
            only(&wrong.to_string());
        }
        for out_of_range in [
            json!({"l1_config": {"max_capacity": 0}}),
            json!({"l1_config": {"max_capacity": -1}}),
            json!({"compression": {"algorithm": "gzip"}}),
            json!({"l2_config": {"redis_url": "redis://h"}}),
        ] {
            read_text(&out_of_range.to_string()).unwrap();
        }
        for number in ["5.0", "1e3", "18446744073709551616", "1e400", "-1e400", &"9".repeat(400)] {
            read_text(&format!("{{\"l1_config\":{{\"max_capacity\":{number}}}}}")).unwrap();
        }
    }

    #[test]
    fn an_update_changes_something() {
        for nothing in ["{}", r#"{"l1_config":{}}"#] {
            assert_eq!(only(nothing), ("body".into(), "must change at least one field".into()));
        }
        assert_eq!(only("{").0, "body");
    }

    #[test]
    fn every_field_of_the_document_is_read() {
        let document = Config::default().to_document();
        assert_eq!(read_text(&document.to_string()).unwrap().len(), FIELDS.len());
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = read_text(&format!("{{\"l1_config\":{{{text}}}}}"));
        }

        #[test]
        fn numbers_arrive_as_they_are(number in any::<i64>()) {
            let read = read_text(&json!({"l1_config": {"max_capacity": number}}).to_string()).unwrap();
            prop_assert_eq!(&read[0].1, &Value::from(number));
        }
    }
}
