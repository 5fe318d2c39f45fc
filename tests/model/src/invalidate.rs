//! Invalidate: a barrier in the journal, L3, L2, and the barrier closed. While it is open, what it removes does not
//! exist.

use crate::{
    history::Floor,
    operation::Step,
    scenario::{Register, Request, Rule},
    state::{Barrier, Content, Database, Event, Position, Redis, Row, SharedCopy, Version},
    turn::Turn,
};

impl Turn<'_> {
    /// Appends the barrier and opens it, in one script.
    pub fn open_barrier(&mut self) {
        let at = self.state.next_tick();
        let (request, version) = (self.operation().request, self.operation().version);
        let barrier = Barrier { at, version, database: request != Request::InvalidateAbove };
        let opened = self.redis(|redis| {
            redis.append(at, Event::Invalidated);
            redis.open.push(barrier);
        });
        if barrier.database {
            self.state.expect_nothing();
        }
        self.operation().barrier = at;
        match (opened, self.scenario.register) {
            (None, _) => self.end(),
            (Some(()), Register::L2) => self.next(Step::RemoveCopies),
            (Some(()), Register::L3) => self.next(Step::Scan),
        }
    }

    /// Looks for what is to be removed from L3.
    pub fn scan(&mut self) {
        let operation = self.operation();
        let (request, reachable) = (operation.request, operation.reachable);
        if !reachable {
            let version = self.version_without_redis();
            self.operation().version = version;
        }
        let version = self.operation().version;
        if self.removes_row(request, version) {
            return self.next(Step::RemoveRow);
        }
        self.removed_from_l3();
    }

    /// Puts a tombstone in place of what was found in L3, if it is still older.
    pub fn remove_row(&mut self) {
        let operation = self.operation();
        let (request, version) = (operation.request, operation.version);
        if self.removes_row(request, version) {
            self.state.database.replace(Row { version, content: Content::Gone });
        }
        self.removed_from_l3();
    }

    fn removes_row(&self, request: Request, version: Version) -> bool {
        let rules = self.scenario.rules;
        let version = if rules.has(Rule::RemovalByVersion) { version } else { Version::MAX };
        let row = self.state.database.row.filter(|row| row.version < version);
        row.is_some_and(|row| row.is_meant_by(request == Request::InvalidateAbove, rules.has(Rule::MarkersGo)))
    }

    /// What takes effect here is the removal of everything from L3, or of markers only.
    fn removed_from_l3(&mut self) {
        let operation = self.operation();
        let (request, version, reachable) = (operation.request, operation.version, operation.reachable);
        let outdated = match request {
            Request::InvalidateAbove => self.land_removal_above(version),
            _ => self.state.land_removal(version),
        };
        self.operation().outdated = outdated;
        let note_last = self.scenario.rules.has(Rule::NoteLast);
        match (reachable, note_last) {
            (true, _) => self.next(Step::RemoveCopies),
            (false, true) => self.next(Step::LeaveNote),
            (false, false) => self.finish_without_redis(),
        }
    }

    fn finish_without_redis(&mut self) {
        self.container().memory = None;
        self.acknowledge(true);
        self.end();
    }

    /// Without its marker a value is removed; what the marker had overwritten is nobody's business here.
    fn land_removal_above(&mut self, version: Version) -> Floor {
        if self.state.database.row.is_some_and(|row| row.content == Content::Value) {
            return Floor::default();
        }
        let before = self.state.history.outdated;
        self.state.land_removal(version).since(before)
    }

    /// Removes the copies from L2.
    pub fn remove_copies(&mut self) {
        let version = self.operation().version;
        let register = self.scenario.register;
        let mut done = false;
        let removed = self.redis(|redis| {
            done = true;
            match register {
                Register::L3 => redis.remove_older(version),
                Register::L2 => redis.bury_older(version),
            }
        });
        if done && register == Register::L2 {
            let outdated = self.state.land_removal(version);
            self.operation().outdated = outdated;
        }
        match removed {
            Some(()) => self.next(Step::Close),
            None => self.end(),
        }
    }

    /// Closes the barrier; one that a failover or flush has lost is put up again.
    pub fn close(&mut self) {
        let at = self.operation().barrier;
        let Some(found) = self.redis(|redis| redis.close(at)) else { return self.end() };
        self.sync();
        if !found && self.scenario.rules.has(Rule::CloseChecks) {
            return self.again(Step::OpenBarrier);
        }
        self.container().memory = None;
        self.acknowledge(false);
        self.end();
    }
}

impl Row {
    /// Whether an open barrier says that it does not exist.
    pub fn is_hidden_by(self, barrier: Barrier, markers_go: bool) -> bool {
        self.version < barrier.version && self.is_meant_by(!barrier.database, markers_go)
    }

    /// Whether an invalidate means it. A marker stands for a value above L3, and goes with it.
    fn is_meant_by(self, above_only: bool, markers_go: bool) -> bool {
        match self.content {
            Content::Gone => false,
            Content::Elsewhere => !above_only || markers_go,
            Content::Value => !above_only,
        }
    }
}

impl Database {
    /// Puts another row in place of the one that stands.
    pub fn replace(&mut self, row: Row) {
        self.previous = self.row.replace(row);
    }
}

impl Redis {
    /// Removes a copy that is older.
    pub fn remove_older(&mut self, version: Version) {
        self.copy = self.copy.filter(|copy| copy.version >= version);
    }

    /// Leaves a tombstone in place of a copy that is older.
    fn bury_older(&mut self, version: Version) {
        if let Some(copy) = &mut self.copy
            && copy.version < version
        {
            *copy = SharedCopy { version, stamp: 0, gone: true };
        }
    }

    /// Closes a barrier. Returns whether it was open.
    fn close(&mut self, at: Position) -> bool {
        let before = self.open.len();
        self.open.retain(|barrier| barrier.at != at);
        self.open.len() < before
    }
}
