//! A page of a list while it is filled, and what it has cost: it ends when it is full, or has cost enough.

use crate::listing::{Listing, Mark};
use std::time::Duration;
use tokio::time::Instant;

/// When so many bytes of rows, or of copies, have been looked at, a page ends. DynamoDB bills whole rows. The first of each
/// of the sixteen shards must be seen in any case: where these are large, it ends at twice what they take.
const PAGE_BYTES: usize = 4 << 20;
/// One part of so many of what could be looked at is looked at next: sizes differ, and what is read of shards that turn
/// out to be ahead is read in vain.
const CAUTION: usize = 4;
/// When so much time has gone a page ends, however little it has.
const PAGE_TIME: Duration = Duration::from_secs(2);
/// What a row may take of which nothing is known yet, in bytes.
const LARGEST_ROW: usize = 400_000;

/// A page, and what it has cost so far.
pub(crate) struct Filling<T> {
    limit: usize,
    pub(crate) found: Vec<T>,
    /// What was looked at so far, first of all and in all.
    count: usize,
    first_bytes: Option<usize>,
    bytes: usize,
    until: Instant,
}

impl<T> Filling<T> {
    pub(crate) fn new(limit: usize) -> Filling<T> {
        Filling { limit, found: Vec::new(), count: 0, first_bytes: None, bytes: 0, until: Instant::now() + PAGE_TIME }
    }

    /// How many are wanted still: one more than the page takes says that there is another page.
    pub(crate) fn missing(&self) -> usize {
        (self.limit + 1).saturating_sub(self.found.len())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.missing() == 0
    }

    /// Takes what is beyond the page off it; returns where it ends.
    pub(crate) fn cut(&mut self, name: impl Fn(&T) -> &String) -> Option<Mark> {
        self.found.truncate(self.limit);
        self.found.last().map(|last| Mark::behind(name(last)))
    }

    pub(crate) fn end(self, next: Mark) -> Listing<T> {
        Listing { found: self.found, next: Some(next) }
    }

    pub(crate) fn spend(&mut self, count: usize, bytes: usize) {
        self.first_bytes.get_or_insert(bytes);
        self.count += count;
        self.bytes += bytes;
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left() == 0 || Instant::now() >= self.until
    }

    fn left(&self) -> usize {
        PAGE_BYTES.max(2 * self.first_bytes.unwrap_or_default()).saturating_sub(self.bytes)
    }

    /// How many rows may be looked at, one at least, as far as can be told by those before.
    pub(crate) fn affords(&self) -> usize {
        let each = self.bytes.checked_div(self.count).map_or(LARGEST_ROW, |mean| mean.max(1));
        (self.left() / each).max(1)
    }

    /// How many are wanted next, where each has to be looked at.
    pub(crate) fn next(&self) -> usize {
        self.missing().min((self.affords() / CAUTION).max(1))
    }
}
