//! Whether a value that is stored can be answered later.
//!
//! A function's answer is JSON in which the body is a string, so every quote, backslash and line break of a value
//! costs two bytes of Lambda's limit. A value whose GET could not be carried back is refused when it is put.

/// Lambda's limit for the answer of a synchronous invocation in bytes (AWS: "6 MB").
pub const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;

/// Room for all of an answer but the value, in bytes: a key of 512 bytes that are all escaped twice takes 2 KiB,
/// headers and metadata together take less than another 2 KiB.
const ROOM: usize = 8 * 1024;

/// Bytes of the answer that carries the JSON text `value`.
pub fn answer_bytes(value: &str) -> usize {
    escaped_bytes(value) + ROOM
}

/// Bytes of `text` inside a JSON string as serde_json writes it.
pub fn escaped_bytes(text: &str) -> usize {
    text.bytes().map(escaped_width).sum()
}

const fn escaped_width(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..0x20 => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_every_escape_as_written() {
        let text: String = (0..=0x1ff).filter_map(char::from_u32).collect();
        assert_eq!(escaped_bytes(&text) + 2, serde_json::json!(text).to_string().len());
    }

    proptest! {
        #[test]
        fn counts_as_written(text in "(?s).{0,200}") {
            prop_assert_eq!(escaped_bytes(&text) + 2, serde_json::json!(text).to_string().len());
        }
    }
}
