//! What a deployment is called, and that a table is another's.

use std::fmt;

/// What containers must have in common to hear of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The control table: notes, jobs and the configuration.
    pub control: String,
    /// Stands before every key in Redis, the journal's as well.
    pub key_prefix: String,
}

/// The table is another deployment's.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    pub(super) table: String,
    pub(super) theirs: Identity,
    pub(super) ours: Identity,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign { table, theirs, ours } = self;
        write!(
            f,
            "table {table} belongs to the deployment with control table {} and key_prefix {:?}; this one has {} and {:?}",
            theirs.control, theirs.key_prefix, ours.control, ours.key_prefix
        )
    }
}

impl std::error::Error for Foreign {}
