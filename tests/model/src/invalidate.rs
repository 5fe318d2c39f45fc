//! Invalidate: an open record in the journal, L3, L2, and the record closed. While it is open, what it removes does not
//! exist.
//!
//! A job is acknowledged in between. Its note takes the place of the request that nobody repeats: whoever reads it
//! after a flush or a failover puts the open invalidation up again, and whoever cannot reach Redis reads it before L3.

use crate::{
    history::Floor,
    operation::{Operation, Step},
    rule::Rule,
    scenario::{Request, SourceOfTruth},
    state::{Content, Event, Note, OpenInvalidation, Row, Version},
    turn::Turn,
};

impl Turn<'_> {
    /// The journal has been read: takes a version.
    pub fn invalidate_synced(&mut self) {
        let version = self.draw();
        let epoch = self.knowledge().map_or(0, |knowledge| knowledge.epoch);
        let operation = self.operation();
        (operation.version, operation.epoch) = (version, epoch);
        self.next(Step::RecordInvalidation);
    }

    /// Appends the record of the invalidation, which opens it, in one script. One that is not newer than what was
    /// undone takes another version.
    pub fn record_invalidation(&mut self) {
        let undone = self.state.redis.meta.map_or(0, |meta| meta.undone);
        let is_behind = self.operation().version <= undone && !self.container().cut;
        if is_behind && self.scenario.rules.has(Rule::NewerThanUndone) {
            return self.invalidate_synced();
        }
        let at = self.state.next_tick();
        let (request, version) = (self.operation().request, self.operation().version);
        let open_invalidation = OpenInvalidation { at, version, database: request != Request::InvalidateAbove };
        let rules = self.scenario.rules;
        let opened = self.redis(|redis| {
            redis.append(at, Event::Invalidated);
            // It takes the place of those that were left behind.
            let aged = redis.aged;
            redis.open.retain(|older| older.at > aged || !older.is_passed_by(open_invalidation, rules));
            redis.open.push(open_invalidation);
        });
        if open_invalidation.database {
            self.state.expect_nothing();
        } else if opened.is_some() {
            self.spare_loads_that_landed();
        }
        self.operation().open_invalidation = at;
        match (opened, self.scenario.source_of_truth) {
            (None, SourceOfTruth::L2) => self.end(),
            (None, SourceOfTruth::L3) if request == Request::InvalidateAsJob => self.end(),
            // Not told, as far as is known: it goes on as without Redis.
            (None, SourceOfTruth::L3) => self.start_without_redis(),
            (Some(()), SourceOfTruth::L2) => self.next(Step::RemoveCopies),
            (Some(()), SourceOfTruth::L3) if request == Request::InvalidateAsJob => self.next(Step::LeaveJob),
            (Some(()), SourceOfTruth::L3) => {
                if request == Request::InvalidateUndoably {
                    let who = self.who;
                    self.state.database.undoable.push((version, who));
                }
                self.next(Step::Scan);
            }
        }
    }

    /// Looks for what is to be removed from L3.
    pub fn scan(&mut self) {
        let operation = self.operation();
        let (request, reachable) = (operation.request, operation.reachable);
        if !reachable {
            self.outwait_fills();
            let version = self.version_without_redis();
            self.operation().version = version;
        }
        let version = self.operation().version;
        self.operation().replaces = self.state.database.row.map_or(0, |row| row.version);
        if self.removal(request, version).is_some() {
            return self.next(Step::RemoveRow);
        }
        self.removed_from_l3();
    }

    /// Puts a tombstone in place of what was found in L3, if it is still older.
    pub fn remove_row(&mut self) {
        let operation = self.operation();
        let (request, version, reachable, seen) =
            (operation.request, operation.version, operation.reachable, operation.replaces);
        let is_seen = self.state.database.row.is_some_and(|row| row.version == seen);
        if !reachable && !is_seen && self.scenario.rules.has(Rule::LooksAgain) {
            return self.next(Step::Scan);
        }
        if let Some(row) = self.removal(request, version) {
            self.state.database.replace(row);
        }
        self.removed_from_l3();
    }

    /// What is put in the place of the row that stands, if it is meant and older.
    fn removal(&mut self, request: Request, version: Version) -> Option<Row> {
        let (rules, who) = (self.scenario.rules, self.who);
        let reachable = self.operation().reachable;
        let below = if rules.has(Rule::RemovalByVersion) { version } else { Version::MAX };
        let row = self.state.database.row?;
        let above_only = request == Request::InvalidateAbove;
        if let Content::Kept(born) = row.content {
            let is_own = self.state.database.undoable.contains(&(row.version, who)) && reachable;
            let strips = born < below && !is_own && !above_only && rules.has(Rule::SweepsStrip);
            let version = if reachable { version.max(row.version) } else { version };
            return strips.then_some(Row { version, content: Content::Gone });
        }
        if row.version >= below || !row.is_meant_by(above_only, rules) {
            return None;
        }
        let is_kept = request == Request::InvalidateUndoably && reachable && row.content == Content::Value;
        Some(Row { version, content: if is_kept { Content::Kept(row.version) } else { Content::Gone } })
    }

    /// What takes effect here is the removal of everything from L3, or of markers only.
    fn removed_from_l3(&mut self) {
        let operation = self.operation();
        let (request, version, reachable) = (operation.request, operation.version, operation.reachable);
        match request {
            Request::InvalidateAbove => self.operation().outdated = self.land_removal_above(version),
            _ => self.land_invalidation(),
        }
        if !reachable && request == Request::InvalidateAbove {
            self.spare_loads_that_landed();
        }
        let operation = self.operation();
        (operation.swept, operation.left_in) = (true, None);
        let note_last = self.scenario.rules.has(Rule::NoteLast);
        match (reachable, note_last) {
            (true, _) => self.next(Step::RemoveCopies),
            (false, true) => self.next(Step::ReadGeneration),
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
        let is_spared = |row: Row| matches!(row.content, Content::Value | Content::Kept(_));
        if self.state.database.row.is_some_and(is_spared) {
            return Floor::default();
        }
        let before = self.state.history.outdated;
        self.state.land_removal(version).since(before)
    }

    /// Removes the copies from L2.
    pub fn remove_copies(&mut self) {
        let version = self.operation().version;
        let source_of_truth = self.scenario.source_of_truth;
        let mut done = false;
        let removed = self.redis(|redis| {
            done = true;
            match source_of_truth {
                SourceOfTruth::L3 => redis.remove_older(version),
                SourceOfTruth::L2 => redis.bury_older(version),
            }
        });
        if done && source_of_truth == SourceOfTruth::L2 {
            let outdated = self.state.land_removal(version);
            self.operation().outdated = outdated;
        }
        match removed {
            Some(()) => self.next(Step::Close),
            None => self.end(),
        }
    }

    /// Closes the open invalidation, and those before it that mean no more; one that a failover or flush has lost is
    /// put up again.
    pub fn close(&mut self) {
        let Operation { request, version, open_invalidation: at, .. } = *self.operation();
        let open_invalidation = OpenInvalidation { at, version, database: request != Request::InvalidateAbove };
        let rules = self.scenario.rules;
        // Whoever undoes it must see which older ones are still at work.
        let passes = request != Request::InvalidateUndoably || !rules.has(Rule::UndoablePassesNone);
        let Some(found) = self.redis(|redis| redis.close(open_invalidation, passes, rules)) else { return self.end() };
        self.sync();
        let job = self.operation().request == Request::InvalidateAsJob;
        if !found && self.scenario.rules.has(Rule::CloseChecks) {
            return if job { self.again(Step::RestoreInvalidation) } else { self.invalidate_anew() };
        }
        if !job && self.is_from_before_epoch() {
            return self.invalidate_anew();
        }
        if job {
            return self.next(Step::DropJob);
        }
        self.container().memory = None;
        self.acknowledge(false);
        self.end();
    }

    /// Leaves a note that stays.
    pub fn leave_job(&mut self) {
        let version = self.operation().version;
        if self.scenario.rules.has(Rule::JobNote) {
            self.state.database.notes.push(Note::Job(version));
        }
        let others = self.state.containers.iter_mut().filter_map(|container| container.operation.as_mut());
        others.for_each(|operation| operation.overlaps_job = true);
        self.state.expect_nothing();
        self.next(Step::LearnJob);
    }

    /// Reads the own record, sees that the open invalidation still stands, now that its note is left, and acknowledges.
    /// From now on nothing below the open invalidation exists, removed or not.
    pub fn learn_job(&mut self) {
        let version = self.operation().version;
        if self.scenario.rules.has(Rule::LearnOwnJob) {
            if !self.sync() {
                return self.end();
            }
            let open = self.knowledge().map(|knowledge| knowledge.open.as_slice()).unwrap_or_default();
            let is_open = open.iter().any(|open_invalidation| open_invalidation.version == version);
            if self.is_from_before_epoch() {
                return self.invalidate_anew();
            }
            if !is_open {
                return self.next(Step::RestoreInvalidation);
            }
        }
        let outdated = self.state.land_removal(version);
        self.operation().outdated = outdated;
        self.container().memory = None;
        self.acknowledge(false);
        self.next(Step::Scan);
    }

    /// Begins anew, with another version.
    fn invalidate_anew(&mut self) {
        self.again(Step::RecordInvalidation);
        if self.container().operation.is_some() {
            self.invalidate_synced();
        }
    }

    /// Whether an epoch began since it took its version.
    fn is_from_before_epoch(&mut self) -> bool {
        let began = self.operation().epoch;
        let epoch = self.knowledge().map_or(0, |knowledge| knowledge.epoch);
        let rules = self.scenario.rules;
        let applies = rules.has(Rule::AnewAfterEpoch) && rules.has(Rule::CloseChecks);
        began != epoch && self.scenario.source_of_truth == SourceOfTruth::L3 && applies
    }

    /// A failover or flush has lost the open invalidation of a job: it is put up again with the version it had, unless
    /// somebody who read the notes has done that.
    pub fn restore_invalidation(&mut self) {
        let (at, version) = (self.state.next_tick(), self.operation().version);
        let restored = self.redis(|redis| {
            redis.restore(at, version);
            redis
                .open
                .iter()
                .find(|open_invalidation| open_invalidation.version == version)
                .map_or(at, |open_invalidation| open_invalidation.at)
        });
        match restored {
            Some(at) => {
                let operation = self.operation();
                operation.open_invalidation = at;
                let acknowledged = !operation.outdated.is_empty();
                self.next(if acknowledged { Step::Scan } else { Step::LearnJob });
            }
            None => self.end(),
        }
    }

    /// The job is done.
    pub fn drop_job(&mut self) {
        let version = self.operation().version;
        self.state.database.notes.retain(|note| *note != Note::Job(version));
        self.end();
    }
}
