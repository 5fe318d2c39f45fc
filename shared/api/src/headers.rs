//! The request headers that some operation reads. All others are dropped while the event is parsed: they cost
//! allocations, and what is not kept cannot leak. Of `Authorization` only the number is kept.

use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// The headers that some operation reads; several lines of one header are joined by commas, as HTTP defines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headers {
    /// How many `Authorization` headers there are.
    pub authorizations: usize,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Cache-Position`.
    pub cache_position: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `Fill-Lease`.
    pub fill_lease: Option<String>,
    /// `Fill-Token`.
    pub fill_token: Option<String>,
    /// `Prefer`.
    pub prefer: Option<String>,
    /// `Origin`.
    pub origin: Option<String>,
}

impl Headers {
    fn slot(&mut self, name: Name) -> Option<&mut Option<String>> {
        match name {
            Name::CacheControl => Some(&mut self.cache_control),
            Name::CachePosition => Some(&mut self.cache_position),
            Name::ContentEncoding => Some(&mut self.content_encoding),
            Name::IdempotencyKey => Some(&mut self.idempotency_key),
            Name::IfMatch => Some(&mut self.if_match),
            Name::IfNoneMatch => Some(&mut self.if_none_match),
            Name::FillLease => Some(&mut self.fill_lease),
            Name::FillToken => Some(&mut self.fill_token),
            Name::Prefer => Some(&mut self.prefer),
            Name::Origin => Some(&mut self.origin),
            Name::Authorization | Name::Other => None,
        }
    }
}

/// A header's name, without regard to case.
#[derive(Clone, Copy, PartialEq)]
enum Name {
    Authorization,
    CacheControl,
    CachePosition,
    ContentEncoding,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    FillLease,
    FillToken,
    Prefer,
    Origin,
    Other,
}

const NAMES: [(&str, Name); 11] = [
    ("authorization", Name::Authorization),
    ("cache-control", Name::CacheControl),
    ("cache-position", Name::CachePosition),
    ("content-encoding", Name::ContentEncoding),
    ("idempotency-key", Name::IdempotencyKey),
    ("if-match", Name::IfMatch),
    ("if-none-match", Name::IfNoneMatch),
    ("fill-lease", Name::FillLease),
    ("fill-token", Name::FillToken),
    ("prefer", Name::Prefer),
    ("origin", Name::Origin),
];

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl de::Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header's name")
    }

    fn visit_str<E>(self, text: &str) -> Result<Name, E> {
        let known = NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        Ok(known.map_or(Name::Other, |(_, name)| name))
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> de::Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("headers with lists of values")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut lines: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = lines.next_key::<Name>()? {
            if name == Name::Authorization {
                headers.authorizations += lines.next_value::<Vec<de::IgnoredAny>>()?.len();
                continue;
            }
            let Some(slot) = headers.slot(name) else {
                lines.next_value::<de::IgnoredAny>()?;
                continue;
            };
            let values = slot.take().into_iter().chain(lines.next_value::<Vec<String>>()?);
            *slot = Some(values.collect::<Vec<_>>().join(", "));
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(json: &str) -> Headers {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn names_have_no_case_and_lines_are_joined() {
        let headers = parse(
            r#"{"AUTHORIZATION":["Bearer a"],"authorization":["Bearer b","c"],"X-Other":["x"],
                "if-none-match":["\"a\"","\"b\""],"If-None-Match":["\"c\""],"Idempotency-Key":["once"],"Cache-Control":["max-age=0, No-Cache"]}"#,
        );
        assert_eq!(headers.authorizations, 3);
        assert_eq!(headers.if_none_match.as_deref(), Some(r#""a", "b", "c""#));
        assert_eq!(headers.cache_control.as_deref(), Some("max-age=0, No-Cache"));
        assert_eq!((headers.idempotency_key.as_deref(), headers.if_match), (Some("once"), None));
    }
}
