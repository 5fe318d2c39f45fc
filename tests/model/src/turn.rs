//! One step of one container.

use crate::{
    history::Floor,
    knowledge::Knowledge,
    operation::{MOST_TRIES, Operation, Step},
    scenario::{Request, Rule, Scenario, SourceOfTruth},
    state::{Container, Event, Meta, OwnCopy, Position, Redis, State, Version, Who},
};

/// What the step meets with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Luck {
    /// Nothing special.
    Plain,
    /// Nobody has read the outage notes lately.
    NotesDue,
    /// There are more notes than can be put into the journal one by one.
    ManyNotes,
    /// Redis does it, but its reply is lost and the container cut off.
    ReplyLost,
    /// L3 answers from a replica that has not seen the newest write.
    OldRead,
}

/// A step that is being taken.
pub struct Turn<'a> {
    /// What is being run.
    pub scenario: &'a Scenario,
    /// The state, which the step changes.
    pub state: &'a mut State,
    /// The container whose step it is.
    pub who: Who,
    /// What it meets with.
    pub luck: Luck,
}

impl Turn<'_> {
    /// Begins the next operation of the script. A read may find its window still open and not sync.
    pub fn begin(&mut self, sync: bool) {
        self.begin_operation(sync);
        self.begun(sync);
    }

    /// The same of a read whose caller sends what they have seen.
    pub fn begin_in_session(&mut self, sync: bool) {
        self.begin_operation(sync);
        let seen = self.state.session.floor;
        let operation = self.operation();
        operation.in_session = true;
        operation.floor.raise(seen);
        self.begun(sync);
    }

    fn begun(&mut self, sync: bool) {
        if sync { self.run() } else { self.read_in_window() }
    }

    fn begin_operation(&mut self, sync: bool) {
        let acknowledged = self.state.history.acknowledged;
        let container = self.container();
        let request = container.script.remove(0);
        let mut floor = container.synced;
        if sync {
            floor.raise(acknowledged);
        }
        container.operation = Some(Operation::new(request, floor));
        if request.changes() {
            self.outdate_loads();
        }
    }

    /// Takes the next step of the operation under way.
    pub fn run(&mut self) {
        match self.operation().step {
            Step::Sync => self.start(),
            Step::ReadNotes => self.read_notes(),
            Step::RaiseGeneration => self.raise_generation(),
            Step::ReplayRecord(number) => self.replay_record(number),
            Step::ReplayRemoval(number) => self.replay_removal(number),
            Step::NotesChecked => self.notes_checked(),
            Step::DropNotes => self.drop_notes(),
            Step::LookUp => self.look_up(),
            Step::ReadOwnHead => self.read_own_head(),
            Step::ReadCopy => self.read_copy(),
            Step::ReadJobs => self.read_jobs(),
            Step::ReadRow => self.read_row(),
            Step::ReadPatched => self.read_patched(),
            Step::Promote => self.promote(),
            Step::DropCopy => self.drop_copy(),
            Step::Check => self.check(),
            Step::Undo => self.undo(),
            Step::ReadHead => self.read_head(),
            Step::WriteNoted => self.write_noted(),
            Step::ReadGeneration => self.read_generation(),
            Step::WriteRow => self.write_row(),
            Step::Append => self.append(),
            Step::WriteCopy => self.write_copy(),
            Step::LeaveNote => self.leave_note(),
            Step::RecordInvalidation => self.record_invalidation(),
            Step::Scan => self.scan(),
            Step::RemoveRow => self.remove_row(),
            Step::RemoveCopies => self.remove_copies(),
            Step::Close => self.close(),
            Step::LeaveJob => self.leave_job(),
            Step::LearnJob => self.learn_job(),
            Step::RestoreInvalidation => self.restore_invalidation(),
            Step::DropJob => self.drop_job(),
            Step::MarkUndone => self.mark_undone(),
            Step::LearnJobs => self.learn_jobs(),
            Step::Restore => self.restore(),
            Step::RecordUndo => self.record_undo(),
            Step::Miss => self.miss(),
            Step::Load => self.load(),
            Step::FindNotes => self.find_notes(),
            Step::Pend => self.pend(),
            Step::Fence => self.fence(),
            Step::TakeBack => self.take_back(),
            Step::Flip => self.flip(),
        }
    }

    /// The sync that an operation begins with.
    fn start(&mut self) {
        if !self.sync() {
            return self.start_without_redis();
        }
        let synced = self.container().synced;
        if self.operation().request.reads() {
            self.operation().floor.raise(synced);
        }
        let unread = self.state.redis.meta.is_some_and(|meta| meta.notes.is_none());
        let must = unread || self.container().owes_notes;
        if self.scenario.source_of_truth == SourceOfTruth::L3 && (must || self.luck == Luck::NotesDue) {
            return self.next(Step::ReadNotes);
        }
        self.go_on();
    }

    /// What follows on the first sync, and on the notes if they were read.
    pub fn go_on(&mut self) {
        self.renew_as_of();
        if self.reads_source_of_truth() {
            return;
        }
        match self.operation().request {
            Request::Get | Request::GetStale => self.read_synced(),
            Request::Fill => self.fill_synced(),
            Request::Put | Request::PutAbove | Request::Delete => self.write_synced(),
            Request::Patch => self.next(Step::ReadPatched),
            Request::Undo => self.next(Step::MarkUndone),
            _ => self.invalidate_synced(),
        }
    }

    /// The sync did not answer, or what it said could not be taken in.
    pub fn start_without_redis(&mut self) {
        self.operation().reachable = false;
        if self.scenario.source_of_truth == SourceOfTruth::L2 {
            return self.end();
        }
        let scan_first = self.scenario.rules.has(Rule::NoteLast) && !self.leaves_note_first();
        match self.operation().request {
            Request::Get | Request::GetStale | Request::Patch => self.next(Step::ReadJobs),
            Request::Fill | Request::PutAbove | Request::InvalidateAsJob | Request::Undo => self.end(),
            Request::Put | Request::Delete => self.next(Step::ReadHead),
            _ if scan_first => self.next(Step::Scan),
            _ => {
                let version = self.version_without_redis();
                self.operation().version = version;
                self.next(Step::ReadGeneration);
            }
        }
    }

    /// Takes the cursor for the as-of position of the operation.
    pub fn renew_as_of(&mut self) {
        let as_of = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
        let operation = self.operation();
        operation.as_of = as_of;
        operation.restarted = false;
    }

    /// Reads the journal, and drops from L1 what is no longer certain. Returns whether Redis answered.
    pub fn sync(&mut self) -> bool {
        if self.container().cut {
            return false;
        }
        self.begin_epoch();
        let State { redis, history, tick, containers, .. } = &mut *self.state;
        let container = &mut containers[self.who as usize];
        let Scenario { source_of_truth, rules, .. } = *self.scenario;
        let (knowledge, delta) = Knowledge::learn(container.knowledge.as_ref(), redis, source_of_truth, *tick, rules);
        container.knowledge = Some(knowledge);
        if std::mem::take(&mut container.flooded) {
            container.knowledge.iter_mut().for_each(Knowledge::forget_sweeps);
        }
        container.synced.raise(history.acknowledged);
        container.synced.raise(redis.meta.and_then(|meta| meta.notes).unwrap_or_default());
        let scenario = self.scenario;
        // An invalidation waits for the copy to be asked for.
        let mut changes = delta.records.iter().filter(|record| record.event != Event::Invalidated);
        let covered = |copy: &OwnCopy| changes.any(|record| scenario.covers(record, copy.version, copy.as_of));
        if delta.clear || container.memory.as_ref().is_some_and(covered) {
            container.memory = None;
        }
        if let Some(cursor) = delta.gap.filter(|_| rules.has(Rule::Doubt)) {
            container.memory = container.memory.map(|copy| copy.doubted(cursor));
        }
        if let Some(operation) = &mut container.operation {
            operation.restarted |= delta.clear || delta.gap.is_some();
            operation.looked = redis.index;
        }
        true
    }

    /// A server that is not the one `meta` speaks of, or that has lost the journal, begins an epoch.
    fn begin_epoch(&mut self) {
        let redis = &self.state.redis;
        let same = redis.meta.filter(|meta| meta.identity == redis.identity && !redis.journal.is_empty());
        if same.is_some() || !self.scenario.rules.has(Rule::Epoch) {
            return;
        }
        let epoch = self.state.next_tick();
        let redis = &mut self.state.redis;
        redis.append(epoch, Event::Epoch);
        let kept = !self.scenario.rules.has(Rule::EpochReadsNotes);
        let notes = redis.meta.and_then(|meta| meta.notes).filter(|_| kept);
        let covered = redis.meta.map_or(0, |meta| meta.covered);
        let undone = redis.meta.map_or(0, |meta| meta.undone);
        redis.meta = Some(Meta { identity: redis.identity, epoch, notes, covered, undone });
    }

    /// Sends something to Redis: `None` when it is not done, or done and the reply lost.
    pub fn redis<R>(&mut self, send: impl FnOnce(&mut Redis) -> R) -> Option<R> {
        if self.container().cut {
            return None;
        }
        let reply = send(&mut self.state.redis);
        if self.luck == Luck::ReplyLost {
            self.container().cut = true;
            return None;
        }
        Some(reply)
    }

    /// Fills L1, unless something has happened since the as-of position. It keeps nothing beyond its life.
    pub fn fill(&mut self, version: Version, as_of: Position, read: Floor) {
        if self.operation().in_grace {
            return;
        }
        let (scenario, restarted) = (self.scenario, self.operation().restarted);
        let uncertain = |knowledge: &Knowledge| {
            knowledge.covers(scenario, version, as_of)
                || knowledge.sweeps(as_of)
                || scenario.source_of_truth == SourceOfTruth::L3 && as_of < knowledge.epoch
        };
        if !restarted && !self.knowledge().is_some_and(uncertain) {
            let unswept = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
            self.container().memory = Some(OwnCopy { version, as_of, read, unswept, doubt: None });
        }
    }

    /// Acknowledges a mutation.
    pub fn acknowledge(&mut self, degraded: bool) {
        let mut outdated = self.operation().outdated;
        self.tell_of_mutation(outdated, degraded);
        outdated.raise(self.operation().preloaded);
        self.state.history.acknowledge(outdated, degraded);
        self.container().synced.raise(outdated);
    }

    /// Begins the operation under way once more, from this step.
    pub fn again(&mut self, step: Step) {
        let operation = self.operation();
        operation.tries += 1;
        if operation.tries > MOST_TRIES { self.end() } else { self.next(step) }
    }

    /// Ends the operation.
    pub fn end(&mut self) {
        self.container().operation = None;
    }

    /// Goes on with another step.
    pub fn next(&mut self, step: Step) {
        self.operation().step = step;
    }

    /// A version by Redis time.
    pub fn draw(&mut self) -> Version {
        self.state.next_tick()
    }

    /// The container whose turn it is.
    pub fn container(&mut self) -> &mut Container {
        self.state.container(self.who)
    }

    /// What it knows.
    pub fn knowledge(&mut self) -> Option<&Knowledge> {
        self.container().knowledge.as_ref()
    }

    /// What it is doing.
    pub fn operation(&mut self) -> &mut Operation {
        self.container().operation.as_mut().expect("only a container with an operation takes a step")
    }
}
