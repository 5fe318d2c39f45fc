//! Compressed bodies. API Gateway decompresses them, so that no function has to. One that reaches a function nevertheless is
//! refused as compressed, rather than as invalid JSON.

use crate::{error::ApiError, event::Event};

/// How base64 of a gzip stream begins.
const GZIP_IN_BASE64: &str = "H4sI";
/// How a gzip stream begins, and how it does where it was taken for text: its second byte is no UTF-8.
const GZIP: [&str; 2] = ["\u{1f}\u{8b}", "\u{1f}\u{fffd}"];

/// What a body may have been packed by, once the gateway has unpacked it; the header may be left from before.
const UNPACKED: [&str; 2] = ["gzip", "deflate"];

/// Refuses a body that no function can read.
pub(crate) fn check(event: &Event) -> Result<(), ApiError> {
    let codings = event.headers.content_encoding.iter().flat_map(|value| value.split(','));
    let is_packing = |coding: &&str| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity");
    let mut packings = codings.map(str::trim).filter(is_packing);
    let is_unpacked = |coding: &str| UNPACKED.iter().any(|known| known.eq_ignore_ascii_case(coding));
    if packings.next().is_some_and(|coding| !is_unpacked(coding)) || packings.next().is_some() {
        return Err(ApiError::UnsupportedMediaType("Content-Encoding must be one of gzip, deflate, identity"));
    }
    let body = event.body.as_deref().unwrap_or_default();
    let is_gzip = match event.is_base64_encoded {
        true => body.starts_with(GZIP_IN_BASE64),
        false => GZIP.iter().any(|begin| body.starts_with(begin)),
    };
    match (is_gzip, &event.headers.content_encoding) {
        (false, _) => Ok(()),
        (true, None) => {
            Err(ApiError::UnsupportedMediaType("The body is gzip, which Content-Encoding: gzip has to say"))
        }
        (true, Some(_)) => Err(ApiError::UnsupportedMediaType(
            "The body is still gzip, or was packed twice: this API does not unpack it",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn refused(body: &str, is_base64: bool, encoding: Value) -> Option<String> {
        let headers = if encoding.is_null() { json!({}) } else { json!({"Content-Encoding": encoding}) };
        let event = json!({"multiValueHeaders": headers, "body": body, "isBase64Encoded": is_base64});
        check(&serde_json::from_value(event).unwrap()).err().map(|error| error.to_string())
    }

    #[test]
    fn what_the_gateway_has_unpacked_is_read() {
        for encoding in [Value::Null, json!(["gzip"]), json!(["GZIP"]), json!(["deflate"]), json!(["identity", "gzip"])]
        {
            assert_eq!(refused("{}", false, encoding.clone()), None, "{encoding}");
        }
        assert_eq!(refused("e30=", true, Value::Null), None);
        assert_eq!(refused("", false, json!([""])), None);
    }

    #[test]
    fn what_is_still_packed_is_named() {
        for (body, is_base64) in [("\u{1f}\u{fffd}\u{8}", false), ("\u{1f}\u{8b}", false), ("H4sIAAAAAAAA", true)] {
            assert!(refused(body, is_base64, Value::Null).unwrap().contains("Content-Encoding: gzip"), "{body}");
            assert!(refused(body, is_base64, json!(["gzip"])).unwrap().contains("still gzip"), "{body}");
        }
        for coding in ["br", "zstd", "gzip, br", "x", "gzip, gzip", "deflate, identity, GZIP"] {
            let refused = refused("{}", false, json!([coding]));
            assert_eq!(refused.unwrap(), "Content-Encoding must be one of gzip, deflate, identity", "{coding}");
        }
    }
}
