//! Replies to syncs that come in another order than Redis gave them: several operations of one process sync at once.
//!
//! A reply that Redis gave before one that is known already says nothing new, and what it says of the open invalidations
//! and of the time is out of date. One that does not join what is known, because that was forgotten meanwhile, says too
//! little. What it joins without a gap is taken in as if it had been asked for from there.

use super::{Coherence, News, Stamp};
use crate::{
    planted::{Bug, planted},
    redis::{Down, SyncReply},
    version::Position,
};

/// Syncs in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The number of the newest.
    sent: u64,
    /// The newest whose reply was taken in.
    learnt: u64,
    /// The newest of those that brought notes which are not heeded.
    doubted: u64,
}

/// A sync on its way: what was known when it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// The records after this are asked for.
    pub cursor: Option<Position>,
    /// When it was sent, in steady ms.
    pub at_ms: i64,
    generation: u64,
    number: u64,
}

/// How a reply follows on what is known.
enum Place {
    /// It tells what came next, or that this cannot be told.
    Next,
    /// It begins before what is known ends, and goes on after it.
    Joins,
    /// What is known is newer.
    Late,
    /// There is a gap between them.
    Apart,
}

impl Coherence {
    /// Position of the newest record read; `None` before the first sync.
    #[cfg(test)]
    pub(crate) fn cursor(&self) -> Option<Position> {
        self.cursor
    }

    /// A sync that is sent now, at steady time `at_ms`.
    pub(crate) fn send(&mut self, at_ms: i64) -> Sent {
        self.order.sent += 1;
        Sent { cursor: self.cursor, at_ms, generation: self.generation, number: self.order.sent }
    }

    /// Takes in the reply to a sync, whatever came in between, and lets L1 `heed` it. Returns the stamp of what was read
    /// beside it: no fill goes in by that which was read before L1 was emptied by another.
    ///
    /// # Errors
    /// When what the reply follows on was forgotten meanwhile: nothing is learnt by it.
    pub(crate) fn learn(
        &mut self,
        mut reply: SyncReply,
        sent: &Sent,
        heed: impl FnOnce(&News),
    ) -> Result<(Stamp, News), Down> {
        let news = match self.place(&reply, sent) {
            Place::Apart => return Err(Down::Odd("records after what is not known any more")),
            Place::Late => {
                self.sent_ms = self.sent_ms.max(sent.at_ms);
                News::default()
            }
            place => {
                reply.reset &= !matches!(place, Place::Joins);
                let sent_ms = self.sent_ms.max(sent.at_ms);
                let news = self.apply(reply, sent_ms);
                // The cursor moves last: should L1 not come to the end of the news, nothing is known of the journal.
                let cursor = self.cursor;
                if !planted(Bug::PanicPassedOver) {
                    (self.cursor, self.sent_ms) = (None, i64::MIN);
                }
                heed(&news);
                (self.cursor, self.sent_ms) = (cursor, sent_ms);
                news
            }
        };
        self.order.learnt = self.order.learnt.max(sent.number);
        let generation = if news.clear { self.generation } else { sent.generation };
        Ok((Stamp { generation, ..self.stamp() }, news))
    }

    fn place(&self, reply: &SyncReply, sent: &Sent) -> Place {
        let sent_before = sent.number < self.order.learnt;
        if sent.cursor == self.cursor {
            let late = sent_before && !reply.reset && reply.records.is_empty() && reply.time_us < self.time_us;
            return if late { Place::Late } else { Place::Next };
        }
        let Some(cursor) = self.cursor else { return if reply.reset { Place::Next } else { Place::Apart } };
        if reply.epoch < self.epoch || (!reply.reset && sent.cursor.is_none_or(|from| from > cursor)) {
            return Place::Apart;
        }
        let end = reply.records.last().map(|record| record.at);
        let end = end.or(sent.cursor.filter(|_| !reply.reset)).unwrap_or(reply.epoch);
        let is_newer = end > cursor || (end == cursor && (reply.time_us >= self.time_us || !sent_before));
        let joins = reply.records.first().is_none_or(|oldest| oldest.at <= cursor);
        let same_epoch = reply.epoch == self.epoch;
        if same_epoch && !is_newer {
            Place::Late
        } else if reply.reset && !(same_epoch && joins) {
            Place::Next
        } else {
            Place::Joins
        }
    }

    /// The sync brings notes that must be heeded before anything is trusted by it.
    pub(crate) fn must_heed(&mut self, sent: &Sent) {
        self.order.doubted = self.order.doubted.max(sent.number);
        self.doubt(true);
    }

    /// Whether the notes were heeded that the sync had to heed.
    pub(crate) fn heeded(&mut self, sent: &Sent, heeded: bool) {
        if !heeded {
            self.must_heed(sent);
        } else if self.order.doubted <= sent.number {
            self.doubt(false);
        }
    }

    /// A mutation has ended that the journal does not tell of: what others have read before goes into L1 no more. Returns
    /// the stamp by which its own value may.
    pub(crate) fn overtake_fills(&mut self, stamp: Stamp) -> Stamp {
        let allowed = !self.restarted_since(stamp);
        self.begin_anew();
        if allowed { Stamp { generation: self.generation, ..stamp } } else { stamp }
    }

    /// Forgets everything: an operation panicked, and what it was at may be half done. No fill that began before goes in.
    pub(crate) fn forget(&mut self) {
        let generation = self.generation + 1;
        let order = Order { learnt: 0, doubted: 0, ..self.order };
        *self = Coherence { generation, order, reads_journal: self.reads_journal, ..Coherence::new(self.register) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::Key,
        record::{Event, Record},
        register::Register,
        version::Version,
    };

    const T0: u64 = 1_700_000_000_000;

    fn at(ms: u64) -> Position {
        Position { ms: T0 + ms, seq: 0 }
    }

    fn key() -> Key {
        Key::new("k").expect("a test's key is valid")
    }

    fn put(ms: u64) -> Record {
        Record { at: at(ms), event: Event::Changed { key: key(), version: Version(ms) } }
    }

    fn reply(ms: u64, reset: bool, records: &[u64]) -> SyncReply {
        let records = records.iter().map(|ms| put(*ms)).collect();
        SyncReply { epoch: at(0), reset, records, ..SyncReply::at((T0 + ms) * 1000) }
    }

    /// What is known when the journal was read up to its first record, by sync number 1.
    fn synced() -> Coherence {
        let mut knowledge = Coherence::new(Register::L3);
        let first = knowledge.send(10);
        learn(&mut knowledge, reply(10, true, &[5]), &first);
        knowledge
    }

    #[track_caller]
    fn learn(knowledge: &mut Coherence, reply: SyncReply, sent: &Sent) -> (Stamp, News) {
        knowledge.learn(reply, sent, |_| {}).expect("it follows on what is known")
    }

    #[test]
    fn a_late_reply_takes_nothing_back() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, false, &[15, 25]), &second);
        let before = format!("{knowledge:?}");
        let (_, news) = learn(&mut knowledge, reply(20, false, &[15]), &first);
        assert_eq!((news, format!("{knowledge:?}")), (News::default(), before.clone()));
        let stamp = learn(&mut knowledge, reply(20, true, &[5, 15]), &first).0;
        assert_eq!(format!("{knowledge:?}"), before, "nor one that begins anew");
        assert_eq!((stamp.position, stamp.sent_ms, stamp.started_us), (at(25), 30, (T0 + 40) * 1000));
    }

    #[test]
    fn of_two_without_news_the_later_tells_the_time() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, false, &[]), &second);
        learn(&mut knowledge, reply(20, false, &[]), &first);
        assert_eq!(knowledge.stamp().started_us, (T0 + 40) * 1000);
        let third = knowledge.send(50);
        learn(&mut knowledge, reply(35, false, &[]), &third);
        assert_eq!(knowledge.stamp().started_us, (T0 + 35) * 1000, "the clock of Redis was put back");
    }

    #[test]
    fn what_was_sent_first_and_answered_last_is_taken_in() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, false, &[15]), &second);
        let (_, news) = learn(&mut knowledge, reply(50, false, &[15, 45]), &first);
        assert_eq!(news.changes, [(key(), Version(45), at(45))]);
        assert_eq!(knowledge.stamp().sent_ms, 30, "as fresh as the latest");
    }

    #[test]
    fn several_beginnings_empty_l1_once() {
        let mut knowledge = Coherence::new(Register::L3);
        let (first, second) = (knowledge.send(10), knowledge.send(20));
        assert!(learn(&mut knowledge, reply(10, true, &[5, 6]), &first).1.clear);
        let (stamp, news) = learn(&mut knowledge, reply(20, true, &[5, 6, 15]), &second);
        assert_eq!((news.clear, news.changes.len()), (false, 1), "it joins what is known");
        assert!(knowledge.restarted_since(stamp), "what was read beside it may be older than that");
        let (third, fourth) = (knowledge.send(30), knowledge.send(40));
        learn(&mut knowledge, reply(30, false, &[25]), &third);
        assert!(learn(&mut knowledge, reply(40, true, &[35, 36]), &fourth).1.clear, "there is a gap");
    }

    #[test]
    fn what_was_asked_for_before_a_panic_says_too_little_after_it() {
        let mut knowledge = synced();
        let (stamp, sent) = (knowledge.stamp(), knowledge.send(20));
        knowledge.forget();
        assert!(knowledge.learn(reply(20, false, &[15]), &sent, |_| {}).is_err());
        assert!(knowledge.is_due(i64::MIN, 20, 1000) && knowledge.restarted_since(stamp));
        let sent = knowledge.send(30);
        assert_eq!(sent.cursor, None);
        assert!(learn(&mut knowledge, reply(30, true, &[5, 15]), &sent).1.clear);
    }

    #[test]
    fn the_cursor_moves_when_l1_has_heeded_the_news() {
        let mut knowledge = synced();
        let sent = knowledge.send(20);
        let half_heeded = std::panic::AssertUnwindSafe(|| {
            let _ = knowledge.learn(reply(20, false, &[15]), &sent, |_| panic!("within L1"));
        });
        assert!(std::panic::catch_unwind(half_heeded).is_err());
        assert_eq!(knowledge.cursor(), None);
        assert!(knowledge.is_due(i64::MIN, 20, 1000));
    }

    #[test]
    fn a_mutation_that_nobody_is_told_of_overtakes_fills_but_its_own() {
        let mut knowledge = synced();
        let (reader, writer, slower) = (knowledge.stamp(), knowledge.stamp(), knowledge.stamp());
        let own = knowledge.overtake_fills(writer);
        assert!(knowledge.restarted_since(reader) && !knowledge.restarted_since(own));
        let late = knowledge.overtake_fills(slower);
        assert!(knowledge.restarted_since(late), "another one has ended since it began");
    }

    #[test]
    fn notes_that_one_sync_has_to_heed_are_not_heeded_by_one_before() {
        let mut knowledge = synced();
        let (before, brought) = (knowledge.send(20), knowledge.send(30));
        knowledge.must_heed(&brought);
        let is_due = |knowledge: &Coherence| knowledge.is_due(i64::MIN, 11, 1000);
        knowledge.heeded(&before, true);
        assert!(is_due(&knowledge));
        knowledge.heeded(&brought, false);
        assert!(is_due(&knowledge));
        let after = knowledge.send(40);
        knowledge.heeded(&after, true);
        assert!(!is_due(&knowledge));
    }
}
