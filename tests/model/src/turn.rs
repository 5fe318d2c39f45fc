//! One step of one container.

use crate::{
    history::Floor,
    knowledge::Knowledge,
    operation::{MOST_TRIES, Operation, Step},
    rule::Rule,
    scenario::{Scenario, SourceOfTruth},
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
            container.knowledge.iter_mut().for_each(Knowledge::forget_invalidations);
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

    /// Fills L1, unless something has happened since the as-of position.
    pub fn fill(&mut self, version: Version, as_of: Position, read: Floor) {
        let (scenario, restarted) = (self.scenario, self.operation().restarted);
        let uncertain = |knowledge: &Knowledge| {
            knowledge.covers(scenario, version, as_of)
                || knowledge.is_masked(as_of)
                || scenario.source_of_truth == SourceOfTruth::L3 && as_of < knowledge.epoch
        };
        if !restarted && !self.knowledge().is_some_and(uncertain) {
            let unswept = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
            self.container().memory = Some(OwnCopy { version, as_of, read, unswept, doubt: None });
        }
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
