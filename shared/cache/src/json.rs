//! Values as JSON text.

use bytes::Bytes;
use serde::{Serialize, de::IgnoredAny};

/// A text that is one JSON value in UTF-8. It is stored and returned byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(Bytes);

impl Json {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is not UTF-8, or not one JSON value.
    pub fn new(text: impl Into<Bytes>) -> serde_json::Result<Json> {
        let text = text.into();
        let checked = simdutf8::basic::from_utf8(&text).map_err(serde::de::Error::custom)?;
        serde_json::from_str::<IgnoredAny>(checked)?;
        Ok(Json(text))
    }

    /// A value, written as JSON.
    ///
    /// # Errors
    /// When it cannot be serialized, such as a map whose keys are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Json> {
        serde_json::to_vec(value).map(|text| Json(text.into()))
    }

    /// A text that the caller knows to be one JSON value in UTF-8; it is not checked again.
    pub fn checked(text: Bytes) -> Json {
        Json(text)
    }

    /// The text.
    pub fn text(&self) -> &Bytes {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_kept_as_they_are() {
        assert_eq!(Json::new(r#" {"a":1.0} "#).unwrap().text(), r#" {"a":1.0} "#);
        assert_eq!(Json::of(&["a"]).unwrap().text(), r#"["a"]"#);
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in [&b""[..], b"1 2", b"{", b"\"\xff\""] {
            assert!(Json::new(text).is_err(), "{text:?}");
        }
    }
}
