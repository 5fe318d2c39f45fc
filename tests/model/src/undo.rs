//! Undo: the newest values that an invalidation has removed are brought back, where nothing else has touched them
//! since.
//!
//! It brings back as the version just above that of the invalidation (the newest, where that has begun anew), so that
//! whatever else ends a value, and began before or after, is to it what it would have been to the value: what is older
//! has taken the body from the tombstone or is waited for, what is newer replaces or removes what was brought back.

use crate::{
    operation::Step,
    rule::Rule,
    scenario::Request,
    state::{Content, Event, Row, State, Version},
    turn::Turn,
};

impl Turn<'_> {
    /// Says in Redis what is undone, and reads the journal after that.
    pub fn mark_undone(&mut self) {
        let Some((first, who)) = self.state.database.undoable.first().copied() else { return self.end() };
        let own = self.state.database.undoable.iter().filter(|(_, began)| *began == who);
        let undone = own.map(|(version, _)| *version).max().unwrap_or(first);
        let marked = self.redis(|redis| {
            if let Some(meta) = &mut redis.meta {
                meta.undone = meta.undone.max(undone);
            }
        });
        if marked.is_none() || !self.sync() {
            return self.end();
        }
        self.operation().version = undone;
        let rules = self.scenario.rules;
        let blocks = |version: Version| match version {
            version if version == undone => rules.has(Rule::UndoAfterClose),
            version => version < undone && rules.has(Rule::UndoAfterOlder),
        };
        if self
            .knowledge()
            .is_none_or(|known| known.open.iter().any(|open_invalidation| blocks(open_invalidation.version)))
        {
            return self.end();
        }
        self.next(Step::LearnJobs);
    }

    /// Reads which jobs are not done: Redis may have lost what they hold open.
    pub fn learn_jobs(&mut self) {
        let undone = self.operation().version;
        let older = self.state.database.oldest_job().is_some_and(|job| job <= undone);
        if older && self.scenario.rules.has(Rule::UndoReadsJobs) {
            return self.end();
        }
        self.next(Step::Restore);
    }

    /// Brings the row back.
    pub fn restore(&mut self) {
        let rules = self.scenario.rules;
        let undone = self.operation().version;
        let who = self.state.database.undoable.first().map(|(_, who)| *who);
        let undoable = self.state.database.undoable.clone();
        let is_own = |version| undoable.iter().any(|&(own, began)| own == version && Some(began) == who);
        if let Some(Row { version, content: Content::Kept(born) }) = self.state.database.row
            && (is_own(version) || !rules.has(Rule::UndoExactly))
        {
            let restored = match rules {
                _ if !rules.has(Rule::UndoIsNew) => born,
                _ if !rules.has(Rule::UndoJustAbove) => self.draw(),
                _ => undone + 1,
            };
            self.state.database.replace(Row { version: restored, content: Content::Value });
            let by = Some(version).filter(|version| is_own(*version));
            self.state.land_undo(born, by, restored);
        }
        // An invalidation that is undone has been before: what it removes from now on it must not.
        self.state.history.undone = Some(undone);
        self.next(Step::RecordUndo);
    }

    /// Appends the record and acknowledges.
    pub fn record_undo(&mut self) {
        let at = self.state.next_tick();
        if self.redis(|redis| redis.append(at, Event::Others)).is_none() {
            return self.end();
        }
        let present = self.expects_value();
        self.operation().outdated.present = present;
        self.acknowledge(false);
        self.end();
    }

    /// Whether the value that stands must be found: nothing else that could end it, or is about to, is under way.
    fn expects_value(&mut self) -> bool {
        let State { history, containers, redis, database, .. } = &*self.state;
        let undone = history.undone;
        let others = containers.iter().filter_map(|container| container.operation.as_ref());
        let is_alone = others.filter(|other| Some(other.version) != undone).all(|other| !other.request.changes());
        let hides =
            |version: Version| redis.open.iter().any(|open| Some(open.version) != undone && open.version > version);
        let row = database.row.filter(|row| row.content == Content::Value).map(|row| row.version);
        let stands = history.current.filter(|current| row == Some(*current) && !hides(*current));
        is_alone && database.notes.is_empty() && stands.is_some()
    }

    /// The removal of what an invalidation means takes effect, unless it was undone before that.
    pub fn land_invalidation(&mut self) {
        let operation = self.operation();
        let (request, version, reachable) = (operation.request, operation.version, operation.reachable);
        if self.state.history.undone == Some(version) {
            return;
        }
        let outdated = match request {
            Request::InvalidateUndoably if reachable => self.state.land_undoable(version, self.who),
            _ => self.state.land_removal(version),
        };
        self.operation().outdated = outdated;
    }
}
