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
    fills: u64,
    number: u64,
}

/// How a reply follows on what is known.
enum Place {
    /// It tells what came after what is known, or that this cannot be told.
    Next,
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
        let Coherence { cursor, generation, fills, .. } = *self;
        Sent { cursor, at_ms, generation, fills, number: self.order.sent }
    }

    /// Takes in the reply to a sync, whatever came in between, and lets L1 `heed` it. Returns the stamp of what was read
    /// beside it: no fill goes in by that which was read before L1 was emptied by another. The news are missing where what
    /// was known is newer.
    ///
    /// # Errors
    /// When what the reply follows on was forgotten meanwhile: nothing is learnt by it.
    pub(crate) fn learn(
        &mut self,
        reply: SyncReply,
        sent: &Sent,
        heed: impl FnOnce(&News),
    ) -> Result<(Stamp, Option<News>), Down> {
        let news = match self.place(&reply, sent) {
            Place::Apart => return Err(Down::Odd("records after what is not known any more")),
            Place::Late => {
                self.sent_ms = self.sent_ms.max(sent.at_ms);
                None
            }
            Place::Next => {
                let sent_ms = self.sent_ms.max(sent.at_ms);
                let news = self.apply(reply, sent_ms);
                // The cursor moves last: should L1 not come to the end of the news, nothing is known of the journal.
                let cursor = self.cursor;
                if !planted(Bug::PanicPassedOver) {
                    (self.cursor, self.sent_ms) = (None, i64::MIN);
                }
                heed(&news);
                (self.cursor, self.sent_ms) = (cursor, sent_ms);
                Some(news)
            }
        };
        self.order.learnt = self.order.learnt.max(sent.number);
        let began_anew = news.as_ref().is_some_and(|news| news.clear || news.gap);
        let generation = if began_anew { self.generation } else { sent.generation };
        Ok((Stamp { generation, fills: sent.fills, ..self.stamp() }, news))
    }

    fn place(&self, reply: &SyncReply, sent: &Sent) -> Place {
        let sent_before = sent.number < self.order.learnt;
        if sent.cursor == self.cursor {
            let says_nothing = reply.gap.is_none() && reply.records.is_empty();
            return if sent_before && says_nothing && reply.time_us < self.time_us { Place::Late } else { Place::Next };
        }
        let Some(cursor) = self.cursor else { return Place::Apart };
        if reply.epoch < self.epoch || sent.cursor.is_some_and(|from| from > cursor) {
            return Place::Apart;
        }
        let last = reply.records.last().map(|record| record.at);
        let end = reply.gap.or(last).or(sent.cursor).unwrap_or(reply.epoch);
        let is_newer = end > cursor || (end == cursor && (reply.time_us >= self.time_us || !sent_before));
        if reply.epoch == self.epoch && !is_newer { Place::Late } else { Place::Next }
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
        let allowed = stamp.fills == self.fills;
        self.bar_fills();
        if allowed { Stamp { fills: self.fills, ..stamp } } else { stamp }
    }

    /// What was read before now goes into L1 no more.
    pub(crate) fn bar_fills(&mut self) {
        self.fills += 1;
    }

    /// Forgets everything: an operation panicked, and what it was at may be half done. No fill that began before goes in.
    pub(crate) fn forget(&mut self) {
        let (generation, fills) = (self.generation + 1, self.fills + 1);
        let order = Order { learnt: 0, doubted: 0, ..self.order };
        let reads_journal = self.reads_journal;
        *self = Coherence { generation, fills, order, reads_journal, ..Coherence::new(self.register) };
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

    fn reply(ms: u64, records: &[u64]) -> SyncReply {
        let records = records.iter().map(|ms| put(*ms)).collect();
        SyncReply { epoch: at(0), records, ..SyncReply::at((T0 + ms) * 1000) }
    }

    /// The reply to a sync that does not follow on what was known, in a journal that ends at `end`.
    fn gap(ms: u64, end: u64) -> SyncReply {
        SyncReply { gap: Some(at(end)), ..reply(ms, &[]) }
    }

    /// What is known when the journal was read up to its first record, by sync number 1.
    fn synced() -> Coherence {
        let mut knowledge = Coherence::new(Register::L3);
        let first = knowledge.send(10);
        learn(&mut knowledge, gap(10, 5), &first);
        knowledge
    }

    #[track_caller]
    fn learn(knowledge: &mut Coherence, reply: SyncReply, sent: &Sent) -> (Stamp, Option<News>) {
        knowledge.learn(reply, sent, |_| {}).expect("it follows on what is known")
    }

    #[test]
    fn a_late_reply_takes_nothing_back() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[15, 25]), &second);
        let before = format!("{knowledge:?}");
        let (_, news) = learn(&mut knowledge, reply(20, &[15]), &first);
        assert_eq!((news, format!("{knowledge:?}")), (None, before.clone()));
        let stamp = learn(&mut knowledge, gap(20, 15), &first).0;
        assert_eq!(format!("{knowledge:?}"), before, "nor one that begins anew");
        assert_eq!((stamp.position, stamp.sent_ms, stamp.started_us), (at(25), 30, (T0 + 40) * 1000));
    }

    #[test]
    fn of_two_without_news_the_later_tells_the_time() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[]), &second);
        learn(&mut knowledge, reply(20, &[]), &first);
        assert_eq!(knowledge.stamp().started_us, (T0 + 40) * 1000);
        let third = knowledge.send(50);
        learn(&mut knowledge, reply(35, &[]), &third);
        assert_eq!(knowledge.stamp().started_us, (T0 + 35) * 1000, "the clock of Redis was put back");
    }

    #[test]
    fn what_was_sent_first_and_answered_last_is_taken_in() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[15]), &second);
        let (_, news) = learn(&mut knowledge, reply(50, &[15, 45]), &first);
        assert_eq!(news.expect("some are new").changes, [(key(), Version(45), at(45))]);
        assert_eq!(knowledge.stamp().sent_ms, 30, "as fresh as the latest");
    }

    #[test]
    fn several_beginnings_empty_l1_once() {
        let mut knowledge = Coherence::new(Register::L3);
        let (first, second) = (knowledge.send(10), knowledge.send(20));
        let is_cleared = |news: Option<News>| news.is_some_and(|news| news.clear);
        assert!(is_cleared(learn(&mut knowledge, gap(10, 6), &first).1));
        let (third, news) = (knowledge.send(30), learn(&mut knowledge, gap(20, 15), &second).1);
        assert!(news.is_some_and(|news| news.gap && !news.clear), "what lies between is not known");
        let generation = knowledge.generation();
        let (stamp, news) = learn(&mut knowledge, gap(12, 10), &third);
        assert_eq!((news, knowledge.generation()), (None, generation), "an earlier end of the journal");
        assert!(knowledge.restarted_since(stamp), "what was read beside it may be older than that");
    }

    #[test]
    fn what_was_asked_for_before_a_panic_says_too_little_after_it() {
        let mut knowledge = synced();
        let (stamp, sent) = (knowledge.stamp(), knowledge.send(20));
        knowledge.forget();
        assert!(knowledge.learn(reply(20, &[15]), &sent, |_| {}).is_err());
        assert!(knowledge.is_due(i64::MIN, 20, 1000) && knowledge.restarted_since(stamp));
        let sent = knowledge.send(30);
        assert_eq!(sent.cursor, None);
        assert!(learn(&mut knowledge, gap(30, 15), &sent).1.is_some_and(|news| news.clear));
    }

    #[test]
    fn the_cursor_moves_when_l1_has_heeded_the_news() {
        let mut knowledge = synced();
        let sent = knowledge.send(20);
        let half_heeded = std::panic::AssertUnwindSafe(|| {
            let _ = knowledge.learn(reply(20, &[15]), &sent, |_| panic!("within L1"));
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
        let may_fill = |knowledge: &Coherence, stamp| knowledge.allows_fill(&key(), &[], stamp, Version(5), at(5));
        assert!(!may_fill(&knowledge, reader) && may_fill(&knowledge, own));
        let late = knowledge.overtake_fills(slower);
        assert!(!may_fill(&knowledge, late), "another one has ended since it began");
        assert!(!knowledge.restarted_since(reader), "nothing that L1 holds is doubted for that");
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
