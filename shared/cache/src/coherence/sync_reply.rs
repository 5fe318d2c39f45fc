//! What a sync brings from the journal, whichever command it came with.

use crate::{
    open_invalidations::OpenInvalidations,
    record::Record,
    selector::Invalidation,
    version::{Position, Version},
};
use tokio::time::Instant;

/// What a sync learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyncReply {
    /// Redis TIME in microseconds.
    pub time_us: u64,
    /// When it was received.
    pub received: Instant,
    /// Where the epoch began.
    pub epoch: Position,
    /// Redis time in ms when the outage notes were read last; 0 for never.
    pub notes_checked_ms: u64,
    /// Invalidations that have not removed all they mean; `None` where the container has that set.
    pub open: Option<OpenInvalidations>,
    /// A version that was ahead of Redis time when it was recorded, the greatest of those; zero for none. Its record may
    /// be gone.
    pub ahead: Version,
    /// What it says of the configuration.
    pub published: Published,
    /// The records do not follow on the cursor, but there is a gap before the newest one, which stands here: they are the
    /// invalidations that lie in it.
    pub gap: Option<Position>,
    /// How many records there were; some that touch no key may not be counted yet.
    pub count: u64,
    /// What the index says, if it was asked.
    pub said: Option<Said>,
    /// What a fill asked for.
    pub fenced: Option<Fenced>,
    /// The records, oldest first.
    pub records: Vec<Record>,
}

/// The configuration as it stands beside the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Published {
    /// Version of the document; `None` where it is lost, or was never there.
    pub version: Option<u64>,
    /// The document, when it is not the one the container has.
    pub document: Option<String>,
    /// Where L2 or L3 was switched on or off last.
    pub switched: Position,
    /// Operations of the configuration before that may still go on.
    pub settling: bool,
}

/// What the index says of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// What was recorded after this is in the index.
    pub floor: Position,
    /// What it has of each key, in the order in which they were asked for.
    pub keys: Vec<Option<Recorded>>,
}

/// What the index has of a key that was put or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The greatest version by which.
    pub greatest: Version,
    /// Where the last record of it stands.
    pub last: Position,
}

/// What a sync says to a fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fenced {
    /// The newest record.
    pub end: Position,
    /// The invalidations after the position that was asked about; `None` where some are not known, or not understood.
    pub invalidations: Option<Vec<Invalidation>>,
}

#[cfg(test)]
impl SyncReply {
    /// A reply that says nothing but the time, received now, for tests.
    pub(crate) fn at(time_us: u64) -> SyncReply {
        SyncReply {
            time_us,
            received: Instant::now(),
            epoch: Position::ZERO,
            notes_checked_ms: 0,
            open: Some(OpenInvalidations::default()),
            ahead: Version::ZERO,
            published: Published::default(),
            gap: None,
            count: 0,
            said: None,
            fenced: None,
            records: Vec::new(),
        }
    }
}
