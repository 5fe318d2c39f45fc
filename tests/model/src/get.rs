//! GET: L1, else L2, else L3 and up again.

use crate::{
    history::Floor,
    operation::{Operation, Step},
    rule::Rule,
    scenario::{Request, SourceOfTruth},
    state::{Content, OwnCopy, Position, Row, SharedCopy, Version},
    turn::{Luck, Turn},
};

impl Turn<'_> {
    /// A read whose window is open: no sync.
    pub fn read_in_window(&mut self) {
        self.renew_as_of();
        self.compare_with_invalidations();
        let unsure = match self.container().memory {
            Some(copy) => copy.doubt.is_some() || self.spared(copy).is_none(),
            None => self.knowledge().is_some_and(|knowledge| !knowledge.has_history(0)),
        };
        if unsure && self.scenario.source_of_truth == SourceOfTruth::L3 {
            return self.next(Step::LookUp);
        }
        self.read_synced();
    }

    /// Asks the index without a sync. A server that has not the last record which was read may not be the one that was
    /// asked before, and its index says nothing.
    pub fn look_up(&mut self) {
        let cursor = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
        let index = self.redis(|redis| redis.index.filter(|_| redis.journal.iter().any(|record| record.at == cursor)));
        match index {
            Some(index) => {
                self.operation().looked = index;
                self.read_synced();
            }
            None => {
                self.operation().reachable = false;
                self.next(Step::ReadRow);
            }
        }
    }

    /// Whether no invalidation means a copy in own L1.
    fn spared(&mut self, copy: OwnCopy) -> Option<bool> {
        let rules = self.scenario.rules;
        self.knowledge().map_or(Some(true), |knowledge| knowledge.spares(rules, &copy))
    }

    /// Drops the copy in own L1 if an invalidation means it, and remembers if none does.
    fn compare_with_invalidations(&mut self) {
        let Some(copy) = self.container().memory else { return };
        // Nobody below L2 can tell where that is the source of truth.
        let spared = self.spared(copy).or((self.scenario.source_of_truth == SourceOfTruth::L2).then_some(false));
        let cursor = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
        match spared {
            Some(false) => self.container().memory = None,
            // After a gap only what is known of it is compared.
            Some(true) if copy.doubt.is_none() => {
                self.container().memory = Some(OwnCopy { unswept: cursor, ..copy });
            }
            _ => {}
        }
    }

    /// A copy in own L1 from before a gap: the index says whether it may stay, or else L3.
    fn read_doubted(&mut self, copy: OwnCopy, since: Position) {
        let scenario = self.scenario;
        let looked = self.operation().looked;
        let said = match self.spared(copy) {
            Some(true) => self.knowledge().and_then(|knowledge| {
                looked.and_then(|index| knowledge.confirms(scenario, &index, copy.version, since))
            }),
            said => said,
        };
        match said {
            Some(true) => self.keep(),
            Some(false) => {
                self.container().memory = None;
                self.next(Step::ReadCopy);
            }
            None => self.next(Step::ReadOwnHead),
        }
    }

    /// Compares own L1 with the version that L3 has.
    pub fn read_own_head(&mut self) {
        let rules = self.scenario.rules;
        let row = self.newest_row();
        // Of what a marker points to, only L2 knows whether it is there.
        let version = row.filter(|row| row.content == Content::Value).map(|row| row.version);
        if !rules.has(Rule::DoubtEndsBeforeRead) {
            self.sync();
        }
        if self.container().memory.is_some_and(|copy| version == Some(copy.version)) {
            return self.keep();
        }
        self.container().memory = None;
        self.next(Step::ReadCopy);
    }

    /// The copy in own L1 is confirmed.
    fn keep(&mut self) {
        let unswept = self.knowledge().map_or(0, |knowledge| knowledge.cursor);
        self.container().memory = self.container().memory.map(|copy| OwnCopy { doubt: None, unswept, ..copy });
        self.read_synced();
    }

    /// L1 has been told what there was to tell.
    pub fn read_synced(&mut self) {
        self.compare_with_invalidations();
        let memory = self.container().memory;
        match memory {
            Some(copy @ OwnCopy { doubt: Some(since), .. }) => self.read_doubted(copy, since),
            Some(copy) if self.spared(copy).is_none() => self.next(Step::ReadOwnHead),
            Some(copy) => {
                // The window counts from when the source of truth itself was asked, if that was later.
                self.operation().floor.raise(copy.read);
                self.answer(Some(copy.version));
            }
            None => self.next(Step::ReadCopy),
        }
    }

    /// Reads L2, and answers by it when the copy can be trusted.
    pub fn read_copy(&mut self) {
        let scenario = self.scenario;
        let source_of_truth = scenario.source_of_truth;
        let Some(found) = self.redis(|redis| redis.copy) else {
            self.operation().reachable = false;
            return if source_of_truth == SourceOfTruth::L2 { self.end() } else { self.next(Step::ReadRow) };
        };
        let found = found.filter(|copy| !copy.gone);
        if let Some(copy) = found
            && let looked = self.operation().looked
            && self.knowledge().is_some_and(|knowledge| knowledge.trusts(scenario, &copy, looked.as_ref()))
        {
            // The source of truth itself was asked after the sync; elsewhere only the journal vouches for the copy.
            let asked = source_of_truth == SourceOfTruth::L2 && scenario.rules.has(Rule::CoverByPosition);
            let as_of = if asked { self.operation().as_of } else { copy.as_of };
            self.operation().restarted = false;
            self.fill(copy.version, as_of, Floor::default());
            return self.answer(Some(copy.version));
        }
        self.operation().seen = found.map(|copy| (copy.version, copy.as_of));
        match (source_of_truth, found) {
            (SourceOfTruth::L3, _) => self.next(Step::ReadRow),
            (SourceOfTruth::L2, Some(_)) => self.next(Step::DropCopy),
            (SourceOfTruth::L2, None) => self.answer(None),
        }
    }

    /// Reads the notes of jobs before L3: what they hide may be gone from L3, and they with it, a moment later.
    pub fn read_jobs(&mut self) {
        if self.scenario.rules.has(Rule::JobsWithoutRedis) {
            let hidden = self.state.database.newest_job();
            self.operation().hidden = hidden;
        }
        let noted = self.state.history.degraded;
        self.operation().noted = noted;
        let patches = self.operation().request == Request::Patch;
        self.next(if patches { Step::ReadPatched } else { Step::ReadRow });
    }

    /// Reads L3, which decides.
    pub fn read_row(&mut self) {
        self.renew_as_of();
        let row = self.newest_row();
        let reachable = self.operation().reachable;
        self.compare_with_invalidations();
        let held = self.container().memory.filter(|copy| !reachable && copy.doubt.is_none());
        let held = held.filter(|copy| self.spared(*copy) == Some(true));
        let held = held.map(|copy| copy.version);
        let seen = self.operation().seen;
        let value = row.and_then(|row| match row.content {
            Content::Value => Some(row.version),
            // Without L2, own L1 may hold the very value that the marker stands for.
            Content::Elsewhere => {
                let copy = held.or(seen.map(|(version, _)| version));
                copy.filter(|version| *version == row.version)
            }
            Content::Gone | Content::Kept(_) | Content::Pending => None,
        });
        match value {
            Some(version) if reachable => {
                self.operation().version = version;
                self.next(Step::Promote);
            }
            Some(version) => {
                // The window counts from when it was known what is open, not from when L3 was asked.
                let (as_of, read) = (self.operation().as_of, self.operation().noted);
                self.fill(version, as_of, read);
                self.answer(Some(version));
            }
            None if reachable && seen.is_some() => self.next(Step::DropCopy),
            None => self.answer(None),
        }
    }

    /// The row of L3, unless an open invalidation says that it does not exist.
    pub fn newest_row(&mut self) -> Option<Row> {
        let rules = self.scenario.rules;
        let hidden = self.operation().hidden;
        let database = &self.state.database;
        let row = if self.luck == Luck::OldRead { database.previous } else { database.row };
        let row = row.filter(|row| row.version >= hidden);
        let known = self.knowledge().map(|knowledge| knowledge.open.as_slice()).unwrap_or_default();
        let hidden = |row: &Row| known.iter().any(|open_invalidation| row.is_masked_by(*open_invalidation, rules));
        row.filter(|row| !rules.has(Rule::OpenInvalidation) || !hidden(row))
    }

    /// Writes what L3 said into L2.
    pub fn promote(&mut self) {
        if !self.scenario.rules.has(Rule::AsOfBeforeRead) && self.sync() {
            self.renew_as_of();
        }
        let conditional = self.scenario.rules.has(Rule::ConditionalCopy);
        let operation = self.operation();
        let copy = SharedCopy { version: operation.version, as_of: operation.as_of, gone: false };
        let seen = operation.seen;
        if self.redis(|redis| redis.store(copy, seen, conditional)).is_none() {
            return self.answer(Some(copy.version));
        }
        if !self.scenario.rules.has(Rule::CheckAndUndo) {
            let read = self.state.history.acknowledged;
            self.fill(copy.version, copy.as_of, read);
            return self.answer(Some(copy.version));
        }
        self.next(Step::Check);
    }

    /// The journal has been read after the promotion.
    pub fn promoted(&mut self, unchanged: bool) {
        let operation = self.operation();
        let (version, as_of) = (operation.version, operation.as_of);
        if !unchanged {
            return self.next(Step::Undo);
        }
        self.fill(version, as_of, Floor::default());
        self.answer(Some(version));
    }

    /// Removes a copy that L3 did not confirm.
    pub fn drop_copy(&mut self) {
        if let Some((version, as_of)) = self.operation().seen {
            self.redis(|redis| redis.undo(version, as_of));
        }
        self.answer(None);
    }

    /// Answers a read.
    pub fn answer(&mut self, value: Option<Version>) {
        let floor = self.operation().floor;
        self.state.history.returned(value, &floor);
        if let Some(version) = value {
            self.tell_of_value(version);
        }
        self.end();
    }

    /// Whether nothing has happened to a copy since the as-of position of the operation.
    pub fn unchanged(&mut self, version: Version) -> bool {
        let scenario = self.scenario;
        let Operation { as_of, restarted, looked, .. } = *self.operation();
        self.knowledge().is_none_or(|knowledge| match restarted {
            _ if knowledge.is_masked(as_of) || as_of < knowledge.swept => false,
            false => !knowledge.covers(scenario, version, as_of),
            true if scenario.source_of_truth == SourceOfTruth::L2 => false,
            true => looked.is_some_and(|index| knowledge.confirms(scenario, &index, version, as_of) == Some(true)),
        })
    }
}
