//! JSON text laid out for people, without reading it as values: numbers, escapes and the order of members stay as they
//! are.

use crate::paint::{Paint, visible};

const INDENT: &str = "  ";

/// Lays JSON text out.
pub fn pretty(json: &str, paint: Paint) -> String {
    let mut layout = Layout { text: String::with_capacity(json.len() * 2), depth: 0 };
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = match first {
            '{' | '[' => layout.open(first, &rest[1..]),
            '}' | ']' => {
                layout.close(first);
                &rest[1..]
            }
            ',' => {
                layout.text.push(',');
                layout.new_line();
                &rest[1..]
            }
            ':' => {
                layout.text.push_str(": ");
                &rest[1..]
            }
            _ => {
                let (token, after) = rest.split_at(token_length(rest));
                let is_name = after.trim_start().starts_with(':');
                layout.text.push_str(&painted(&visible(token), is_name, paint));
                after
            }
        };
        rest = after.trim_start();
    }
    layout.text
}

struct Layout {
    text: String,
    depth: usize,
}

impl Layout {
    /// Opens an object or an array, or writes the whole of one that is empty; returns what follows.
    fn open<'a>(&mut self, bracket: char, rest: &'a str) -> &'a str {
        self.text.push(bracket);
        let inner = rest.trim_start();
        if let Some(after) = inner.strip_prefix(['}', ']']) {
            self.text.push_str(&inner[..1]);
            return after;
        }
        self.depth += 1;
        self.new_line();
        rest
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        self.new_line();
        self.text.push(bracket);
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&INDENT.repeat(self.depth));
    }
}

/// The length of the string, number or word that the text begins with, in bytes; at least 1.
fn token_length(text: &str) -> usize {
    let Some(string) = text.strip_prefix('"') else {
        return text.find([',', ':', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(text.len()).max(1);
    };
    let mut is_escaped = false;
    let end = string.bytes().position(|byte| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        byte => byte == b'"',
    });
    end.map_or(text.len(), |end| end + 2)
}

fn painted(token: &str, is_name: bool, paint: Paint) -> String {
    match token.as_bytes().first() {
        _ if is_name => paint.name(token),
        Some(b'"') => paint.good(token),
        _ => paint.odd(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_is_changed() {
        let json = r#"{"b":1.0e2,"a":[ {} ,[], "x\"}:,", null],"e":{"k\\":-0}}"#;
        let text = pretty(json, Paint(false));
        let expected = "{\n  \"b\": 1.0e2,\n  \"a\": [\n    {},\n    [],\n    \"x\\\"}:,\",\n    null\n  ],\n  \"e\": {\n    \"k\\\\\": -0\n  }\n}";
        assert_eq!(text, expected);
        assert_eq!(pretty(&text, Paint(false)), text);
        assert_eq!(pretty(" 12 ", Paint(false)), "12");
    }

    #[test]
    fn names_and_values_have_colours() {
        assert_eq!(pretty(r#"{"a":"b"}"#, Paint(true)), "{\n  \x1b[34m\"a\"\x1b[0m: \x1b[32m\"b\"\x1b[0m\n}");
    }
}
