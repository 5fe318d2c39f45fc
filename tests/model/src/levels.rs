//! What one command does to Redis or to a row of DynamoDB, whoever sends it.

use crate::{
    rule::{Rule, Rules},
    state::{Content, Database, Event, Note, OpenInvalidation, Position, Redis, Row, SharedCopy, Version},
};

impl Redis {
    /// Writes a copy over an older one, or over exactly the distrusted one that was seen. Returns whether it did.
    pub fn store(&mut self, copy: SharedCopy, seen: Option<(Version, Position)>, conditional: bool) -> bool {
        let stands = |old: SharedCopy| {
            Some((old.version, old.as_of)) != seen && (old.version, old.as_of) >= (copy.version, copy.as_of)
        };
        if conditional && self.copy.is_some_and(stands) {
            return false;
        }
        self.copy = Some(copy);
        true
    }

    /// Removes exactly one copy.
    pub fn undo(&mut self, version: Version, as_of: Position) {
        self.copy = self.copy.filter(|copy| (copy.version, copy.as_of) != (version, as_of));
    }

    /// Removes a copy that is older.
    pub fn remove_older(&mut self, version: Version) {
        self.copy = self.copy.filter(|copy| copy.version >= version);
    }

    /// Leaves a tombstone in place of a copy that is older.
    pub fn bury_older(&mut self, version: Version) {
        if let Some(copy) = &mut self.copy
            && copy.version < version
        {
            *copy = SharedCopy { version, as_of: 0, gone: true };
        }
    }

    /// Puts up the open invalidation of a job, unless it stands.
    pub fn restore(&mut self, at: Position, version: Version) {
        if self.open.iter().all(|open_invalidation| open_invalidation.version != version) {
            self.append(at, Event::Invalidated);
            self.open.push(OpenInvalidation { at, version, database: true });
        }
    }

    /// Closes an open invalidation, and those that it passes. Returns whether it was open, or closed by one that passed
    /// it.
    pub fn close(&mut self, done: OpenInvalidation, passes: bool, rules: Rules) -> bool {
        let before = self.open.len();
        self.open.retain(|open_invalidation| open_invalidation.at != done.at);
        if self.open.len() == before {
            return self.passed.contains(&done.at);
        }
        let passed = |open_invalidation: &OpenInvalidation| passes && open_invalidation.is_passed_by(done, rules);
        self.passed.extend(self.open.iter().copied().filter(passed).map(|open_invalidation| open_invalidation.at));
        self.open.retain(|open_invalidation| !passed(open_invalidation));
        true
    }
}

impl OpenInvalidation {
    /// Whether nothing is left of it once another has removed all that it means.
    pub fn is_passed_by(self, done: OpenInvalidation, rules: Rules) -> bool {
        let older = self.version < done.version || !rules.has(Rule::PassesOlder);
        let no_more = done.database || !self.database || !rules.has(Rule::PassesNoMore);
        self.at != done.at && older && no_more
    }
}

impl Row {
    /// Whether an open invalidation says that it does not exist.
    pub fn is_masked_by(self, open_invalidation: OpenInvalidation, rules: Rules) -> bool {
        self.version < open_invalidation.version && self.is_meant_by(!open_invalidation.database, rules)
    }

    /// Whether an invalidate means it. A marker stands for a value above L3, and goes with it; the
    /// claim of a fill always goes.
    pub fn is_meant_by(self, above_only: bool, rules: Rules) -> bool {
        match self.content {
            Content::Gone | Content::Kept(_) => false,
            Content::Pending => rules.has(Rule::ClaimsGo),
            Content::Elsewhere => !above_only || rules.has(Rule::MarkersGo),
            Content::Value => !above_only,
        }
    }
}

impl Database {
    /// Puts another row in place of the one that stands.
    pub fn replace(&mut self, row: Row) {
        self.previous = self.row.replace(row);
    }

    /// The version of the newest job that has not removed everything; 0 for none.
    pub fn newest_job(&self) -> Version {
        let jobs = self.notes.iter().map(|note| if let Note::Job(version) = note { *version } else { 0 });
        jobs.max().unwrap_or(0)
    }

    /// The version of the oldest of those.
    pub fn oldest_job(&self) -> Option<Version> {
        self.notes.iter().filter_map(|note| if let Note::Job(version) = note { Some(*version) } else { None }).min()
    }
}
