//! PUT, PATCH and DELETE: the source of truth, the journal, L2 (or L2, the journal where L2 is the source of truth), a
//! look into the journal, own L1, and then the answer.

use crate::{
    history::Floor,
    operation::Step,
    rule::Rule,
    scenario::{Request, SourceOfTruth},
    state::{Content, Event, Note, Row, SharedCopy, Version},
    turn::Turn,
};

impl Turn<'_> {
    /// The journal has been read: takes a version.
    pub fn write_synced(&mut self) {
        let version = self.draw();
        self.operation().version = version;
        let first = match self.scenario.source_of_truth {
            _ if !self.scenario.rules.has(Rule::SourceOfTruthFirst) => Step::Append,
            SourceOfTruth::L3 => Step::WriteRow,
            SourceOfTruth::L2 => Step::WriteCopy,
        };
        self.next(first);
    }

    /// Writes L3 over what is older.
    pub fn write_row(&mut self) {
        if !self.put_row() {
            return self.again(Step::Sync);
        }
        let journal_first = !self.scenario.rules.has(Rule::SourceOfTruthFirst);
        self.next(if journal_first { Step::WriteCopy } else { Step::Append });
    }

    /// Takes a version from what L3 has, because Redis cannot be asked: what Redis time last was, not ahead of it.
    pub fn read_head(&mut self) {
        let version = self.version_without_redis();
        let generation = self.state.database.generation;
        let operation = self.operation();
        (operation.version, operation.generation) = (version, generation);
        self.next(Step::WriteNoted);
    }

    /// Writes L3 and a note of it at once.
    pub fn write_noted(&mut self) {
        if !self.put_row() {
            let patches = self.operation().request == Request::Patch;
            return self.again(if patches { Step::ReadJobs } else { Step::ReadHead });
        }
        self.put_note();
        if self.scenario.rules.has(Rule::GenerationReadAgain) {
            return self.next(Step::ReadGeneration);
        }
        self.noted();
    }

    /// Reads which generation is read, now that the row is written: a note goes into that one.
    pub fn read_generation(&mut self) {
        let generation = self.state.database.generation;
        let operation = self.operation();
        if operation.left_in == Some(generation) {
            return self.noted();
        }
        operation.generation = generation;
        self.next(Step::LeaveNote);
    }

    /// Leaves a note and acknowledges. If the generation is not read any more, the epoch that took its place is younger
    /// than the row.
    pub fn leave_note(&mut self) {
        self.put_note();
        self.noted();
    }

    fn put_note(&mut self) {
        let operation = self.operation();
        let (request, version, generation) = (operation.request, operation.version, operation.generation);
        operation.left_in = Some(generation);
        self.container().memory = None;
        self.container().owes_notes = true;
        let note = if request.invalidates() { Note::Invalidated(version) } else { Note::Changed(version) };
        if generation == self.state.database.generation {
            self.state.database.notes.push(note);
        }
    }

    /// Other containers hear of it when the notes are read.
    fn noted(&mut self) {
        let request = self.operation().request;
        if request.invalidates() && !self.operation().swept {
            return self.next(Step::Scan);
        }
        // A value that was to be kept above L3 only is stored nowhere: that is an error.
        if request != Request::PutAbove {
            self.acknowledge(true);
        }
        self.end();
    }

    /// Reads what a PATCH is to replace. Where there is nothing, or an invalidation is about to remove it, it ends.
    pub fn read_patched(&mut self) {
        let row = self.newest_row().filter(|row| row.content == Content::Value);
        let (Some(row), SourceOfTruth::L3) = (row, self.scenario.source_of_truth) else { return self.end() };
        let generation = self.state.database.generation;
        let operation = self.operation();
        (operation.replaces, operation.generation) = (row.version, generation);
        let reachable = operation.reachable;
        self.next(if reachable { Step::WriteRow } else { Step::WriteNoted });
    }

    /// Writes a PATCH of the row that was read. Returns whether it did.
    fn patch_row(&mut self) -> bool {
        let rules = self.scenario.rules;
        let before = self.operation().replaces;
        let is_put = !rules.has(Rule::PatchIsNoPut);
        let version = if is_put || !rules.has(Rule::PatchJustAbove) { self.draw() } else { before + 1 };
        let stands = self.state.database.row.is_some_and(|row| row.version == before || is_put);
        if !stands {
            return false;
        }
        self.state.database.replace(Row { version, content: Content::Value });
        let outdated = self.state.land_patch(before, version);
        let operation = self.operation();
        (operation.version, operation.outdated) = (version, outdated);
        true
    }

    /// Appends the record.
    pub fn append(&mut self) {
        let (at, version) = (self.state.next_tick(), self.operation().version);
        if self.redis(|redis| redis.append(at, Event::Changed(version))).is_none() {
            return self.redis_went_away();
        }
        if self.scenario.session {
            self.operation().open_invalidation = at;
        }
        if !self.scenario.rules.has(Rule::AsOfBeforeRead) {
            self.operation().as_of = at;
        }
        let journal_first = !self.scenario.rules.has(Rule::SourceOfTruthFirst);
        self.next(match self.scenario.source_of_truth {
            SourceOfTruth::L3 if journal_first => Step::WriteRow,
            SourceOfTruth::L2 if !journal_first => Step::Check,
            _ => Step::WriteCopy,
        });
    }

    /// Writes the copy in L2, or removes what is older.
    pub fn write_copy(&mut self) {
        match self.scenario.source_of_truth {
            SourceOfTruth::L3 => self.write_copy_above_l3(),
            SourceOfTruth::L2 => self.write_copy_as_source_of_truth(),
        }
    }

    fn write_copy_above_l3(&mut self) {
        let conditional = self.scenario.rules.has(Rule::ConditionalCopy);
        let operation = self.operation();
        let (request, version, as_of) = (operation.request, operation.version, operation.as_of);
        let copy = SharedCopy { version, as_of, gone: false };
        let sent = self.redis(|redis| match request {
            Request::Delete => redis.remove_older(version),
            _ => drop(redis.store(copy, None, conditional)),
        });
        if sent.is_none() {
            return self.redis_went_away();
        }
        self.written();
    }

    fn write_copy_as_source_of_truth(&mut self) {
        let conditional = self.scenario.rules.has(Rule::ConditionalCopy);
        let operation = self.operation();
        let gone = operation.request == Request::Delete;
        let copy = SharedCopy { version: operation.version, as_of: operation.as_of, gone };
        let mut stored = false;
        let reply = self.redis(|redis| stored = redis.store(copy, None, conditional));
        if stored {
            let outdated =
                if gone { self.state.land_removal(Version::MAX) } else { self.state.land(copy.version, false, false) };
            self.operation().outdated = outdated;
        }
        if reply.is_none() {
            return self.redis_went_away();
        }
        if !stored {
            return self.again(Step::Sync);
        }
        if self.scenario.rules.has(Rule::SourceOfTruthFirst) { self.next(Step::Append) } else { self.written() }
    }

    fn written(&mut self) {
        if self.scenario.rules.has(Rule::CheckAndUndo) { self.next(Step::Check) } else { self.wrote(true) }
    }

    /// Reads the journal after writing L2.
    pub fn check(&mut self) {
        let answered = self.sync();
        let version = self.operation().version;
        let unchanged = self.unchanged(version);
        match (self.operation().request, answered) {
            (Request::Get, true) => self.promoted(unchanged),
            (Request::Get, false) => self.answer(Some(version)),
            (_, true) => self.wrote(unchanged),
            (_, false) => self.redis_went_away(),
        }
    }

    fn wrote(&mut self, unchanged: bool) {
        if self.operation().request == Request::Delete {
            return self.finish_write(false);
        }
        match (unchanged, self.scenario.source_of_truth) {
            (true, _) => self.finish_write(true),
            (false, SourceOfTruth::L3) => self.next(Step::Undo),
            (false, SourceOfTruth::L2) => self.overtaken(),
        }
    }

    /// Takes back what was written into L2.
    pub fn undo(&mut self) {
        let operation = self.operation();
        let (request, version, as_of) = (operation.request, operation.version, operation.as_of);
        let undone = self.redis(|redis| redis.undo(version, as_of)).is_some();
        match request {
            Request::Get => self.answer(Some(version)),
            Request::Fill if undone => self.finish_write(false),
            _ if undone => self.overtaken(),
            _ => self.redis_went_away(),
        }
    }

    /// Something happened meanwhile: a PUT overtaken by an invalidate, or with no value in L3, begins again.
    fn overtaken(&mut self) {
        let source_of_truth = self.scenario.source_of_truth;
        let (request, as_of) = (self.operation().request, self.operation().as_of);
        let again = request == Request::PutAbove && source_of_truth == SourceOfTruth::L3
            || self.knowledge().is_some_and(|knowledge| knowledge.is_masked(as_of) || as_of < knowledge.swept);
        if again { self.again(Step::Sync) } else { self.finish_write(false) }
    }

    fn finish_write(&mut self, fill: bool) {
        let operation = self.operation();
        let (version, as_of) = (operation.version, operation.as_of);
        self.container().memory = None;
        if fill {
            self.fill(version, as_of, Floor::default());
        }
        self.acknowledge(false);
        self.end();
    }

    /// Redis did not answer a PUT or DELETE under way.
    fn redis_went_away(&mut self) {
        match self.scenario.source_of_truth {
            SourceOfTruth::L3 => self.next(Step::ReadGeneration),
            SourceOfTruth::L2 => self.end(),
        }
    }

    /// Writes the row over an older one. Returns whether it did.
    fn put_row(&mut self) -> bool {
        if self.operation().request == Request::Patch {
            return self.patch_row();
        }
        let operation = self.operation();
        let version = operation.version;
        let content = match operation.request {
            Request::Put => Content::Value,
            Request::PutAbove => Content::Elsewhere,
            _ => Content::Gone,
        };
        if self.state.database.row.is_some_and(|row| row.version >= version) {
            return false;
        }
        let nothing = content == Content::Gone && self.state.database.row.is_none();
        if nothing && !self.scenario.rules.has(Rule::TombstoneOfNothing) {
            return true;
        }
        self.state.database.replace(Row { version, content });
        let outdated = match content {
            Content::Gone => self.state.land_removal(Version::MAX),
            _ => {
                let overlaps = self.operation().overlaps_job;
                self.state.land(version, content == Content::Value, overlaps)
            }
        };
        self.operation().outdated = outdated;
        true
    }
}
