//! The keys of a batch, how far the read of each has come, and how much room there is for their values.

use crate::tiered::read::stale::Kept;
use crate::{
    entry::Entry,
    key::Key,
    outcome::{CacheError, Hit, Path, Step},
    redis::Found,
};
use std::sync::Arc;

/// One key of many.
pub(crate) struct Wanted<'k> {
    pub(crate) key: &'k Key,
    pub(crate) path: Path,
    /// What L2 has, and only L3 can confirm.
    pub(crate) doubtful: Option<(Box<Found>, Option<Arc<Entry>>)>,
    /// What L2 has and has expired, for when L3 cannot be asked.
    pub(crate) kept: Option<Kept>,
    pub(crate) state: State,
}

/// How far the read of one key has come.
pub(crate) enum State {
    Open,
    Found(Result<Option<Hit>, CacheError>),
    /// There is no room for its value.
    Left,
}

/// The keys of a batch, and the room for their values.
pub(crate) struct Many<'k> {
    pub(crate) wanted: Vec<Wanted<'k>>,
    most_bytes: usize,
    pub(crate) bytes: usize,
}

impl<'k> Many<'k> {
    pub(crate) fn of(keys: &'k [Key], path: Path, most_bytes: usize) -> Many<'k> {
        let wanted = |key| Wanted { key, path, doubtful: None, kept: None, state: State::Open };
        Many { wanted: keys.iter().map(wanted).collect(), most_bytes, bytes: 0 }
    }

    /// The places of the keys that nobody has answered for.
    pub(crate) fn open(&self) -> Vec<usize> {
        (0..self.wanted.len()).filter(|at| self.wanted[*at].is_open()).collect()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.wanted.iter().any(Wanted::is_open)
    }

    /// Bytes of values for which there is room.
    pub(crate) fn room(&self) -> usize {
        self.most_bytes.saturating_sub(self.bytes)
    }

    /// Whether there is room for one more value; there is for the first.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes == 0 || self.room() > 0
    }

    /// Answers for the key at a place.
    pub(crate) fn answer(&mut self, at: usize, found: Result<Option<Hit>, CacheError>) {
        self.bytes += self.wanted[at].found(found);
    }
}

impl Wanted<'_> {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Whether L2 was asked and answered.
    pub(crate) fn is_in_reach_of_redis(&self) -> bool {
        !matches!(self.path.l2, Step::Unavailable | Step::Disabled)
    }

    /// Answers; returns the bytes of the value.
    pub(crate) fn found(&mut self, found: Result<Option<Hit>, CacheError>) -> usize {
        let bytes = found.as_ref().ok().and_then(Option::as_ref).map_or(0, |hit| hit.entry.text.len());
        self.state = State::Found(found);
        bytes
    }
}
