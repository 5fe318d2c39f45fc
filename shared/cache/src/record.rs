//! What the journal says of one mutation.

mod cut;

pub(crate) use self::cut::cut;

use crate::{
    key::Key,
    selector::{Invalidation, WrittenInvalidation},
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
    /// An invalidation was undone. What came back has a version that no copy of before has.
    Undone,
    /// The configuration changed, but for its levels; what it is now came with the sync.
    Configured,
    /// A warm job has brought these entries into L2, with so many bytes of envelope. No copy is worth less for it.
    Warmed(Vec<(Key, usize)>),
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
                .and_then(|body| WrittenInvalidation::read(at, body))
                .map_or(Event::Unknown, |invalidation| Event::Invalidated(Arc::new(invalidation))),
            Some("closed") => Event::Closed,
            Some("undo") => Event::Undone,
            Some("epoch") => Event::Epoch,
            // What of it cannot be read is not prefetched.
            Some("warm") => Event::Warmed(text("body").map(read_named).unwrap_or_default()),
            Some("config") if text("switch").is_none() => Event::Configured,
            Some("config") => Event::Epoch,
            _ => Event::Unknown,
        };
        Some(Record { at, event })
    }
}

/// The entries that a warm record names, as its body.
pub(crate) fn named(entries: &[(Key, usize)]) -> String {
    let entries: Vec<_> = entries.iter().map(|(key, bytes)| (key.as_str(), bytes)).collect();
    serde_json::to_string(&entries).expect("texts and numbers are always JSON")
}

fn read_named(body: &str) -> Vec<(Key, usize)> {
    let entries: Vec<(String, usize)> = serde_json::from_str(body).unwrap_or_default();
    entries.into_iter().filter_map(|(key, bytes)| Some((Key::new(key).ok()?, bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warm(body: &str) -> Event {
        let fields = [("kind", "warm"), ("body", body)].map(|(name, text)| (name.to_owned(), text.to_owned()));
        Record::parse("5-0", &fields.into()).expect("the position is one").event
    }

    fn key(text: &str) -> Key {
        Key::new(text).expect("a test's key is valid")
    }

    #[test]
    fn a_warm_record_names_what_was_written_into_it() {
        let entries = vec![(key("customer:\"1\"/é"), 312), (key("b"), 0)];
        assert_eq!(warm(&named(&entries)), Event::Warmed(entries));
    }

    #[test]
    fn a_warm_record_that_cannot_be_read_names_nothing() {
        for body in ["", "{}", r#"[["a"]]"#, r#"[["a",-1]]"#, r#"[{"key":"a"}]"#] {
            assert_eq!(warm(body), Event::Warmed(Vec::new()), "{body}");
        }
        assert_eq!(warm(r#"[["",1],["a",2]]"#), Event::Warmed(vec![(key("a"), 2)]), "no key is empty");
    }
}
