//! Somebody who asks container A, remembers the position that each of its answers says, and sends it with a read to any
//! container: nothing older than what was answered may come back (P9).

use crate::{
    history::Floor,
    operation::Step,
    rule::Rule,
    scenario::SourceOfTruth,
    state::{Event, Position, Version, Who},
    turn::Turn,
};

/// What somebody has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Session {
    /// The journal up to here.
    pub at: Position,
    /// Something of it has no record that is known. That it has one later is a matter of time.
    pub unrecorded: bool,
    /// What a read must not return. Nothing of the protocol reads it.
    pub floor: Floor,
}

impl Turn<'_> {
    /// Acknowledges a mutation.
    pub fn acknowledge(&mut self, degraded: bool) {
        let mut outdated = self.operation().outdated;
        self.tell_of_mutation(outdated, degraded);
        outdated.raise(self.operation().preloaded);
        self.state.history.acknowledge(outdated, degraded);
        self.container().synced.raise(outdated);
    }

    /// Whoever asked A is told that a mutation is done.
    pub fn tell_of_mutation(&mut self, outdated: Floor, degraded: bool) {
        if !self.is_in_session() {
            return;
        }
        let by_record = self.scenario.rules.has(Rule::PositionOfRecord);
        let operation = self.operation();
        let at = if by_record { operation.open_invalidation } else { operation.as_of };
        let session = &mut self.state.session;
        session.floor.raise(Floor { present: false, ..outdated });
        if degraded {
            session.unrecorded = true;
        } else {
            session.at = session.at.max(at);
        }
    }

    /// Whoever asked A is told of a value. Where it is the one that stands, all that stood before is older.
    pub fn tell_of_value(&mut self, version: Version) {
        if !self.is_in_session() || self.state.history.current != Some(version) {
            return;
        }
        let recorded = self.knowledge().and_then(|knowledge| {
            let mut own = knowledge.recent_changes.iter().filter(|record| record.event == Event::Changed(version));
            own.next().map(|record| record.at)
        });
        let outdated = self.state.history.outdated;
        let session = &mut self.state.session;
        session.floor.raise(Floor { present: false, ..outdated });
        match recorded {
            Some(at) => session.at = session.at.max(at),
            None => session.unrecorded = true,
        }
    }

    fn is_in_session(&self) -> bool {
        self.scenario.session && self.who == Who::A
    }

    /// Whether this container may answer them within its window.
    pub fn may_skip_sync_in_session(&mut self) -> bool {
        let rules = self.scenario.rules;
        let session = self.state.session;
        let container = self.container();
        let cursor = container.knowledge.as_ref().map_or(0, |knowledge| knowledge.cursor);
        let is_known = cursor >= session.at && !session.unrecorded;
        container.may_skip_sync(rules) && (is_known || !rules.has(Rule::PositionHonoured))
    }

    /// Goes on with a read of theirs after the sync, where the journal may not tell of all that they have seen: by the
    /// source of truth itself. Returns whether it is so.
    pub fn reads_source_of_truth(&mut self) -> bool {
        let must = self.operation().in_session && self.state.session.unrecorded;
        if !must || !self.scenario.rules.has(Rule::UnrecordedBySourceOfTruth) {
            return false;
        }
        self.next(match self.scenario.source_of_truth {
            SourceOfTruth::L3 => Step::ReadJobs,
            SourceOfTruth::L2 => Step::ReadCopy,
        });
        true
    }
}
