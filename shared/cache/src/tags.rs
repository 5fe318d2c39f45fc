//! The tags of entries. They put entries into groups, so many entries have the same: each list is kept once.

use crate::lock::{Lock, emptied};
use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

/// Most tags of one entry.
pub const MAX_TAGS: usize = 50;
/// Longest tag in bytes.
pub const MAX_TAG_BYTES: usize = 128;

/// A list of tags; clones share it.
pub type Tags = Arc<[Arc<str>]>;

/// Whether a text may be a tag: of 1 to [`MAX_TAG_BYTES`] bytes, without control characters.
pub fn is_tag(text: &str) -> bool {
    (1..=MAX_TAG_BYTES).contains(&text.len()) && !text.contains(char::is_control)
}

/// Most lists that are remembered. When there are more all are forgotten, and those in use soon known again.
const MOST_LISTS: usize = 256;
/// Longest list that is remembered. Longer ones are seldom equal, and all there are must not take more than 400 KB.
const MOST_TAGS: usize = 8;

static KNOWN: LazyLock<Lock<Known>> = LazyLock::new(Lock::default);

/// These tags, in the memory of an equal list where there is one.
pub(crate) fn shared(tags: Vec<Arc<str>>) -> Tags {
    match tags.len() {
        // Takes no memory, unlike an empty list made of another.
        0 => Tags::default(),
        1..=MOST_TAGS => KNOWN.enter(emptied).share(tags),
        _ => tags.into(),
    }
}

/// The lists that are remembered.
#[derive(Debug, Default)]
struct Known(HashSet<Tags>);

impl Known {
    fn share(&mut self, tags: Vec<Arc<str>>) -> Tags {
        if let Some(tags) = self.0.get(tags.as_slice()) {
            return Arc::clone(tags);
        }
        if self.0.len() == MOST_LISTS {
            self.0.clear();
        }
        let tags = Tags::from(tags);
        self.0.insert(Arc::clone(&tags));
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tags: impl IntoIterator<Item = usize>) -> Vec<Arc<str>> {
        tags.into_iter().map(|tag| tag.to_string().into()).collect()
    }

    #[test]
    fn equal_lists_are_one() {
        let mut known = Known::default();
        let first = known.share(list([1, 2]));
        assert!(Arc::ptr_eq(&first, &known.share(list([1, 2]))));
        assert_eq!(known.share(list([2, 1]))[..], list([2, 1])[..], "in the order that was given");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known::default();
        (0..3 * MOST_LISTS).for_each(|tag| assert_eq!(known.share(list([tag])).len(), 1));
        assert_eq!(known.0.len(), MOST_LISTS);
        assert_eq!(shared(list(0..MOST_TAGS + 1))[..], list(0..MOST_TAGS + 1)[..]);
    }
}
