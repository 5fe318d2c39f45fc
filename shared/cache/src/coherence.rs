//! What a container knows of the journal, and which copies that lets it trust.
//!
//! Pure state: no level is asked here, time is an argument.

use crate::{
    key::Key,
    ledger::{Ledger, covers},
    record::{Event, Record},
    redis::{HISTORY, SyncReply},
    register::Register,
    version::{Position, Version},
};

/// Λ less a margin for the sync that carries the news: outage notes are read at least this often by someone, in ms.
pub(crate) const NOTES_INTERVAL_MS: u64 = 8_000;

/// A container's knowledge.
#[derive(Debug)]
pub(crate) struct Coherence {
    register: Register,
    /// Position of the newest record read; `None` before the first sync.
    cursor: Option<Position>,
    /// The ledger holds every record after this position.
    reach: Position,
    epoch: Position,
    ledger: Ledger,
    /// Counts how often L1 was emptied; a fill that began before does not go in.
    generation: u64,
    /// Clock time at which the last sync was sent.
    sent_ms: i64,
    /// Redis TIME of the last sync in microseconds; 0 before the first.
    time_us: u64,
    notes_checked_ms: u64,
}

/// What an operation carries of the sync it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The cursor: what is read from L3 from now on is certified up to here.
    pub position: Position,
    pub generation: u64,
    /// Redis TIME in microseconds, the age of the operation.
    pub started_us: u64,
}

/// The certificate of a copy in L2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Certificate {
    pub version: Version,
    pub stamp: Position,
    pub certified_ms: i64,
}

/// What L1 must do after a sync.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Drop everything.
    pub clear: bool,
    /// Drop the copies these changes cover.
    pub changes: Vec<(Key, Version, Position)>,
}

impl Coherence {
    pub(crate) fn new(register: Register) -> Coherence {
        Coherence {
            register,
            cursor: None,
            reach: Position::ZERO,
            epoch: Position::ZERO,
            ledger: Ledger::default(),
            generation: 0,
            sent_ms: i64::MIN,
            time_us: 0,
            notes_checked_ms: 0,
        }
    }

    pub(crate) fn register(&self) -> Register {
        self.register
    }

    pub(crate) fn cursor(&self) -> Option<Position> {
        self.cursor
    }

    /// Redis TIME of the last sync in microseconds; 0 before the first.
    pub(crate) fn time_us(&self) -> u64 {
        self.time_us
    }

    /// Whether what was known at `known_ms`, or at the last sync, is too old for a read at `now_ms`.
    ///
    /// A clock that went back makes it too old as well.
    pub(crate) fn is_due(&self, known_ms: i64, now_ms: i64, window_ms: u64) -> bool {
        let age = now_ms.saturating_sub(self.sent_ms.max(known_ms));
        window_ms == 0 || age < 0 || age.unsigned_abs() > window_ms
    }

    /// Whether nobody has read the outage notes lately.
    pub(crate) fn notes_are_due(&self) -> bool {
        self.notes_checked_ms + NOTES_INTERVAL_MS < self.time_us / 1000
    }

    /// The stamp of an operation that begins now.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            position: self.cursor.unwrap_or(Position::ZERO),
            generation: self.generation,
            started_us: self.time_us,
        }
    }

    /// Takes in what a sync that was sent at `sent_ms` learnt.
    pub(crate) fn apply(&mut self, reply: SyncReply, sent_ms: i64) -> News {
        let mut news = News::default();
        let known = if reply.reset { None } else { self.cursor };
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
        self.sent_ms = if sent_ms < self.sent_ms && !news.clear { self.sent_ms } else { sent_ms };
        self.time_us = reply.time_us;
        self.notes_checked_ms = reply.notes_checked_ms;
        self.prune();
        news
    }

    /// Whether a copy in L2 may be returned without asking L3.
    pub(crate) fn trusts(&self, key: &Key, copy: &Certificate, now_ms: i64, revalidate_ms: i64) -> bool {
        if self.register == Register::L2 {
            return true;
        }
        !self.covers(key, copy.version, copy.stamp)
            && copy.stamp >= self.epoch
            && (copy.stamp >= self.reach || self.sees_all_operations())
            && now_ms - copy.certified_ms <= revalidate_ms
    }

    /// Whether a known record covers the copy.
    pub(crate) fn covers(&self, key: &Key, version: Version, stamp: Position) -> bool {
        self.ledger.covers(self.register, key, version, stamp)
    }

    /// Whether a copy certified at `certified` may go into L1, by an operation that began at `stamp`.
    pub(crate) fn allows_fill(&self, key: &Key, stamp: Stamp, version: Version, certified: Position) -> bool {
        !self.restarted_since(stamp) && !self.covers(key, version, certified) && certified >= self.epoch
    }

    /// Whether L1 has been emptied since the stamp.
    pub(crate) fn restarted_since(&self, stamp: Stamp) -> bool {
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
                self.ledger.add(record);
                news.changes.push((key.clone(), *version, record.at));
            }
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

impl News {
    /// Whether a change in the news covers an L1 copy of `key`.
    pub(crate) fn covers(
        register: Register,
        (_, changed, at): &(Key, Version, Position),
        copy: Version,
        stamp: Position,
    ) -> bool {
        covers(register, (*at, *changed), copy, stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 1_700_000_000_000;

    fn at(ms: u64) -> Position {
        Position { ms: T0 + ms, seq: 0 }
    }

    fn key(text: &str) -> Key {
        Key::new(text).expect("a test's key is valid")
    }

    fn put(ms: u64, name: &str, version: u64) -> Record {
        Record { at: at(ms), event: Event::Changed { key: key(name), version: Version(version) } }
    }

    fn reply(ms: u64, reset: bool, records: Vec<Record>) -> SyncReply {
        SyncReply { time_us: (T0 + ms) * 1000, epoch: at(0), notes_checked_ms: 0, reset, records }
    }

    fn copy(version: u64, stamp: u64) -> Certificate {
        Certificate { version: Version(version), stamp: at(stamp), certified_ms: 0 }
    }

    /// A container that has read the journal from its epoch on.
    fn synced() -> Coherence {
        let mut knowledge = Coherence::new(Register::L3);
        let epoch = Record { at: at(0), event: Event::Epoch };
        assert!(knowledge.apply(reply(10, true, vec![epoch]), 10).clear);
        knowledge
    }

    #[test]
    fn the_window_ends_with_the_last_sync() {
        let knowledge = synced();
        assert!(!knowledge.is_due(i64::MIN, 1010, 1000));
        assert!(knowledge.is_due(i64::MIN, 1011, 1000));
        assert!(!knowledge.is_due(500, 1500, 1000), "the register itself was asked at 500");
        assert!(knowledge.is_due(i64::MIN, 10, 0), "a window of nothing is always over");
        assert!(knowledge.is_due(i64::MIN, 9, 1000), "a clock that went back");
        assert!(Coherence::new(Register::L3).is_due(i64::MIN, 10, 86_400_000), "never synced");
    }

    #[test]
    fn a_record_takes_trust_from_older_copies_only() {
        let mut knowledge = synced();
        let k = key("k");
        assert!(knowledge.trusts(&k, &copy(1, 0), 0, 1000));
        let news = knowledge.apply(reply(20, false, vec![put(15, "k", 2)]), 20);
        assert_eq!(news, News { clear: false, changes: vec![(k.clone(), Version(2), at(15))] });
        assert!(!knowledge.trusts(&k, &copy(1, 0), 0, 1000));
        assert!(knowledge.trusts(&k, &copy(1, 15), 0, 1000), "certified after the record");
        assert!(knowledge.trusts(&k, &copy(2, 0), 0, 1000), "the record's own put");
        assert!(knowledge.trusts(&key("other"), &copy(1, 0), 0, 1000));
        assert!(!knowledge.trusts(&key("other"), &copy(1, 0), 1001, 1000), "older than V");
    }

    #[test]
    fn a_gap_empties_l1_and_distrusts_what_it_may_hide() {
        let mut knowledge = synced();
        let before = knowledge.stamp();
        assert!(knowledge.apply(reply(30_000, true, vec![put(20_000, "x", 9)]), 30_000).clear);
        assert!(knowledge.restarted_since(before));
        assert!(!knowledge.allows_fill(&key("k"), before, Version(1), at(20_000)));
        assert!(!knowledge.trusts(&key("k"), &copy(1, 10_000), 0, 1000), "from before what was read");
        assert!(knowledge.trusts(&key("k"), &copy(1, 20_000), 0, 1000));
    }

    #[test]
    fn history_of_2t_is_enough_for_older_copies() {
        let mut knowledge = synced();
        knowledge.apply(reply(100_000, true, vec![put(20_000, "x", 9), put(90_000, "y", 9)]), 0);
        assert!(knowledge.trusts(&key("k"), &copy(1, 10_000), 0, 1000), "every operation of before has ended");
    }

    #[test]
    fn an_epoch_distrusts_everything_before_it() {
        let mut knowledge = synced();
        let epoch = Record { at: at(50), event: Event::Epoch };
        assert!(knowledge.apply(reply(60, false, vec![epoch]), 60).clear);
        assert!(!knowledge.trusts(&key("k"), &copy(1, 49), 0, 1000));
        assert!(knowledge.trusts(&key("k"), &copy(1, 50), 0, 1000));
        let unknown = Record { at: at(70), event: Event::Unknown };
        assert!(knowledge.apply(reply(80, false, vec![unknown]), 80).clear);
        assert!(!knowledge.trusts(&key("k"), &copy(1, 69), 0, 1000), "a record of a later release");
    }

    #[test]
    fn a_reply_that_was_overtaken_is_taken_once() {
        let mut knowledge = synced();
        knowledge.apply(reply(20, false, vec![put(15, "k", 2)]), 20);
        let late = knowledge.apply(reply(18, false, vec![put(15, "k", 2)]), 18);
        assert!(late.changes.is_empty());
        assert_eq!(knowledge.cursor(), Some(at(15)));
    }

    #[test]
    fn pruning_keeps_2t() {
        let mut knowledge = synced();
        knowledge.apply(reply(1000, false, vec![put(1000, "k", 2)]), 0);
        knowledge.apply(reply(71_000, false, vec![]), 0);
        assert!(knowledge.covers(&key("k"), Version(1), at(10)));
        knowledge.apply(reply(71_001, false, vec![]), 0);
        assert!(!knowledge.covers(&key("k"), Version(1), at(10)));
        assert_eq!(knowledge.reach, at(1000));
    }

    #[test]
    fn notes_are_read_by_someone_within_lambda() {
        let mut knowledge = synced();
        assert!(knowledge.notes_are_due());
        let checked = SyncReply { notes_checked_ms: T0 + 10, ..reply(8_010, false, vec![]) };
        knowledge.apply(checked.clone(), 0);
        assert!(!knowledge.notes_are_due());
        knowledge.apply(SyncReply { time_us: checked.time_us + 1000, ..checked }, 0);
        assert!(knowledge.notes_are_due());
    }
}
