//! Arguments and answers.

use redis::Value;

pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const NO_INTEGER: &str = "ERR value is not an integer or out of range";

/// An error as a server sends it: its code first.
pub(super) fn error(text: &str) -> Value {
    let line = format!("-{}\r\n", text.replace(['\r', '\n'], " "));
    redis::parse_redis_value(line.as_bytes()).unwrap_or(Value::Nil)
}

pub(super) fn bulk(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

pub(super) fn bulk_or_nil(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Nil, |bytes| bulk(bytes))
}

pub(super) fn list<'a>(items: impl IntoIterator<Item = &'a Vec<u8>>) -> Value {
    Value::Array(items.into_iter().map(|item| bulk(item)).collect())
}

pub(super) fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn integer(text: &[u8]) -> Result<i64, String> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| NO_INTEGER.to_owned())
}

pub(super) fn arity(name: &str) -> String {
    format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase())
}

/// The part of `len` things from `start` to `end`, both counted from the end where they are negative, as a range.
pub(super) fn span(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    let whole = i64::try_from(len).unwrap_or(i64::MAX);
    let from = if start < 0 { (whole + start).max(0) } else { start };
    let to = if end < 0 { whole + end } else { end.min(whole - 1) };
    let at = |index: i64| usize::try_from(index).unwrap_or_default();
    if from > to { 0..0 } else { at(from)..at(to) + 1 }
}
