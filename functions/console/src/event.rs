//! The event a REST API sends, and the answer it takes, as far as a page of text needs them.
//!
//! Read straight from the gateway's JSON: `lambda_http` rebuilds a URI, and panics on some hosts and query strings, which
//! anybody can send here without a token.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A REST API proxy event.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    /// The path's parameters as they were sent; none for the page itself.
    #[serde(deserialize_with = "null_as_default")]
    pub path_parameters: BTreeMap<String, String>,
    /// Headers, each with all its values.
    #[serde(rename = "multiValueHeaders", deserialize_with = "null_as_default")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// What the gateway knows of the request.
    pub request_context: RequestContext,
}

/// What the gateway knows of the request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestContext {
    /// The whole path as it was sent, the stage included.
    pub path: String,
    /// The gateway's name for the request.
    pub request_id: String,
    /// When the gateway received it, in its own format.
    pub request_time: String,
}

/// The gateway writes `null` for parts that are empty.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Event {
    /// Whether the client has what `etag` names. All entity tags here are weak, and compared as such.
    pub fn has(&self, etag: &str) -> bool {
        let lines = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("if-none-match"));
        let tags = lines.flat_map(|(_, values)| values).flat_map(|value| value.split(',')).map(str::trim);
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        tags.into_iter().any(|tag| tag == "*" || opaque(tag) == opaque(etag))
    }
}

/// What the gateway makes an HTTP answer of. The body is text: the gateway packs it for whoever accepts that, and base64
/// would only make it larger on the way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status.
    pub status_code: u16,
    /// Headers of one value each.
    pub headers: BTreeMap<&'static str, String>,
    /// The body.
    pub body: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_gateway_leaves_empty_is_none() {
        let event: Event =
            serde_json::from_str(r#"{"pathParameters":null,"multiValueHeaders":null,"requestContext":{}}"#).unwrap();
        assert!(event.path_parameters.is_empty() && !event.has("W/\"a\""));
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        let event = |value: &str| Event {
            headers: BTreeMap::from([("If-None-Match".to_owned(), vec![value.to_owned()])]),
            ..Event::default()
        };
        for same in ["W/\"a\"", "\"a\"", "\"b\", W/\"a\"", "*"] {
            assert!(event(same).has("W/\"a\""), "{same}");
        }
        for other in ["\"b\"", "", "a", "W/\"A\""] {
            assert!(!event(other).has("W/\"a\""), "{other}");
        }
    }
}
