//! The values: one text per number, so that a value read says which PUT it is of, and what every byte of it must be.

use std::fmt::Write;

use fastrand::Rng;

/// In front of the number.
const HEAD: &str = r#"{"n":"#;
/// What a JSON parser would write differently: precision, exponent, escapes, the order of members, white space.
const TAIL: &str = r#", "pi":3.14159265358979323846,"e":1E+05,"zero":-0.10,"a":"\u00e9\/\ud83d\ude00é""#;
/// Over the threshold from which payloads are compressed.
const COMPRESSIBLE_BYTES: usize = 3_000;
/// Over what one item of L3 holds, however it is compressed.
const CHUNKED_BYTES: usize = 450_000;

/// One in so many values takes L3 several items, the first of them this one.
const LARGE_EVERY: u64 = 128;
const FIRST_LARGE: u64 = 63;

/// The JSON text of a number's value. Most are small, one in eight is worth compressing, one in 128 takes L3 several
/// items.
pub fn text(number: u64) -> String {
    let pad = match number {
        n if n % LARGE_EVERY == FIRST_LARGE => noise(n, CHUNKED_BYTES),
        n if n % 8 == 7 => "strata ".repeat(COMPRESSIBLE_BYTES / 7),
        _ => String::new(),
    };
    format!(r#"{HEAD}{number}{TAIL},"pad":"{pad}"}}"#)
}

/// The number, or the next one, whose value takes L3 several items.
pub(crate) fn next_large(from: u64) -> u64 {
    from + (LARGE_EVERY + FIRST_LARGE - from % LARGE_EVERY) % LARGE_EVERY
}

/// The number of a text; none when it is no text of ours.
pub fn number(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(HEAD)?;
    rest.split_once(',')?.0.parse().ok()
}

fn noise(seed: u64, bytes: usize) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        write!(text, "{:016x}", rng.u64(..)).expect("a string takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_is_json_and_says_its_number() {
        for n in [0, 7, 63, 1_000_000] {
            let text = text(n);
            assert_eq!(number(&text), Some(n));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["n"], n);
        }
        assert_eq!(number("null"), None);
        assert_eq!([0, 63, 64, 130].map(next_large), [63, 63, 191, 191]);
        assert!(text(next_large(1_000)).len() > CHUNKED_BYTES);
    }
}
