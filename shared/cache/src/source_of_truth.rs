//! The source of truth: the level that decides, by version, which value of a key is the newest.

use crate::version::Version;

/// Which level decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceOfTruth {
    /// DynamoDB.
    L3,
    /// Redis, while L3 is switched off.
    L2,
}

/// What a conditional write expects to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Expected {
    /// Whatever is older.
    #[default]
    Anything,
    /// Nothing.
    Absent,
    /// Exactly that version.
    Version(Version),
}
