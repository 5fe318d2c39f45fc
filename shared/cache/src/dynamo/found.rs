//! What stands under a key, whatever that is: for people who want to know why.

use super::{
    client::{L3Error, Store},
    head::{Head, Kind},
    rows::tags_of,
};
use crate::{level::Levels, version::Version};
use std::sync::Arc;

/// A row but for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundRow {
    pub version: Version,
    pub standing: Standing,
    /// Milliseconds since the Unix epoch; 0 of a tombstone.
    pub expires_at_ms: i64,
    pub tags: Vec<Arc<str>>,
    pub levels: Levels,
    /// It is from before its level was switched on again, and counts as gone.
    pub is_from_before: bool,
}

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It holds the value, live or not.
    Value,
    /// It points to one that other levels have.
    Stub,
    /// It is a tombstone.
    Gone,
}

impl Store {
    /// The row of `key`, consistently.
    pub(crate) async fn found(&self, key: &str) -> Result<Option<FoundRow>, L3Error> {
        let Some(item) = self.head_item(key).await? else { return Ok(None) };
        let head = Head::of(&item);
        let standing = match head.kind {
            Kind::Value => Standing::Value,
            Kind::Stub => Standing::Stub,
            Kind::Gone => Standing::Gone,
        };
        Ok(Some(FoundRow {
            version: head.version,
            standing,
            expires_at_ms: head.expires_at_ms,
            tags: tags_of(&item).into_iter().map(Arc::from).collect(),
            levels: head.levels,
            is_from_before: self.head_of(&item).kind != head.kind,
        }))
    }
}
