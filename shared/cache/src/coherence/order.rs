//! Replies to syncs that come in another order than Redis gave them: several operations of one process sync at once.
//!
//! A reply that Redis gave before one that is known already says nothing new, and what it says of the open invalidations
//! and of the time is out of date. One that does not join what is known, because that was forgotten meanwhile, says too
//! little. What it joins without a gap is taken in as if it had been asked for from there.

use super::{AsOf, Coherence, SyncDelta, SyncReply};
use crate::{
    planted::{Bug, planted},
    version::Position,
};

/// Syncs in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The number of the newest.
    sent: u64,
    /// The newest whose reply was taken in.
    learnt: u64,
    /// The newest of those that brought notes which are not applied.
    untrusted: u64,
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

/// What a reply follows on is not known any more.
#[derive(Debug)]
pub(crate) struct Apart;

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

    /// Takes in the reply to a sync, whatever came in between, and lets L1 `apply_delta` it. Returns the as-of position
    /// of what was read beside it: no fill goes in by that which was read before L1 was emptied by another. There is no
    /// delta where what was known is newer.
    ///
    /// # Errors
    /// When what the reply follows on was forgotten meanwhile: nothing is learnt by it.
    pub(crate) fn learn(
        &mut self,
        reply: SyncReply,
        sent: &Sent,
        apply_delta: impl FnOnce(&SyncDelta),
    ) -> Result<(AsOf, Option<SyncDelta>), Apart> {
        let delta = match self.place(&reply, sent) {
            Place::Apart => return Err(Apart),
            Place::Late => {
                self.sent_ms = self.sent_ms.max(sent.at_ms);
                None
            }
            Place::Next => {
                let sent_ms = self.sent_ms.max(sent.at_ms);
                let delta = self.apply(reply, sent_ms);
                // The cursor moves last: should L1 not come to the end of the delta, nothing is known of the journal.
                let cursor = self.cursor;
                if !planted(Bug::PanicIgnored) {
                    (self.cursor, self.sent_ms) = (None, i64::MIN);
                }
                apply_delta(&delta);
                (self.cursor, self.sent_ms) = (cursor, sent_ms);
                Some(delta)
            }
        };
        self.order.learnt = self.order.learnt.max(sent.number);
        let began_anew = delta.as_ref().is_some_and(|delta| delta.clear || delta.gap);
        let generation = if began_anew { self.generation } else { sent.generation };
        Ok((AsOf { generation, fills: sent.fills, ..self.as_of() }, delta))
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

    /// The sync brings notes that must be applied before anything is trusted by it.
    pub(crate) fn must_apply_outbox(&mut self, sent: &Sent) {
        self.order.untrusted = self.order.untrusted.max(sent.number);
        self.mark_untrusted(true);
    }

    /// Whether the notes were applied that the sync had to apply.
    pub(crate) fn outbox_applied(&mut self, sent: &Sent, outbox_applied: bool) {
        if !outbox_applied {
            self.must_apply_outbox(sent);
        } else if self.order.untrusted <= sent.number {
            self.mark_untrusted(false);
        }
    }

    /// A mutation has ended that the journal does not tell of: what others have read before goes into L1 no more.
    /// Returns the as-of position by which its own value may.
    pub(crate) fn overtake_fills(&mut self, as_of: AsOf) -> AsOf {
        let allowed = as_of.fills == self.fills;
        self.bar_fills();
        if allowed { AsOf { fills: self.fills, ..as_of } } else { as_of }
    }

    /// What was read before now goes into L1 no more.
    pub(crate) fn bar_fills(&mut self) {
        self.fills += 1;
    }

    /// Forgets everything: an operation panicked, and what it was at may be half done. No fill that began before goes in.
    pub(crate) fn forget(&mut self) {
        let (generation, fills) = (self.generation + 1, self.fills + 1);
        let order = Order { learnt: 0, untrusted: 0, ..self.order };
        let reads_journal = self.reads_journal;
        *self = Coherence { generation, fills, order, reads_journal, ..Coherence::new(self.source_of_truth) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::Key,
        record::{Event, Record},
        source_of_truth::SourceOfTruth,
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
        let mut knowledge = Coherence::new(SourceOfTruth::L3);
        let first = knowledge.send(10);
        learn(&mut knowledge, gap(10, 5), &first);
        knowledge
    }

    #[track_caller]
    fn learn(knowledge: &mut Coherence, reply: SyncReply, sent: &Sent) -> (AsOf, Option<SyncDelta>) {
        knowledge.learn(reply, sent, |_| {}).expect("it follows on what is known")
    }

    #[test]
    fn a_late_reply_takes_nothing_back() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[15, 25]), &second);
        let before = format!("{knowledge:?}");
        let (_, delta) = learn(&mut knowledge, reply(20, &[15]), &first);
        assert_eq!((delta, format!("{knowledge:?}")), (None, before.clone()));
        let as_of = learn(&mut knowledge, gap(20, 15), &first).0;
        assert_eq!(format!("{knowledge:?}"), before, "nor one that begins anew");
        assert_eq!((as_of.position, as_of.sent_ms, as_of.started_us), (at(25), 30, (T0 + 40) * 1000));
    }

    #[test]
    fn of_two_empty_replies_the_later_tells_the_time() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[]), &second);
        learn(&mut knowledge, reply(20, &[]), &first);
        assert_eq!(knowledge.as_of().started_us, (T0 + 40) * 1000);
        let third = knowledge.send(50);
        learn(&mut knowledge, reply(35, &[]), &third);
        assert_eq!(knowledge.as_of().started_us, (T0 + 35) * 1000, "the clock of Redis was put back");
    }

    #[test]
    fn what_was_sent_first_and_answered_last_is_taken_in() {
        let mut knowledge = synced();
        let (first, second) = (knowledge.send(20), knowledge.send(30));
        learn(&mut knowledge, reply(40, &[15]), &second);
        let (_, delta) = learn(&mut knowledge, reply(50, &[15, 45]), &first);
        assert_eq!(delta.expect("some are new").changes, [(key(), Version(45), at(45))]);
        assert_eq!(knowledge.as_of().sent_ms, 30, "as fresh as the latest");
    }

    #[test]
    fn several_beginnings_empty_l1_once() {
        let mut knowledge = Coherence::new(SourceOfTruth::L3);
        let (first, second) = (knowledge.send(10), knowledge.send(20));
        let is_cleared = |delta: Option<SyncDelta>| delta.is_some_and(|delta| delta.clear);
        assert!(is_cleared(learn(&mut knowledge, gap(10, 6), &first).1));
        let (third, delta) = (knowledge.send(30), learn(&mut knowledge, gap(20, 15), &second).1);
        assert!(delta.is_some_and(|delta| delta.gap && !delta.clear), "what lies between is not known");
        let generation = knowledge.generation();
        let (as_of, delta) = learn(&mut knowledge, gap(12, 10), &third);
        assert_eq!((delta, knowledge.generation()), (None, generation), "an earlier end of the journal");
        assert!(knowledge.restarted_since(as_of), "what was read beside it may be older than that");
    }

    #[test]
    fn what_was_asked_for_before_a_panic_says_too_little_after_it() {
        let mut knowledge = synced();
        let (as_of, sent) = (knowledge.as_of(), knowledge.send(20));
        knowledge.forget();
        assert!(knowledge.learn(reply(20, &[15]), &sent, |_| {}).is_err());
        assert!(knowledge.is_due(i64::MIN, 20, 1000) && knowledge.restarted_since(as_of));
        let sent = knowledge.send(30);
        assert_eq!(sent.cursor, None);
        assert!(learn(&mut knowledge, gap(30, 15), &sent).1.is_some_and(|delta| delta.clear));
    }

    #[test]
    fn the_cursor_moves_once_l1_has_applied_the_delta() {
        let mut knowledge = synced();
        let sent = knowledge.send(20);
        let half_applied = std::panic::AssertUnwindSafe(|| {
            let _ = knowledge.learn(reply(20, &[15]), &sent, |_| panic!("within L1"));
        });
        assert!(std::panic::catch_unwind(half_applied).is_err());
        assert_eq!(knowledge.cursor(), None);
        assert!(knowledge.is_due(i64::MIN, 20, 1000));
    }

    #[test]
    fn a_mutation_that_nobody_is_told_of_overtakes_fills_but_its_own() {
        let mut knowledge = synced();
        let (reader, writer, slower) = (knowledge.as_of(), knowledge.as_of(), knowledge.as_of());
        let own = knowledge.overtake_fills(writer);
        let may_fill = |knowledge: &Coherence, as_of| knowledge.allows_fill(&key(), &[], as_of, Version(5), at(5));
        assert!(!may_fill(&knowledge, reader) && may_fill(&knowledge, own));
        let late = knowledge.overtake_fills(slower);
        assert!(!may_fill(&knowledge, late), "another one has ended since it began");
        assert!(!knowledge.restarted_since(reader), "nothing that L1 holds is doubted for that");
    }

    #[test]
    fn notes_that_one_sync_must_apply_are_not_applied_by_an_earlier_one() {
        let mut knowledge = synced();
        let (before, brought) = (knowledge.send(20), knowledge.send(30));
        knowledge.must_apply_outbox(&brought);
        let is_due = |knowledge: &Coherence| knowledge.is_due(i64::MIN, 11, 1000);
        knowledge.outbox_applied(&before, true);
        assert!(is_due(&knowledge));
        knowledge.outbox_applied(&brought, false);
        assert!(is_due(&knowledge));
        let after = knowledge.send(40);
        knowledge.outbox_applied(&after, true);
        assert!(!is_due(&knowledge));
    }
}
