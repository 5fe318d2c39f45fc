//! Intrinsic functions of CloudFormation, as far as what the gateway answers by itself depends on them: parameters, texts
//! with parameters in them, and choices between two values.

use serde_json::{Map, Value};

/// A value with its intrinsic functions resolved by the parameters' values; `None` for `AWS::NoValue`.
pub(crate) fn resolve(document: &Value, value: &Value) -> Option<Value> {
    Some(match value {
        Value::Object(members) => match only(members) {
            Some(("Ref", Value::String(name))) => return reference(document, name),
            Some(("Fn::Sub", Value::String(text))) => Value::from(substitute(document, text)),
            Some(("Fn::If", Value::Array(choice))) => {
                let taken = if holds(document, &document["Conditions"][choice[0].as_str()?]) { 1 } else { 2 };
                return resolve(document, choice.get(taken)?);
            }
            Some(("Fn::Split", Value::Array(of))) => {
                let (by, text) = (text(document, &of[0]), text(document, of.get(1)?));
                text.split(&by).map(Value::from).collect()
            }
            Some(("Fn::Select", Value::Array(of))) => {
                let (at, list) = (usize::try_from(of[0].as_u64()?).ok()?, resolve(document, of.get(1)?)?);
                list.get(at)?.clone()
            }
            _ => {
                let resolved = |(name, value): (&String, &Value)| Some((name.clone(), resolve(document, value)?));
                members.iter().filter_map(resolved).collect::<Map<_, _>>().into()
            }
        },
        Value::Array(items) => items.iter().filter_map(|item| resolve(document, item)).collect(),
        scalar => scalar.clone(),
    })
}

/// Whether a resource is made: it has no condition, or one that holds.
pub(crate) fn is_there(document: &Value, resource: &Value) -> bool {
    resource["Condition"].as_str().is_none_or(|name| holds(document, &document["Conditions"][name]))
}

/// Whether a condition holds.
fn holds(document: &Value, condition: &Value) -> bool {
    let Some((function, argument)) = condition.as_object().and_then(only) else { return false };
    let of = argument.as_array().map(Vec::as_slice).unwrap_or_default();
    match (function, of) {
        ("Fn::Equals", [one, other]) => resolve(document, one) == resolve(document, other),
        ("Fn::Not", [of]) => !holds(document, of),
        ("Fn::And", of) => of.iter().all(|one| holds(document, one)),
        ("Fn::Or", of) => of.iter().any(|one| holds(document, one)),
        ("Condition", _) => holds(document, &document["Conditions"][argument.as_str().unwrap_or_default()]),
        _ => false,
    }
}

fn only(members: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut members = members.iter();
    let (name, value) = members.next()?;
    members.next().is_none().then_some((name, value))
}

/// What a name stands for: a parameter's value, or itself where only CloudFormation knows.
fn reference(document: &Value, name: &str) -> Option<Value> {
    match document["Parameters"].get(name) {
        Some(parameter) => parameter.get("Default").cloned().or(Some(Value::from(""))),
        None if name == "AWS::NoValue" => None,
        None => Some(Value::from(name)),
    }
}

fn text(document: &Value, value: &Value) -> String {
    match resolve(document, value) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// Replaces every `${Name}`.
fn substitute(document: &Value, template: &str) -> String {
    let mut parts = template.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        filled.push_str(&text(document, &serde_json::json!({ "Ref": name })));
        filled.push_str(rest);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resolved(origins: &str, value: Value) -> Option<Value> {
        let document = json!({
            "Parameters": {"Origins": {"Default": origins}},
            "Conditions": {
                "Any": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Origins"}, ""]}]},
                "One": {"Fn::And": [{"Condition": "Any"}, {"Fn::Equals": [
                    {"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "Origins"}]}]}, {"Ref": "Origins"}]}]},
            },
        });
        resolve(&document, &value)
    }

    #[test]
    fn parameters_decide() {
        let value = json!({"a": {"Fn::If": ["Any", {"Fn::If": ["One", {"Fn::Sub": "'${Origins}'"}, "several"]}, {"Ref": "AWS::NoValue"}]},
            "b": [1, {"Ref": "AWS::NoValue"}, {"Ref": "Table"}]});
        assert_eq!(resolved("", value.clone()), Some(json!({"b": [1, "Table"]})));
        assert_eq!(resolved("x", value.clone()), Some(json!({"a": "'x'", "b": [1, "Table"]})));
        assert_eq!(resolved("x,y", value), Some(json!({"a": "several", "b": [1, "Table"]})));
    }
}
