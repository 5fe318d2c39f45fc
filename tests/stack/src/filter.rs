//! Filter criteria of an event source mapping, as far as templates use them: exact values, `prefix` and `exists`.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use serde_json::Value;

/// One pattern of the criteria.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter(Value);

impl Filter {
    /// Reads a pattern; the error says what is not understood.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let pattern: Value = serde_json::from_str(pattern).map_err(|why| format!("filter {pattern}: {why}"))?;
        check(&pattern)?;
        Ok(Self(pattern))
    }

    /// Whether a record passes.
    pub(crate) fn admits(&self, record: &Value) -> bool {
        admits(&self.0, Some(record))
    }
}

fn check(pattern: &Value) -> Result<(), String> {
    match pattern {
        Value::Object(members) => members.values().try_for_each(check),
        Value::Array(rules) => rules.iter().try_for_each(check_rule),
        other => Err(format!("a filter's values stand in arrays, not {other}")),
    }
}

fn check_rule(rule: &Value) -> Result<(), String> {
    match rule {
        Value::Object(rule) if rule.len() == 1 && (rule.contains_key("prefix") || rule.contains_key("exists")) => {
            Ok(())
        }
        Value::Object(_) | Value::Array(_) => Err(format!("the filter rule {rule} is not known here")),
        _ => Ok(()),
    }
}

fn admits(pattern: &Value, found: Option<&Value>) -> bool {
    match pattern {
        Value::Object(members) => {
            members.iter().all(|(name, pattern)| admits(pattern, found.and_then(|found| found.get(name))))
        }
        Value::Array(rules) => rules.iter().any(|rule| rule_admits(rule, found)),
        _ => false,
    }
}

fn rule_admits(rule: &Value, found: Option<&Value>) -> bool {
    match (&rule["prefix"], &rule["exists"]) {
        (Value::String(prefix), _) => found.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix)),
        (_, Value::Bool(exists)) => found.is_some() == *exists,
        _ => found == Some(rule),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn every_member_must_match_one_of_its_rules() {
        let filter =
            Filter::parse(r#"{"name":["A","B"],"of":{"pk":[{"prefix":"job#"}],"gone":[{"exists":false}]}}"#).unwrap();
        assert!(filter.admits(&json!({"name": "A", "of": {"pk": "job#1"}, "more": 1})));
        assert!(!filter.admits(&json!({"name": "C", "of": {"pk": "job#1"}})));
        assert!(!filter.admits(&json!({"name": "A", "of": {"pk": "note"}})));
        assert!(!filter.admits(&json!({"name": "A", "of": {"pk": "job#1", "gone": 1}})));
        assert!(!filter.admits(&json!({"name": "A"})));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in ["{", r#"{"a":"b"}"#, r#"{"a":[{"numeric":["=",1]}]}"#] {
            assert!(Filter::parse(pattern).is_err(), "{pattern}");
        }
    }
}
