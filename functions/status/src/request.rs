//! What the parameters of lists may say.

use std::{borrow::Cow, sync::Arc};
use strata_cache::MAX_TAG_BYTES;

/// Entries or tags of one answer when the request does not say.
pub const DEFAULT_PAGE: usize = 100;
/// Most entries or tags of one answer.
pub const MAX_PAGE: usize = 1000;

type Said<T> = Result<T, Cow<'static, str>>;

/// What names begin with that have at most `most` bytes.
pub fn prefix(text: &str, most: usize) -> Said<String> {
    if text.len() > most || text.contains(char::is_control) {
        return Err(format!("must have at most {most} bytes and no control characters").into());
    }
    Ok(text.to_owned())
}

/// One tag.
pub fn tag(text: &str) -> Said<Arc<str>> {
    if !(1..=MAX_TAG_BYTES).contains(&text.len()) || text.contains(char::is_control) {
        return Err(format!("must be a tag, of 1 to {MAX_TAG_BYTES} bytes without control characters").into());
    }
    Ok(text.into())
}
