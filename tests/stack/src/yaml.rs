//! CloudFormation YAML as JSON values.
//!
//! The short forms of intrinsic functions become the long ones (`!Ref X` is `{"Ref": "X"}`), as CloudFormation itself
//! reads them, so that the rest of the stack needs no YAML.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// Parses a document; the error is one line.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|why| why.to_string())?;
    documents.first().map(value).ok_or_else(|| "it is empty".to_owned())
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(scalar) => scalar_value(scalar),
        Yaml::Representation(text, ..) => Value::from(text.as_ref()),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => {
            entries.iter().map(|(name, item)| (key(name), value(item))).collect::<Map<_, _>>().into()
        }
        Yaml::Tagged(tag, node) => intrinsic(&tag.suffix, value(node)),
        Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    }
}

fn scalar_value(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(flag) => json!(flag),
        Scalar::Integer(number) => json!(number),
        Scalar::FloatingPoint(number) => json!(number.into_inner()),
        Scalar::String(text) => json!(text),
    }
}

fn key(yaml: &Yaml<'_>) -> String {
    match value(yaml) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn intrinsic(name: &str, argument: Value) -> Value {
    let long = if matches!(name, "Ref" | "Condition") { name.to_owned() } else { format!("Fn::{name}") };
    json!({ long: argument })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn short_forms_become_long_ones() {
        let parsed = parse("a: !Ref Table\nb: !GetAtt F.Arn\nc: [!Sub \"x${Y}\", 3, '3', true, ~]\n").unwrap();
        let expected = json!({
            "a": { "Ref": "Table" },
            "b": { "Fn::GetAtt": "F.Arn" },
            "c": [{ "Fn::Sub": "x${Y}" }, 3, "3", true, null],
        });
        assert_eq!(parsed, expected);
    }

    #[test]
    fn a_broken_document_is_an_error() {
        assert!(parse("a: [").is_err());
        assert!(parse("").is_err());
    }
}
