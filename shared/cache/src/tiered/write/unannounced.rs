//! Mutations that nobody is told of yet.

use crate::tiered::view::View;
use crate::{key::Key, version::Version};

/// A mutation that the source of truth may have taken and that nobody is told of yet. Should its operation end so, by
/// an error, a panic or because nobody waits for it any more, every container is made to ask the source of truth.
pub(super) struct Unannounced<'a> {
    view: &'a View<'a>,
    key: &'a Key,
    version: Version,
}

impl<'a> Unannounced<'a> {
    pub(super) fn new(view: &'a View<'a>, key: &'a Key, version: Version) -> Unannounced<'a> {
        Unannounced { view, key, version }
    }

    /// The others know, or there is nothing to know.
    pub(super) fn settle(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unannounced<'_> {
    fn drop(&mut self) {
        self.view.doubt_write(self.key, self.version);
    }
}
