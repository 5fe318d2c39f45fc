//! Names in records are bounded.

use std::borrow::Cow;

/// Most bytes of a text that only people read.
const MOST_TEXT_BYTES: usize = 128;

/// A name as a record has it: records are bounded, whatever a token says. `…` stands at its end where
/// it was cut.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_TEXT_BYTES {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(MOST_TEXT_BYTES)]).into()
}
