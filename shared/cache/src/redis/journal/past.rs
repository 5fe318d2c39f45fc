//! What Redis still knows of the past of one key.

use super::{Journal, hash, replies::Fields};
use crate::{
    coherence::Recorded,
    key::Key,
    redis::{Down, link::read, scripts},
    version::{Position, Version},
};
use redis::{Cmd, Value};

/// Most invalidations that are looked through for one key: as many as the index keeps.
const MOST_INVALIDATIONS: usize = 1000;
/// Most bytes of them: Redis reads and sends that in about a millisecond.
const MOST_BYTES: usize = 256 * 1024;
/// Digits of [`Version::sortable`].
const VERSION_DIGITS: usize = 20;

/// What Redis still knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct PastReply {
    /// Redis time in milliseconds.
    pub now_ms: u64,
    pub epoch: Position,
    /// Where a level was switched last.
    pub switched: Position,
    /// After this every put and delete of the key is known; `None` for none.
    pub floor: Option<Position>,
    /// After this every invalidation is.
    pub swept: Option<Position>,
    /// What put or deleted the key, and the fields of its last record, empty where that is gone.
    pub last: Option<(Recorded, Fields)>,
    /// The invalidations that are open, and those there were, by the position and the body of their records.
    pub open: Vec<(Position, String)>,
    pub invalidations: Vec<(Position, String)>,
}

impl Journal {
    /// The command that asks for the past of a key, and changes nothing.
    pub(crate) fn past(&self, key: &Key) -> Cmd {
        let keys = [self.journal.clone(), self.meta.clone(), self.open.clone(), self.index.clone()];
        let mut call = scripts::PAST.call(&keys);
        call.arg(hash(key.as_str()).as_slice()).arg(MOST_INVALIDATIONS).arg(MOST_BYTES);
        call
    }
}

type Bodies = Vec<(String, String)>;
type RawPastReply = (u64, String, String, String, String, String, Fields, Bodies, Bodies);

impl PastReply {
    /// Reads the reply to [`Journal::past`].
    pub(crate) fn parse(reply: Value) -> Result<PastReply, Down> {
        let (now_ms, epoch, switched, floor, swept, said, record, open, invalidations) =
            read::<RawPastReply>(reply, "the past of a key")?;
        let placed = |bodies: Bodies| {
            let placed = |(at, body): (String, String)| Some((Position::parse(&at)?, body));
            bodies.into_iter().filter_map(placed).collect()
        };
        let recorded = said.split_at_checked(VERSION_DIGITS).and_then(|(greatest, last)| {
            Some(Recorded { greatest: Version::parse(greatest)?, last: Position::parse(last)? })
        });
        Ok(PastReply {
            now_ms,
            epoch: Position::parse(&epoch).unwrap_or_default(),
            switched: Position::parse(&switched).unwrap_or_default(),
            floor: Position::parse(&floor),
            swept: Position::parse(&swept),
            last: recorded.map(|recorded| (recorded, record)),
            open: placed(open),
            invalidations: placed(invalidations),
        })
    }
}
