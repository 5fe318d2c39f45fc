//! A page of a list while it is filled, and what it has cost: it ends when it is full, or has cost enough.

use crate::listing::{Listing, Mark};
use std::time::Duration;
use tokio::time::Instant;

/// When so many bytes of rows, or of copies, have been looked at, a page ends. DynamoDB bills whole rows.
const PAGE_BYTES: usize = 4 << 20;
/// When so much time has gone a page ends, however little it has.
const PAGE_TIME: Duration = Duration::from_secs(2);
/// What a row may take of which nothing is known yet, in bytes.
const LARGEST_ROW: usize = 400_000;

/// A page, and what it has cost so far.
pub(super) struct Filling<T> {
    limit: usize,
    pub(super) found: Vec<T>,
    count: usize,
    bytes: usize,
    until: Instant,
}

impl<T> Filling<T> {
    pub(super) fn new(limit: usize) -> Filling<T> {
        Filling { limit, found: Vec::new(), count: 0, bytes: 0, until: Instant::now() + PAGE_TIME }
    }

    /// How many are wanted still: one more than the page takes says that there is another page.
    pub(super) fn missing(&self) -> usize {
        (self.limit + 1).saturating_sub(self.found.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.missing() == 0
    }

    /// Takes what is beyond the page off it; returns where it ends.
    pub(super) fn cut(&mut self, name: impl Fn(&T) -> &String) -> Option<Mark> {
        self.found.truncate(self.limit);
        self.found.last().map(|last| Mark::behind(name(last)))
    }

    pub(super) fn end(self, next: Mark) -> Listing<T> {
        Listing { found: self.found, next: Some(next) }
    }

    pub(super) fn spend(&mut self, count: usize, bytes: usize) {
        self.count += count;
        self.bytes += bytes;
    }

    pub(super) fn is_spent(&self) -> bool {
        self.bytes >= PAGE_BYTES || Instant::now() >= self.until
    }

    /// How many of `wanted` rows each of `parts` readings may look at, as far as can be told by those before.
    pub(super) fn affords(&self, wanted: usize, parts: usize) -> usize {
        let each = self.bytes.checked_div(self.count).map_or(LARGEST_ROW, |mean| mean.max(1));
        let left = PAGE_BYTES.saturating_sub(self.bytes) / each;
        wanted.min((left / parts.max(1)).max(1))
    }
}
