//! Many mutations at once: what is asked, and what came of each.

use crate::{
    key::Key,
    outcome::{CacheError, Deleted, Stored},
    put::Put,
};
use tokio::time::Instant;

/// A mutation of one key.
#[derive(Debug, Clone)]
pub enum Mutate {
    /// Stores a value.
    Put(Key, Put),
    /// Deletes the key.
    Delete {
        /// The key.
        key: Key,
        /// Who requested it, for the journal; empty to name nobody.
        by: String,
    },
}

impl Mutate {
    /// The size of its value in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Mutate::Put(_, put) => put.value.text().len(),
            Mutate::Delete { .. } => 0,
        }
    }
}

/// What a mutation of one key did.
#[derive(Debug, Clone)]
pub enum Mutated {
    /// A value was stored.
    Stored(Stored),
    /// The key was deleted.
    Deleted(Deleted),
}

/// How one mutation of many ended.
#[derive(Debug)]
pub enum Attempt {
    /// As if it had been the only one.
    Ended(Result<Mutated, CacheError>),
    /// It was begun, and then time ran out: it may have happened.
    Unanswered,
    /// Time ran out before it was begun.
    NotBegun,
}

/// How long many mutations may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// No mutation is begun after this.
    pub begin_until: Instant,
    /// Mutations that have not ended by then are given up.
    pub end_until: Instant,
}
