//! A fill: a miss, the load of the value, and a PUT that is stored only where nothing has touched the key since the
//! miss.
//!
//! Its version is that of the miss, so that whatever begins later is newer. It claims the row as it was at the miss,
//! and looks into the journal after that: an invalidation whose record comes later still finds the claim. Puts and
//! deletes need not be looked for, because they replace the row before anybody is told.

use crate::{
    history::Versions,
    operation::{Operation, Step},
    rule::Rule,
    scenario::Request,
    state::{Content, Note, Row},
    turn::Turn,
};

impl Turn<'_> {
    /// The sync of the miss: the fill takes its version from it.
    pub fn fill_synced(&mut self) {
        let version = self.draw();
        let since = self.knowledge().map_or((0, 0), |knowledge| (knowledge.cursor, knowledge.epoch));
        let operation = self.operation();
        (operation.version, operation.since) = (version, since);
        self.next(Step::Miss);
    }

    /// Reads L3. A value is a hit, and nothing is filled; nor where something newer than the miss stands already.
    pub fn miss(&mut self) {
        let row = self.state.database.row;
        let value = self.newest_row().filter(|row| row.content == Content::Value);
        let operation = self.operation();
        operation.seen_row = row;
        if value.is_some() || row.is_some_and(|row| row.version >= operation.version) {
            return self.end();
        }
        self.operation().generation = self.state.database.generation;
        self.next(Step::Load);
    }

    /// Loads the value. What changes it from now on is newer.
    pub fn load(&mut self) {
        self.operation().loaded = true;
        let notes_first = self.scenario.rules.has(Rule::FillNotesFirst);
        self.next(if notes_first { Step::FindNotes } else { Step::Pend });
    }

    /// Reads the notes. It is sent together with the next step, which may get there later.
    pub fn find_notes(&mut self) {
        let database = &self.state.database;
        let (mut found, generation) = (database.notes.clone(), database.generation);
        if !self.scenario.rules.has(Rule::FillReadsNotes) {
            found.clear();
        }
        let in_generation = self.scenario.rules.has(Rule::FillInGeneration);
        let operation = self.operation();
        operation.outlived = generation != operation.generation && in_generation;
        operation.found = found;
        let noted = self.is_noted();
        match (self.scenario.rules.has(Rule::FillNotesFirst), noted) {
            (true, _) => self.next(Step::Pend),
            (false, true) => self.next(Step::TakeBack),
            (false, false) => self.next(Step::Flip),
        }
    }

    /// Claims the row.
    pub fn pend(&mut self) {
        let rules = self.scenario.rules;
        if !rules.has(Rule::FillAtMiss) {
            self.take_another_version();
        }
        let operation = self.operation();
        let (seen, version) = (operation.seen_row, operation.version);
        let row = self.state.database.row;
        let is_seen =
            if rules.has(Rule::FillAsSeen) { row == seen } else { row.is_none_or(|row| row.version < version) };
        if !is_seen {
            return self.end();
        }
        if rules.has(Rule::FillClaims) {
            self.state.database.replace(Row { version, content: Content::Pending });
        }
        self.next(Step::Fence);
    }

    /// Only a mistake: what was loaded is no newer for that.
    fn take_another_version(&mut self) {
        let (before, version) = (self.operation().version, self.draw());
        self.operation().version = version;
        self.state.floors(&mut |floor| {
            if floor.preloaded.has(before) {
                floor.preloaded.add(version);
            }
        });
    }

    /// Reads the journal, and whether anything was invalidated since the miss.
    pub fn fence(&mut self) {
        let fenced = self.scenario.rules.has(Rule::FillFenced);
        let answered = self.sync();
        self.renew_as_of();
        if !answered || fenced && self.is_invalidated() || self.is_noted() {
            return self.next(Step::TakeBack);
        }
        let notes_first = self.scenario.rules.has(Rule::FillNotesFirst);
        self.next(if notes_first { Step::Flip } else { Step::FindNotes });
    }

    /// Whether the index has an invalidation since the miss, or cannot tell.
    fn is_invalidated(&mut self) -> bool {
        let rules = self.scenario.rules;
        let operation = self.operation();
        let (version, (since, epoch)) = (operation.version, operation.since);
        let redis = &self.state.redis;
        let open = redis
            .open
            .iter()
            .any(|open_invalidation| open_invalidation.at > since || open_invalidation.version > version);
        let in_epoch = redis.meta.is_some_and(|meta| meta.epoch == epoch) && epoch <= since;
        let untouched = redis.index.is_some_and(|index| {
            let in_history = index.floor <= since || !rules.has(Rule::FillInHistory);
            index.swept <= since && in_history
        });
        open || !untouched || !in_epoch && rules.has(Rule::FillInEpoch)
    }

    /// Whether there is a note of an invalidation, or may have been one.
    fn is_noted(&mut self) -> bool {
        let operation = self.operation();
        let version = operation.version;
        let means = |note: &Note| match *note {
            Note::Changed(_) => false,
            Note::Invalidated(_) => true,
            Note::Job(job) => job > version,
        };
        operation.outlived || operation.found.iter().any(means)
    }

    /// Leaves nothing where the claim was.
    pub fn take_back(&mut self) {
        let version = self.operation().version;
        let claim = Row { version, content: Content::Pending };
        if self.state.database.row == Some(claim) {
            self.state.database.replace(Row { version, content: Content::Gone });
        }
        self.end();
    }

    /// Puts the value in the place of the claim. From here on it is a PUT like any other.
    pub fn flip(&mut self) {
        let claims = self.scenario.rules.has(Rule::FillClaims);
        let operation = self.operation();
        let version = operation.version;
        let expected = if claims { Some(Row { version, content: Content::Pending }) } else { operation.seen_row };
        if self.state.database.row != expected {
            return self.end();
        }
        self.state.database.replace(Row { version, content: Content::Value });
        let overlaps = self.operation().overlaps_job;
        let outdated = self.state.land(version, true, overlaps);
        self.operation().outdated = outdated;
        self.next(Step::Append);
    }

    /// The mutation begins: what fills have loaded is older than it from now on.
    pub fn outdate_loads(&mut self) {
        let loads = self.loads(|operation| operation.loaded);
        self.operation().preloaded.preloaded = loads;
    }

    /// What is limited to the levels above L3 spares what a fill has in L3 by now.
    pub fn spare_loads_that_landed(&mut self) {
        let under_way = self.loads(|fill| matches!(fill.step, Step::FindNotes | Step::Pend | Step::Fence));
        let preloaded = &mut self.operation().preloaded.preloaded;
        *preloaded = preloaded.common(under_way);
    }

    /// The versions of fills that are so.
    fn loads(&self, is_so: impl Fn(&Operation) -> bool) -> Versions {
        let mut loads = Versions::default();
        let operations = self.state.containers.iter().filter_map(|container| container.operation.as_ref());
        let fills = operations.filter(|operation| operation.request == Request::Fill && is_so(operation));
        fills.for_each(|fill| loads.add(fill.version));
        loads
    }

    /// Whether an invalidate without Redis leaves a note before it removes anything. Only fills depend on it, so that
    /// nothing else is made larger by it.
    pub fn leaves_note_first(&self) -> bool {
        self.scenario.fills() && self.scenario.rules.has(Rule::NoteFirst)
    }

    /// So long after the note was left, nobody has a claim on its way beside a question for the notes from before:
    /// whoever waits that long gives the fill up.
    pub fn outwait_fills(&mut self) {
        let rules = self.scenario.rules;
        // A fill that reads the notes later is not given up for that.
        let waits = rules.has(Rule::WaitsForClaims) && rules.has(Rule::FillNotesFirst);
        if !self.leaves_note_first() || !waits {
            return;
        }
        for container in &mut self.state.containers {
            let late = |operation: &mut Operation| operation.request == Request::Fill && operation.step == Step::Pend;
            container.operation.take_if(late);
        }
    }
}
