//! Learning: turns the reply of a sync into knowledge and a delta for L1.

use super::{Coherence, SyncDelta, SyncReply};
use crate::{
    level::Level,
    open_invalidations::OpenInvalidations,
    planted::{Bug, planted},
    record::{Event, Record},
    source_of_truth::SourceOfTruth,
    version::Position,
};

impl Coherence {
    /// Takes in what a sync that was sent at `sent_ms` of steady time learnt, and that follows on what is known.
    pub(crate) fn apply(&mut self, reply: SyncReply, sent_ms: i64) -> SyncDelta {
        let mut delta = SyncDelta::default();
        let known = self.cursor;
        if reply.gap.is_some() || known.is_none() {
            self.leap(&reply, &mut delta);
        }
        for record in reply.records.iter().filter(|record| known.is_none_or(|cursor| record.at > cursor)) {
            self.take(record, &mut delta);
        }
        if reply.epoch > self.epoch {
            self.begin_epoch(reply.epoch, &mut delta);
        }
        if delta.gap && self.source_of_truth == SourceOfTruth::L2 {
            // Nothing but L2 itself confirms a copy.
            delta.clear = true;
        }
        self.generation += u64::from(delta.clear || delta.gap);
        self.unsettle(known, &delta);
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
            self.noted = OpenInvalidations::default();
            self.noted_ms = i64::MIN;
        }
        self.prune();
        delta
    }

    /// What L1 holds and has not applied this delta is doubted from now on. Before it the journal was read up to
    /// `known`.
    fn unsettle(&mut self, known: Option<Position>, delta: &SyncDelta) {
        if delta.clear {
            (self.gaps, self.settled, self.walk) = Default::default();
            return;
        }
        if delta.gap {
            self.gaps.add(known.unwrap_or_default(), self.known(), self.swept);
        }
        if delta.swept {
            self.must_walk();
        }
        if delta.gap || delta.swept {
            self.settled = self.known();
        }
    }

    /// Goes on at the end of the journal. Of what lies between, only the invalidations are known, perhaps not all.
    fn leap(&mut self, reply: &SyncReply, delta: &mut SyncDelta) {
        let end = reply.gap.unwrap_or(reply.epoch);
        let floor = reply.said.as_ref().map_or(end, |said| said.floor);
        let before = self.cursor.replace(end);
        if planted(Bug::GapNotNoticed) && before.is_some() {
            return;
        }
        self.recent_changes.forget_changes();
        self.low_watermark = end;
        if before.is_none_or(|cursor| cursor < floor) {
            self.swept = floor;
        }
        match before {
            Some(_) => delta.gap = true,
            None => delta.clear = true,
        }
    }

    fn take(&mut self, record: &Record, delta: &mut SyncDelta) {
        match &record.event {
            Event::Changed { key, version } => {
                self.newest = self.newest.max(*version);
                self.recent_changes.add_change(record.at, key, *version);
                delta.changes.push((key.clone(), *version, record.at));
            }
            Event::Invalidated(invalidation) => {
                self.newest = self.newest.max(invalidation.version);
                let forgotten = self.recent_changes.add_invalidation(invalidation);
                self.swept = self.swept.max(forgotten.unwrap_or_default());
                delta.swept |= invalidation.levels.has(Level::L1);
            }
            Event::Warmed(entries) => delta.warmed.extend_from_slice(entries),
            Event::Closed | Event::Undone | Event::Configured => {}
            Event::Epoch | Event::Unknown => self.begin_epoch(record.at, delta),
        }
        self.cursor = self.cursor.max(Some(record.at));
    }

    fn begin_epoch(&mut self, at: Position, delta: &mut SyncDelta) {
        if at > self.epoch {
            self.epoch = at;
            delta.clear = true;
        }
    }

    fn prune(&mut self) {
        let before_ms = (self.time_us / 1000).saturating_sub(self.history_ms());
        let (pruned, swept) = self.recent_changes.prune(before_ms, self.walked_up_to());
        self.low_watermark = self.low_watermark.max(pruned.unwrap_or_default());
        self.swept = self.swept.max(swept.unwrap_or_default());
    }
}
