//! What is done with what an invalidation means.

use crate::version::Version;

/// What to do with a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Count it.
    Look,
    /// Count it, also where L3 only says that L2 has it: L2 cannot be asked.
    LookWithoutL2,
    /// Remove it when it is older than this.
    Remove(Version),
    /// Remove the version that was seen, or what has taken its place, because Redis time cannot be asked.
    RemoveSeen,
}

impl Act {
    /// The version of the invalidation that it does the work of; a greater one than any where that has none, or hides
    /// nothing.
    pub(crate) fn own(self) -> Version {
        match self {
            Act::Remove(version) => version,
            Act::Look | Act::LookWithoutL2 | Act::RemoveSeen => Version(u64::MAX),
        }
    }

    /// Whether it removes nothing.
    pub(crate) fn only_looks(self) -> bool {
        matches!(self, Act::Look | Act::LookWithoutL2)
    }
}
