//! The texts that are measured: records as an application would cache them, neither random nor all the same.

use bytes::Bytes;
use serde_json::json;

/// Sizes of the texts, in bytes: a record, a page of them, a large result.
pub const SIZES: [usize; 3] = [1 << 10, 16 << 10, 1 << 20];

/// One record of some 200 bytes.
pub fn record(number: usize) -> serde_json::Value {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    json!({
        "id": 10_000 + number,
        "name": format!("Customer {:05}", mixed % 100_000),
        "email": format!("{:08x}@example.com", mixed as u32),
        "status": if mixed.is_multiple_of(3) { "ACTIVE" } else { "SUSPENDED" },
        "balance": (mixed % 1_000_000) as f64 / 100.0,
        "last_login": format!("2024-01-{:02}T{:02}:{:02}:00Z", 1 + mixed % 28, mixed % 24, mixed % 60),
    })
}

/// A JSON array of records with at least `bytes` bytes of text.
pub fn text(bytes: usize) -> Bytes {
    let mut text = String::from("[");
    for number in 0.. {
        text += &record(number).to_string();
        if text.len() + 1 >= bytes {
            break;
        }
        text.push(',');
    }
    text.push(']');
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_json_of_about_the_size() {
        for size in SIZES {
            let text = text(size);
            assert!(serde_json::from_slice::<Vec<serde_json::Value>>(&text).is_ok());
            assert!((size..size + 300).contains(&text.len()));
        }
    }
}
