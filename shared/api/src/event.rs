//! The event a REST API sends to a function, as far as Strata reads it.
//!
//! Read straight from the gateway's JSON and not through `lambda_http`'s request: that one rebuilds a URI, and so
//! normalises paths (`..`, `%2e`, `\`) and panics on some hosts and query strings, while a cache key is opaque text
//! that has to arrive as it was sent.

use crate::{headers::Headers, problem::Problem};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, de};
use std::{collections::BTreeMap, fmt};

/// A REST API proxy event. Unknown fields are dropped while it is parsed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    /// The resource of the API that matched, as the template spells it, such as `/cache/entries/{key+}`.
    pub resource: String,
    /// The method, in capitals.
    pub http_method: String,
    /// Path parameters, still percent-encoded.
    #[serde(deserialize_with = "null_as_default")]
    pub path_parameters: BTreeMap<String, String>,
    /// Query parameters, decoded, each with all its values.
    #[serde(rename = "multiValueQueryStringParameters", deserialize_with = "null_as_default")]
    pub query: BTreeMap<String, Vec<String>>,
    /// The headers that some operation reads.
    #[serde(rename = "multiValueHeaders", deserialize_with = "null_as_default")]
    pub headers: Headers,
    /// What the gateway knows of the request.
    pub request_context: RequestContext,
    /// The body; base64 when the gateway took it for binary.
    pub body: Option<String>,
    /// Whether `body` is base64.
    pub is_base64_encoded: bool,
}

impl Event {
    /// A path parameter, decoded once; `None` when the resource does not have it. Stricter than the WHATWG's decoding,
    /// which lets a stray `%` stand.
    pub fn path_parameter(&self, name: &'static str) -> Option<Result<String, Problem>> {
        let raw = self.path_parameters.get(name)?;
        if !is_percent_encoded(raw.as_bytes()) {
            return Some(Err(Problem::new(name, "must have two hexadecimal digits after each %")));
        }
        let decoded = percent_decode_str(raw).decode_utf8();
        Some(decoded.map(Into::into).map_err(|_| Problem::new(name, "must be UTF-8 once it is decoded")))
    }
}

/// Whether every `%` begins an escape.
fn is_percent_encoded(path: &[u8]) -> bool {
    let mut rest = path.split(|byte| *byte == b'%');
    rest.next();
    rest.all(|after| matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

/// What the gateway knows of the request.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestContext {
    /// The gateway's name for the request; clients see it as well.
    pub request_id: Option<String>,
    /// When the gateway received the request, in milliseconds since the Unix epoch.
    pub request_time_epoch: i64,
    /// What the authorizer says of the caller; absent when none was asked.
    pub authorizer: Option<Authorizer>,
}

/// The authorizer's context, unchecked. The gateway passes scalars only and may turn them into text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Authorizer {
    /// The caller.
    pub sub: Scalar,
    /// Whose quota the caller uses.
    pub api_key: Scalar,
    /// When the token ends, in seconds since the Unix epoch.
    pub exp: Scalar,
    /// JSON text: an array of scope names.
    pub scopes: Scalar,
    /// JSON text: an array of key prefixes; absent when the token is not limited.
    pub prefixes: Scalar,
    /// Why the token is refused, where the authorizer leaves it to the functions to say so.
    pub denied: Scalar,
}

/// A value of the authorizer's context. Never fails to parse, so that a surprise is refused and not a crash.
#[derive(Debug, Default, PartialEq)]
pub enum Scalar {
    /// The field is not there.
    #[default]
    Absent,
    /// Text, or a number as text.
    Text(String),
    /// Anything else, `null` included.
    Other,
}

/// The gateway writes `null` for parts that are empty.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> de::Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Text(number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<Scalar, A::Error> {
        while fields.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_the_gateway_sends() {
        let event: Event = serde_json::from_str(
            r#"{"resource":"/cache/entries/{key+}","path":"/cache/entries/a%2Fb","httpMethod":"GET",
                "headers":{"Host":"x"},"multiValueHeaders":{"Host":["x"]},"queryStringParameters":null,
                "multiValueQueryStringParameters":{"key":["a","b"]},"pathParameters":{"key":"a%2Fb"},
                "stageVariables":null,"requestContext":{"requestId":"r","requestTimeEpoch":1700000000000,
                "authorizer":{"sub":"s","exp":1700000000,"scopes":"[]","prefixes":null,"integrationLatency":3}},
                "body":null,"isBase64Encoded":false}"#,
        )
        .unwrap();
        assert_eq!(event.path_parameters["key"], "a%2Fb");
        assert_eq!(event.query["key"], ["a", "b"]);
        assert_eq!(event.request_context.request_time_epoch, 1_700_000_000_000);
        let authorizer = event.request_context.authorizer.unwrap();
        assert_eq!(authorizer.exp, Scalar::Text("1700000000".to_owned()));
        assert_eq!((authorizer.prefixes, authorizer.api_key), (Scalar::Other, Scalar::Absent));
    }

    #[test]
    fn absent_and_null_parts_are_empty() {
        let event: Event = serde_json::from_str(
            r#"{"resource":"/x","httpMethod":"GET","multiValueHeaders":null,"pathParameters":null,
                "multiValueQueryStringParameters":null,"requestContext":{}}"#,
        )
        .unwrap();
        assert_eq!((event.path_parameters.len(), event.query.len(), event.headers.authorizations), (0, 0, 0));
        assert!(event.request_context.authorizer.is_none());
    }

    #[test]
    fn no_kind_of_context_value_breaks_the_event() {
        for (json, expected) in [
            ("true", Scalar::Other),
            ("[1,{}]", Scalar::Other),
            (r#"{"a":[]}"#, Scalar::Other),
            ("-1", Scalar::Text("-1".to_owned())),
            ("1.5", Scalar::Text("1.5".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<Scalar>(json).unwrap(), expected, "{json}");
        }
    }
}
