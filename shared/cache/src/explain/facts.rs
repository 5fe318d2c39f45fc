//! What was asked, and what was said.

use super::past::Past;
use crate::{
    key::Key,
    level::Levels,
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::sync::Arc;

/// What a level said.
#[derive(Debug, Clone)]
pub(crate) enum Asked<T> {
    /// Nothing: it is switched off.
    Disabled,
    /// Nothing: it cannot be reached.
    Unavailable,
    /// What it has of the key.
    Said(Option<T>),
}

impl<T> Asked<T> {
    /// What it has, if it was asked and has something.
    pub(crate) fn there(&self) -> Option<&T> {
        match self {
            Asked::Said(said) => said.as_ref(),
            Asked::Disabled | Asked::Unavailable => None,
        }
    }
}

/// All that the judge goes by.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'a> {
    pub key: &'a Key,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    pub source_of_truth: SourceOfTruth,
    /// V in milliseconds.
    pub revalidate_ms: i64,
    pub l1: Asked<Held>,
    pub l2: Asked<Shared>,
    pub l3: Asked<Row>,
    pub past: Past,
}

/// A certified copy.
#[derive(Debug, Clone)]
pub(crate) struct Certified {
    pub version: Version,
    pub as_of: Position,
    pub expires_at_ms: i64,
    /// When its grace is over.
    pub kept_until_ms: i64,
    pub tags: Vec<Arc<str>>,
    /// The levels that its PUT named.
    pub levels: Levels,
}

/// A copy in own L1.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub copy: Certified,
    /// Up to where it is known to be good; `None` where it is known not to be.
    pub good_until: Option<Position>,
    /// Whether it is known to be good up to where this container knows the journal.
    pub is_settled: bool,
    /// Whether it is, and what is known is young enough to answer without a sync.
    pub answers: bool,
}

/// What L2 has.
#[derive(Debug, Clone)]
pub(crate) enum Shared {
    /// A copy, and when it was certified, in milliseconds since the Unix epoch.
    Copy(Certified, i64),
    /// The tombstone of what that mutation took away; only while L2 decides.
    Tombstone(Version),
    /// Something that cannot be read.
    Unreadable,
}

/// The row of L3.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub version: Version,
    pub says: Says,
    pub expires_at_ms: i64,
    /// When an invalidation made an end of its life, and left the grace.
    pub ended_at_ms: Option<i64>,
    /// When its grace is over.
    pub kept_until_ms: i64,
    pub tags: Vec<Arc<str>>,
    pub levels: Levels,
    /// It is from before its level was switched on again.
    pub is_from_before: bool,
    /// An invalidation that this container knows of means it, and has not come to it.
    pub is_masked: bool,
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The value is here.
    Value,
    /// It is in other levels.
    Stub,
    /// It is gone.
    Gone,
    /// A fill is about to store one: what was there before it no longer says.
    Claimed,
}
