//! Learning: what a sync brought becomes knowledge, and news for L1.

use super::{Coherence, News};
use crate::{
    barriers::Barriers,
    level::Level,
    planted::{Bug, planted},
    record::{Event, Record},
    redis::SyncReply,
    register::Register,
    version::Position,
};

impl Coherence {
    /// Takes in what a sync that was sent at `sent_ms` of steady time learnt, and that follows on what is known.
    pub(crate) fn apply(&mut self, reply: SyncReply, sent_ms: i64) -> News {
        let mut news = News::default();
        let known = self.cursor;
        if reply.gap.is_some() || known.is_none() {
            self.leap(&reply, &mut news);
        }
        for record in reply.records.iter().filter(|record| known.is_none_or(|cursor| record.at > cursor)) {
            self.take(record, &mut news);
        }
        if reply.epoch > self.epoch {
            self.begin_epoch(reply.epoch, &mut news);
        }
        if news.gap && self.register == Register::L2 {
            // Nothing but L2 itself confirms a copy.
            news.clear = true;
        }
        self.generation += u64::from(news.clear || news.gap);
        self.unsettle(known, &news);
        let age_ms = sent_ms.saturating_sub(self.sent_ms).max(1).unsigned_abs();
        self.pace = reply.count.saturating_sub(self.count).saturating_mul(1000) / age_ms;
        self.count = reply.count;
        self.sent_ms = sent_ms;
        self.time_us = reply.time_us;
        self.received = Some(reply.received);
        if let Some(open) = reply.open {
            self.open = open;
        }
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

    /// What L1 holds and has not heeded these news is doubted from now on. Before them the journal was read up to `known`.
    fn unsettle(&mut self, known: Option<Position>, news: &News) {
        if news.clear {
            (self.gaps, self.settled, self.walk) = Default::default();
            return;
        }
        if news.gap {
            self.gaps.add(known.unwrap_or_default(), self.known(), self.swept);
        }
        if news.swept {
            self.must_walk();
        }
        if news.gap || news.swept {
            self.settled = self.known();
        }
    }

    /// Goes on at the end of the journal. Of what lies between, only the invalidations are known, perhaps not all.
    fn leap(&mut self, reply: &SyncReply, news: &mut News) {
        let end = reply.gap.unwrap_or(reply.epoch);
        let floor = reply.said.as_ref().map_or(end, |said| said.floor);
        let before = self.cursor.replace(end);
        if planted(Bug::GapNotNoticed) && before.is_some() {
            return;
        }
        self.ledger.forget_changes();
        self.reach = end;
        if before.is_none_or(|cursor| cursor < floor) {
            self.swept = floor;
        }
        match before {
            Some(_) => news.gap = true,
            None => news.clear = true,
        }
    }

    fn take(&mut self, record: &Record, news: &mut News) {
        match &record.event {
            Event::Changed { key, version } => {
                self.newest = self.newest.max(*version);
                self.ledger.add_change(record.at, key, *version);
                news.changes.push((key.clone(), *version, record.at));
            }
            Event::Invalidated(invalidation) => {
                self.newest = self.newest.max(invalidation.version);
                let forgotten = self.ledger.add_invalidation(invalidation);
                self.swept = self.swept.max(forgotten.unwrap_or_default());
                news.swept |= invalidation.levels.has(Level::L1);
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

    fn prune(&mut self) {
        let before_ms = (self.time_us / 1000).saturating_sub(self.history_ms());
        let (pruned, swept) = self.ledger.prune(before_ms, self.walked_up_to());
        self.reach = self.reach.max(pruned.unwrap_or_default());
        self.swept = self.swept.max(swept.unwrap_or_default());
    }
}
