//! What the journal says of one mutation.

use crate::{
    key::Key,
    selector::{Invalidation, Written},
    version::{Position, Version},
};
use std::{collections::HashMap, sync::Arc};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where it stands.
    pub at: Position,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A value was put under `key`, or the key was deleted.
    Changed { key: Key, version: Version },
    /// The entries that a selector means were invalidated.
    Invalidated(Arc<Invalidation>),
    /// An invalidation has removed all it means.
    Closed,
    /// The configuration changed, but for its levels; what it is now came with the sync.
    Configured,
    /// What was certified before must be confirmed by L3 again; a level was switched, or the server is another one.
    Epoch,
    /// Something this release does not know; it is treated like an epoch, which distrusts too much but never too
    /// little.
    Unknown,
}

/// The kind a mutation of one key is recorded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A value was put.
    Put,
    /// The key was deleted.
    Delete,
}

impl Change {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Change::Put => "put",
            Change::Delete => "delete",
        }
    }
}

impl Record {
    /// Reads a stream entry.
    pub(crate) fn parse(id: &str, fields: &HashMap<String, String>) -> Option<Record> {
        let at = Position::parse(id)?;
        let text = |name: &str| fields.get(name).map(String::as_str);
        let event = match text("kind") {
            Some("put" | "delete") => {
                let key = text("key").and_then(|key| Key::new(key).ok());
                match (key, text("version").and_then(Version::parse)) {
                    (Some(key), Some(version)) => Event::Changed { key, version },
                    _ => Event::Unknown,
                }
            }
            Some("invalidate") => text("body")
                .and_then(|body| Written::read(at, body))
                .map_or(Event::Unknown, |invalidation| Event::Invalidated(Arc::new(invalidation))),
            Some("closed") => Event::Closed,
            Some("epoch") => Event::Epoch,
            Some("config") if text("switch").is_none() => Event::Configured,
            Some("config") => Event::Epoch,
            _ => Event::Unknown,
        };
        Some(Record { at, event })
    }
}
