//! What a container knows of the journal, and which copies it may therefore trust.
//!
//! Pure state: no level is asked here, and time is an argument.

mod bounds;
mod fence;
mod gaps;
mod learn;
mod order;
mod outbox;
mod removed;
mod sync_delta;
mod sync_reply;
mod trust;
mod walk;

pub(crate) use self::{
    bounds::{HISTORY, OPERATION_LIFE, SETTLE, SYNC_RECORDS},
    gaps::{Held, Looked},
    order::{Apart, Sent},
    outbox::{LAMBDA_MS, NOTES_INTERVAL_MS},
    sync_delta::SyncDelta,
    sync_reply::{Fenced, Published, Recorded, Said, SyncReply},
    trust::{FreshnessProof, Since},
};
use self::{gaps::Gaps, order::Order, walk::Walk};
use crate::{
    key::Key,
    level::Level,
    open_invalidations::OpenInvalidations,
    planted::{Bug, planted},
    recent_changes::RecentChanges,
    selector::Invalidation,
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// A container's knowledge.
#[derive(Debug)]
pub(crate) struct Coherence {
    source_of_truth: SourceOfTruth,
    /// Whether the journal is read at all: L2 is switched on.
    reads_journal: bool,
    /// Where L2 or L3 was switched on or off last.
    switched: Position,
    /// Operations of the configuration before that may still go on, and tell the journal nothing.
    settling: bool,
    /// Version of the configuration document beside the journal, if it is there.
    published: Option<u64>,
    /// Position of the newest record read; `None` before the first sync.
    cursor: Option<Position>,
    /// The window of recent changes holds every put and delete after this position.
    low_watermark: Position,
    /// The window of recent changes holds every invalidation after this position.
    swept: Position,
    /// How many records there were at the last sync, and how many come in a second.
    count: u64,
    pace: u64,
    epoch: Position,
    recent_changes: RecentChanges,
    /// The greatest version that the journal or the control table has told of.
    newest: Version,
    /// Invalidations that have not removed all they mean yet.
    open: OpenInvalidations,
    /// The same by the control table, when Redis could not be asked or had lost them.
    noted: OpenInvalidations,
    /// Steady time at which the control table was asked for them.
    noted_ms: i64,
    /// Counts how often L1 was emptied, or something was missed; a fill that began before does not go in.
    generation: u64,
    gaps: Gaps,
    /// A copy in L1 that was known to be good here or later is good: nothing has come since but what L1 has applied.
    settled: Position,
    walk: Walk,
    /// Counts the mutations that the journal does not tell of; a fill that began before does not go in.
    fills: u64,
    /// Steady time at which the last sync was sent.
    sent_ms: i64,
    /// Redis TIME of the last sync in microseconds; 0 before the first.
    time_us: u64,
    /// When that was received.
    received: Option<Instant>,
    notes_checked_ms: u64,
    /// The last sync brought notes that could not be put into the journal: it does not do for trusting anything.
    untrusted: bool,
    order: Order,
}

/// What an operation carries of the sync it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AsOf {
    /// The cursor: what is read from L3 from now on is certified up to here.
    pub position: Position,
    pub generation: u64,
    /// Mutations that the journal does not tell of had so often been made by then.
    pub fills: u64,
    /// Redis TIME of that sync in microseconds.
    pub started_us: u64,
    /// Steady time at which that sync was sent, in ms.
    pub sent_ms: i64,
}

impl Coherence {
    pub(crate) fn new(source_of_truth: SourceOfTruth) -> Coherence {
        Coherence {
            source_of_truth,
            reads_journal: true,
            switched: Position::ZERO,
            settling: false,
            published: None,
            cursor: None,
            low_watermark: Position::ZERO,
            swept: Position::ZERO,
            count: 0,
            pace: 0,
            epoch: Position::ZERO,
            recent_changes: RecentChanges::default(),
            newest: Version::ZERO,
            open: OpenInvalidations::default(),
            noted: OpenInvalidations::default(),
            noted_ms: i64::MIN,
            generation: 0,
            gaps: Gaps::default(),
            settled: Position::ZERO,
            walk: Walk::default(),
            fills: 0,
            sent_ms: i64::MIN,
            untrusted: false,
            order: Order::default(),
            time_us: 0,
            received: None,
            notes_checked_ms: 0,
        }
    }

    /// Goes by another configuration from now on.
    pub(crate) fn configure(&mut self, source_of_truth: SourceOfTruth, reads_journal: bool) {
        self.source_of_truth = source_of_truth;
        self.reads_journal = reads_journal;
    }

    /// Something happened that the journal has not told of: no fill that began before goes into L1.
    pub(crate) fn begin_anew(&mut self) {
        self.generation += 1;
    }

    /// Version of the configuration document beside the journal, if it is there.
    pub(crate) fn published(&self) -> Option<u64> {
        self.published
    }

    /// How many records this container knows that there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether more records may be waiting at `now_ms` than a sync reads, as far as can be told by how many came lately.
    pub(crate) fn expects_gap(&self, now_ms: i64) -> bool {
        let age_ms = now_ms.saturating_sub(self.sent_ms).unsigned_abs();
        self.pace.saturating_mul(age_ms) / 1000 > SYNC_RECORDS as u64 / 4
    }

    /// Whether what was known at `known_ms`, or at the last sync, is too old for a read at `now_ms`, all in steady time.
    pub(crate) fn is_due(&self, known_ms: i64, now_ms: i64, window_ms: u64) -> bool {
        let sent_ms = if self.untrusted { i64::MIN } else { self.sent_ms };
        let age = now_ms.saturating_sub(sent_ms.max(known_ms));
        let kept = !planted(Bug::CoherenceWindowIgnored) || self.cursor.is_none();
        kept && (window_ms == 0 || age < 0 || age.unsigned_abs() > window_ms)
    }

    /// Where a copy in L1 must have been known to be good to be so without a look at it.
    pub(crate) fn settled(&self) -> Position {
        self.settled
    }

    /// How far the journal is known.
    pub(crate) fn known(&self) -> Position {
        self.cursor.unwrap_or_default()
    }

    /// Redis TIME of the last sync, in ms; 0 before the first.
    pub(crate) fn time_ms(&self) -> u64 {
        self.time_us / 1000
    }

    /// Where a version of a key was recorded, if that is remembered.
    pub(crate) fn position_of(&self, key: &Key, version: Version) -> Option<Position> {
        self.recent_changes.position_of(key, version)
    }

    /// The as-of position of an operation that begins now.
    pub(crate) fn as_of(&self) -> AsOf {
        AsOf {
            position: self.cursor.unwrap_or(Position::ZERO),
            generation: self.generation,
            fills: self.fills,
            started_us: self.time_us,
            sent_ms: self.sent_ms,
        }
    }

    /// The open invalidations by the journal.
    pub(crate) fn open(&self) -> &OpenInvalidations {
        &self.open
    }

    /// Open invalidations that are older than any operation lives: whoever began them is gone, or left a job.
    pub(crate) fn abandoned(&self) -> Vec<Arc<Invalidation>> {
        let life_ms = u64::try_from(OPERATION_LIFE.as_millis()).expect("a constant of seconds");
        self.open.before((self.time_us / 1000).saturating_sub(life_ms))
    }

    /// Where the record of the open invalidation of that version stands.
    pub(crate) fn open_at(&self, version: Version) -> Option<Position> {
        self.open.position_of(version)
    }

    /// Where the epoch began: another one, and Redis may have lost what it had.
    pub(crate) fn epoch(&self) -> Position {
        self.epoch
    }

    /// Whether an open invalidation is of a release that this one does not understand: it may mean anything.
    pub(crate) fn has_unreadable_invalidation(&self) -> bool {
        self.open.any_unreadable() || self.noted.any_unreadable()
    }

    /// The greatest version known. What begins now must exceed it, whatever the clocks say: an invalidation
    /// neither removes nor hides what is newer than itself.
    pub(crate) fn newest(&self) -> Version {
        self.newest
    }

    /// A time in microseconds that the clock of Redis has reached at `now`; 0 where it was never asked. It may be long ago:
    /// `now` comes from a clock that stands still while the container is frozen.
    pub(crate) fn reached_us(&self, now: Instant) -> u64 {
        let since = self.received.map_or(Duration::ZERO, |received| now.saturating_duration_since(received));
        self.time_us.saturating_add(u64::try_from(since.as_micros()).unwrap_or_default())
    }

    /// Whether an invalidation covers a copy in own L1 that was known to be good at `known`.
    pub(crate) fn has_invalidated(&self, key: &Key, tags: &[Arc<str>], known: Position) -> bool {
        self.is_invalidated(Level::L1, key, tags, known)
    }

    /// Whether an invalidation is known that was recorded after a position and means what a level has of the key.
    pub(crate) fn is_invalidated(&self, level: Level, key: &Key, tags: &[Arc<str>], as_of: Position) -> bool {
        self.recent_changes.invalidates(level, key, tags, as_of) || self.open.sweep(level, key, tags, as_of)
    }

    /// Whether a known put or delete covers the copy.
    fn covers(&self, key: &Key, version: Version, as_of: Position) -> bool {
        self.recent_changes.covers(key, version, as_of)
    }

    /// Whether a row of L3 counts as removed already, whose value is kept in `level`: an invalidation that means it has
    /// not come to it yet.
    pub(crate) fn masks(&self, level: Level, key: &Key, tags: &[Arc<str>], version: Version) -> bool {
        let open_invalidations = [&self.open, &self.noted];
        !planted(Bug::OpenInvalidationIgnored)
            && open_invalidations.into_iter().any(|all| all.mask(level, key, tags, version))
    }

    /// Whether all that the journal says is understood, and nothing is missing.
    pub(crate) fn is_certain(&self) -> bool {
        !self.has_unreadable_invalidation() && !self.is_settling() && self.notes_were_read()
    }

    /// Whether the journal may say too little: a level was switched a moment ago.
    fn is_settling(&self) -> bool {
        self.settling && self.reads_journal
    }

    /// Whether L1 has been emptied, or something was missed, since the as-of position.
    fn restarted_since(&self, as_of: AsOf) -> bool {
        as_of.generation != self.generation
    }

    /// The window of recent changes holds every record after this position.
    fn known_after(&self) -> Position {
        self.low_watermark.max(self.swept)
    }

    /// Whether every operation has ended that was recorded before a position, and what it left in L2 with it.
    fn is_over(&self, at: Position) -> bool {
        at.ms + self.history_ms() <= self.time_us / 1000
    }

    fn history_ms(&self) -> u64 {
        u64::try_from(HISTORY.as_millis()).expect("a constant of seconds")
    }
}
