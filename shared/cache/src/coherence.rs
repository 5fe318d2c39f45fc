//! What a container knows of the journal, and which copies that lets it trust.
//!
//! Pure state: no level is asked here, time is an argument.

mod news;
mod order;

use self::order::Order;
pub(crate) use self::{news::News, order::Sent};
use crate::{
    barriers::Barriers,
    key::Key,
    ledger::Ledger,
    level::Level,
    planted::{Bug, planted},
    record::{Event, Record},
    redis::{HISTORY, SyncReply},
    register::Register,
    selector::Invalidation,
    version::{Position, Version},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// Λ less a margin for the sync that carries the news: outage notes are read at least this often by someone, in ms.
pub(crate) const NOTES_INTERVAL_MS: u64 = 8_000;

/// A container's knowledge.
#[derive(Debug)]
pub(crate) struct Coherence {
    register: Register,
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
    /// The ledger holds every record after this position.
    reach: Position,
    epoch: Position,
    ledger: Ledger,
    /// The greatest version that the journal or the control table has told of.
    newest: Version,
    /// Invalidations that have not removed all they mean yet.
    open: Barriers,
    /// The same by the control table, when Redis could not be asked or had lost them.
    noted: Barriers,
    /// Steady time at which the control table was asked for them.
    noted_ms: i64,
    /// Counts how often L1 was emptied; a fill that began before does not go in.
    generation: u64,
    /// Steady time at which the last sync was sent.
    sent_ms: i64,
    /// Redis TIME of the last sync in microseconds; 0 before the first.
    time_us: u64,
    /// When that was received.
    received: Option<Instant>,
    notes_checked_ms: u64,
    /// The last sync brought notes that could not be put into the journal: it does not do for trusting anything.
    doubted: bool,
    order: Order,
}

/// What an operation carries of the sync it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The cursor: what is read from L3 from now on is certified up to here.
    pub position: Position,
    pub generation: u64,
    /// Redis TIME of that sync in microseconds.
    pub started_us: u64,
    /// Steady time at which that sync was sent, in ms.
    pub sent_ms: i64,
}

/// The certificate of a copy in L2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Certificate {
    pub version: Version,
    pub stamp: Position,
    pub certified_ms: i64,
}

/// What the journal says of a key since a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nothing.
    Unchanged,
    /// It was put or deleted by someone else, or so much happened that this cannot be told.
    Changed,
    /// It was invalidated.
    Invalidated,
}

impl Coherence {
    pub(crate) fn new(register: Register) -> Coherence {
        Coherence {
            register,
            reads_journal: true,
            switched: Position::ZERO,
            settling: false,
            published: None,
            cursor: None,
            reach: Position::ZERO,
            epoch: Position::ZERO,
            ledger: Ledger::default(),
            newest: Version::ZERO,
            open: Barriers::default(),
            noted: Barriers::default(),
            noted_ms: i64::MIN,
            generation: 0,
            sent_ms: i64::MIN,
            doubted: false,
            order: Order::default(),
            time_us: 0,
            received: None,
            notes_checked_ms: 0,
        }
    }

    /// Goes by another configuration from now on.
    pub(crate) fn configure(&mut self, register: Register, reads_journal: bool) {
        self.register = register;
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

    /// Whether what was known at `known_ms`, or at the last sync, is too old for a read at `now_ms`, all in steady time.
    pub(crate) fn is_due(&self, known_ms: i64, now_ms: i64, window_ms: u64) -> bool {
        let sent_ms = if self.doubted { i64::MIN } else { self.sent_ms };
        let age = now_ms.saturating_sub(sent_ms.max(known_ms));
        let kept = !planted(Bug::WindowNotKept) || self.cursor.is_none();
        kept && (window_ms == 0 || age < 0 || age.unsigned_abs() > window_ms)
    }

    /// Whether nobody has read the outage notes lately.
    pub(crate) fn notes_are_due(&self) -> bool {
        // A time to come was given out by a server whose clock was ahead.
        let age_ms = (self.time_us / 1000).checked_sub(self.notes_checked_ms);
        age_ms.is_none_or(|age_ms| age_ms > NOTES_INTERVAL_MS)
    }

    /// Whether the notes that a sync had to heed are not heeded: then every read is due again, as if it had failed.
    pub(crate) fn doubt(&mut self, doubted: bool) {
        self.doubted = doubted;
    }

    /// The stamp of an operation that begins now.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            position: self.cursor.unwrap_or(Position::ZERO),
            generation: self.generation,
            started_us: self.time_us,
            sent_ms: self.sent_ms,
        }
    }

    /// Takes in what a sync that was sent at `sent_ms` of steady time learnt, and that follows on what is known.
    pub(crate) fn apply(&mut self, reply: SyncReply, sent_ms: i64) -> News {
        let mut news = News::default();
        let known = if reply.reset && !planted(Bug::GapNotNoticed) { None } else { self.cursor };
        if known.is_none() {
            self.restart(&reply);
            news.clear = true;
        }
        for record in reply.records.iter().filter(|record| known.is_none_or(|cursor| record.at > cursor)) {
            self.take(record, &mut news);
        }
        if reply.epoch > self.epoch {
            self.begin_epoch(reply.epoch, &mut news);
        }
        self.generation += u64::from(news.clear);
        self.sent_ms = sent_ms;
        self.time_us = reply.time_us;
        self.received = Some(reply.received);
        self.open = reply.open;
        self.newest = self.newest.max(self.open.newest()).max(reply.ahead);
        self.published = reply.published.version;
        self.switched = self.switched.max(reply.published.switched);
        self.settling = reply.published.settling;
        self.notes_checked_ms = reply.notes_checked_ms;
        if self.notes_were_read() {
            self.noted = Barriers::default();
            self.noted_ms = i64::MIN;
        }
        self.prune();
        news
    }

    /// Whether a copy in L2 may be returned without asking L3.
    pub(crate) fn trusts(
        &self,
        key: &Key,
        tags: &[Arc<str>],
        copy: &Certificate,
        now_ms: i64,
        revalidate_ms: i64,
    ) -> bool {
        let asked = !planted(Bug::LedgerNotAsked);
        if self.is_blind() || (asked && self.is_swept(Level::L2, key, tags, copy.stamp)) {
            return false;
        }
        if self.register == Register::L2 {
            return copy.stamp >= self.switched;
        }
        let covered = asked && self.covers(key, copy.version, copy.stamp);
        !self.is_settling()
            && !covered
            && copy.stamp >= self.epoch
            && (copy.stamp >= self.reach || self.sees_all_operations())
            && now_ms - copy.certified_ms <= revalidate_ms
    }

    /// Open invalidations that are older than any operation lives: whoever began them is gone, or left a job.
    pub(crate) fn abandoned(&self) -> Vec<Arc<Invalidation>> {
        let ended_ms = (self.time_us / 1000).saturating_sub(self.history_ms());
        self.open.iter().filter(|invalidation| invalidation.at.ms < ended_ms).cloned().collect()
    }

    /// Where the record of the open invalidation of that version stands.
    pub(crate) fn open_at(&self, version: Version) -> Option<Position> {
        self.open.position_of(version)
    }

    /// Takes in the open invalidations that the control table named when it was asked at `asked_ms` of
    /// steady time.
    pub(crate) fn take_noted(&mut self, noted: Barriers, asked_ms: i64) {
        self.newest = self.newest.max(noted.newest());
        // Another operation may have asked later, and got its answer sooner.
        if asked_ms >= self.noted_ms {
            self.noted = noted;
            self.noted_ms = asked_ms;
        }
    }

    /// The steady time as of which the open invalidations are known well enough for a read that takes a row of L3: from the
    /// journal, when `synced` and nothing of it may be lost, or from the control table within the window. `None` when
    /// they are not.
    pub(crate) fn barriers_known_ms(&self, synced: bool, now_ms: i64, window_ms: u64) -> Option<i64> {
        if synced && self.notes_were_read() {
            return Some(self.sent_ms);
        }
        let age = now_ms.saturating_sub(self.noted_ms);
        (self.noted_ms != i64::MIN && age >= 0 && age.unsigned_abs() < window_ms).then_some(self.noted_ms)
    }

    /// Where the epoch began: another one, and Redis may have lost what it had.
    pub(crate) fn epoch(&self) -> Position {
        self.epoch
    }

    /// Whether somebody has read the notes of the control table since the epoch began.
    pub(crate) fn notes_were_read(&self) -> bool {
        self.notes_checked_ms > 0
    }

    /// Whether an open invalidation is of a release that this one does not understand: it may mean anything.
    pub(crate) fn is_blind(&self) -> bool {
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

    /// Whether a copy in L2 is covered by an invalidation.
    pub(crate) fn is_swept_from_l2(&self, key: &Key, tags: &[Arc<str>], stamp: Position) -> bool {
        self.is_swept(Level::L2, key, tags, stamp)
    }

    fn is_swept(&self, level: Level, key: &Key, tags: &[Arc<str>], stamp: Position) -> bool {
        self.ledger.sweeps(level, key, tags, stamp) || self.open.sweep(level, key, tags, stamp)
    }

    /// Whether a known put or delete covers the copy.
    fn covers(&self, key: &Key, version: Version, stamp: Position) -> bool {
        self.ledger.covers(key, version, stamp)
    }

    /// Whether a copy certified at `certified` may go into L1, by an operation that began at `stamp`.
    pub(crate) fn allows_fill(
        &self,
        key: &Key,
        tags: &[Arc<str>],
        stamp: Stamp,
        version: Version,
        certified: Position,
    ) -> bool {
        let covered = self.covers(key, version, certified) || self.is_swept(Level::L1, key, tags, certified);
        !self.restarted_since(stamp)
            && (self.register == Register::L2 || (certified >= self.epoch && !self.is_settling()))
            && (!covered || planted(Bug::FilledThoughCovered))
    }

    /// What has happened to a key, by others, since an operation began that wrote `version` of it.
    pub(crate) fn since(&self, key: &Key, tags: &[Arc<str>], stamp: Stamp, version: Version) -> Since {
        if Level::ALL.into_iter().any(|level| self.is_swept(level, key, tags, stamp.position)) {
            Since::Invalidated
        } else if self.restarted_since(stamp) || self.covers(key, version, stamp.position) {
            Since::Changed
        } else {
            Since::Unchanged
        }
    }

    /// Whether a row of L3 counts as removed already, whose value is kept in `level`: an invalidation that means it has
    /// not come to it yet.
    pub(crate) fn hides(&self, level: Level, key: &Key, tags: &[Arc<str>], version: Version) -> bool {
        let barriers = [&self.open, &self.noted];
        !planted(Bug::BarrierNotHeeded) && barriers.into_iter().any(|all| all.hide(level, key, tags, version))
    }

    /// Whether the journal may say too little: a level was switched a moment ago.
    fn is_settling(&self) -> bool {
        self.settling && self.reads_journal
    }

    /// Whether L1 has been emptied since the stamp.
    fn restarted_since(&self, stamp: Stamp) -> bool {
        stamp.generation != self.generation
    }

    fn restart(&mut self, reply: &SyncReply) {
        self.ledger = Ledger::default();
        self.reach = reply.records.first().map_or(reply.epoch, |oldest| oldest.at);
        self.cursor = Some(reply.records.last().map_or(reply.epoch, |newest| newest.at));
    }

    fn take(&mut self, record: &Record, news: &mut News) {
        match &record.event {
            Event::Changed { key, version } => {
                self.newest = self.newest.max(*version);
                self.ledger.add(record);
                news.changes.push((key.clone(), *version, record.at));
            }
            Event::Invalidated(invalidation) => {
                self.newest = self.newest.max(invalidation.version);
                self.ledger.add(record);
                news.invalidations.push(Arc::clone(invalidation));
            }
            Event::Warmed(entries) => news.warmed.extend_from_slice(entries),
            Event::Closed | Event::Configured => {}
            Event::Epoch | Event::Unknown => self.begin_epoch(record.at, news),
        }
        self.cursor = self.cursor.max(Some(record.at));
    }

    fn begin_epoch(&mut self, at: Position, news: &mut News) {
        if at > self.epoch {
            self.epoch = at;
            news.clear = true;
        }
    }

    /// Every operation that is not in the ledger has ended: the ledger reaches back 2T.
    fn sees_all_operations(&self) -> bool {
        self.reach.ms + self.history_ms() <= self.time_us / 1000
    }

    fn prune(&mut self) {
        if let Some(pruned) = self.ledger.prune((self.time_us / 1000).saturating_sub(self.history_ms())) {
            self.reach = self.reach.max(pruned);
        }
    }

    fn history_ms(&self) -> u64 {
        u64::try_from(HISTORY.as_millis()).expect("a constant of seconds")
    }
}
