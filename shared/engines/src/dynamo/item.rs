//! Items and their attributes, kept as the JSON they came in.

use super::error::Failure;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// An item, by the names of its attributes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Item(pub(super) Map<String, Value>);

impl Item {
    pub(super) fn of(value: &Value) -> Item {
        Item(value.as_object().cloned().unwrap_or_default())
    }

    pub(super) fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// An attribute that is a whole number.
    pub(super) fn number(&self, name: &str) -> Option<i128> {
        self.get(name)?["N"].as_str()?.parse().ok()
    }

    /// Its partition and sort key.
    pub(super) fn key(&self) -> Result<(String, String), Failure> {
        let part = |name: &str| self.get(name).and_then(|value| value["S"].as_str()).map(str::to_owned);
        part("pk").zip(part("sk")).ok_or_else(|| Failure::invalid("One of the required keys was not given a value"))
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
    }

    /// Only these attributes of it; all where none are named.
    pub(super) fn only(&self, names: Option<&[String]>) -> Value {
        match names {
            None => self.to_json(),
            Some(names) => {
                let kept = names.iter().filter_map(|name| Some((name.clone(), self.get(name)?.clone())));
                Value::Object(kept.collect())
            }
        }
    }
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::Object(parts) => parts.values().map(bytes_of).sum(),
        _ => 1,
    }
}

/// How two attributes compare, where they are of one type that has an order.
pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a["N"].as_str(), b["N"].as_str()) {
        return match (a.parse::<i128>(), b.parse::<i128>()) {
            (Ok(a), Ok(b)) => Some(a.cmp(&b)),
            _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
        };
    }
    if let (Some(a), Some(b)) = (a["S"].as_str(), b["S"].as_str()) {
        return Some(a.cmp(b));
    }
    if let (Some(a), Some(b)) = (a["B"].as_str(), b["B"].as_str()) {
        return Some(binary(a)?.cmp(&binary(b)?));
    }
    (a == b).then_some(Ordering::Equal)
}

fn binary(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}
