//! What follows on the answer to a write.

use super::{MOST_TRIES, Request, Row, Rule, Step, Tags, Version, Write, properties::Way, turn::Turn};

impl Turn<'_> {
    /// A write was answered.
    pub(super) fn wrote(&mut self, way: Way, written: Result<Option<Row>, ()>) {
        let process = self.process();
        let (name, (tags, _)) = (process.name, process.tags());
        match (process.step, written) {
            (Step::Index(rest) | Step::Drop(_, rest) | Step::DropAndRetry(_, rest), _) => {
                self.rest(rest.without(rest.first().expect("it was written")));
            }
            (Step::Row, Ok(before)) => self.replaced(before),
            (Step::Row, Err(())) => self.refused(),
            (Step::Keep, Ok(before)) => {
                let dropped = before.filter(|_| !self.has(Rule::KeptRowsStay));
                let (name, tags) = dropped.map_or((name, tags), |row| (row.name, row.tags));
                self.drop(name, tags);
            }
            (Step::Keep, Err(())) => self.not_kept(),
            (Step::Claim, Ok(before)) => self.claimed(before),
            (Step::Flip, Ok(_)) if way == Way::Ahead => self.drop(name, tags),
            (Step::Claim | Step::Flip | Step::Restore, _) => self.next(Step::End),
            (Step::Remove | Step::RemoveExactly(_), Ok(before)) => self.removed(before),
            (Step::Remove, Err(())) => {
                let name = self.process().found[0];
                self.not_removed(name);
            }
            (Step::RemoveExactly(standing), Err(())) => self.not_removed(standing),
            (Step::Strip(_), Ok(before)) => {
                let before = before.expect("a tombstone stood there");
                self.drop(before.name, before.tags);
            }
            (Step::Strip(_), Err(())) if self.process().invalidates() => self.not_removed(0),
            (Step::Strip(_), Err(())) => self.next(Step::End),
            (Step::Begin | Step::Sync | Step::Query | Step::End, _) => unreachable!("they write nothing"),
        }
    }

    /// Goes on with the index rows of the other tags, if there are any.
    fn rest(&mut self, rest: Tags) {
        let invalidates = self.process().invalidates();
        match (self.process().step, rest) {
            (Step::Index(_), Tags::NONE) if !self.has(Rule::RowsFirst) => self.next(Step::End),
            (Step::Index(_), Tags::NONE) => self.indexed(),
            (Step::Drop(..), Tags::NONE) if invalidates => self.search_on(),
            (Step::DropAndRetry(..), Tags::NONE) => self.retry(),
            (_, Tags::NONE) => self.next(Step::End),
            (Step::Drop(name, _), _) => self.next(Step::Drop(name, rest)),
            (Step::DropAndRetry(name, _), _) => self.next(Step::DropAndRetry(name, rest)),
            (_, _) => self.next(Step::Index(rest)),
        }
    }

    /// The row is claimed; what it said is dropped beside that.
    fn claimed(&mut self, before: Option<Row>) {
        let process = self.process();
        process.claimed = true;
        let (name, (tags, _)) = (process.name, process.tags());
        if let Some(row) = before.filter(|row| row.name != name) {
            for tag in [Tags::X, Tags::Y].into_iter().filter(|tag| row.tags.has(*tag)) {
                self.state.table.write(Write::Drop(tag, row.name), self.scenario).ok();
            }
        }
        let is_indexed = self.state.table.index.iter().any(|row| row.name == name);
        self.next(if is_indexed { Step::Flip } else { Step::Index(tags) });
    }

    /// Drops index rows, if there are any of that name, and ends.
    pub(super) fn drop(&mut self, name: Version, tags: Tags) {
        let step = if name == 0 || tags == Tags::NONE { Step::End } else { Step::Drop(name, tags) };
        match step {
            Step::End if self.process().invalidates() => self.search_on(),
            step => self.next(step),
        }
    }

    fn replaced(&mut self, before: Option<Row>) {
        let process = self.process();
        let (name, (tags, _), seen) = (process.name, process.tags(), process.seen);
        if !self.has(Rule::RowsFirst) && tags != Tags::NONE {
            return self.next(Step::Index(tags));
        }
        let before = if matches!(self.process().request, Request::PutNoted(_)) { seen } else { before };
        match before {
            // Only a mistake: another of the same name had other tags.
            Some(row) if row.name == name && !self.has(Rule::NameHasTags) => {
                self.drop(name, Tags(row.tags.0 & !tags.0));
            }
            Some(row) if row.name != name => self.drop(row.name, row.tags),
            _ => self.next(Step::End),
        }
    }

    /// The row was refused, and what it needs goes with it.
    fn refused(&mut self) {
        let standing = self.state.table.row;
        let (new_name, spares) = (self.has(Rule::NewName), self.has(Rule::StandingSpared));
        let process = self.process();
        let (name, (tags, _)) = (process.name, process.tags());
        let is_own = standing.is_some_and(|row| row.version == process.version);
        let is_former = matches!(process.request, Request::FormerPut(_));
        if is_own {
            return self.next(Step::End);
        }
        let is_used = !is_former && spares && standing.is_some_and(|row| row.name == name);
        if tags == Tags::NONE || is_used || !new_name {
            self.retry()
        } else {
            self.next(Step::DropAndRetry(name, tags))
        }
    }

    fn retry(&mut self) {
        if matches!(self.process().request, Request::Patch(_)) || self.process().tries == MOST_TRIES {
            return self.next(Step::End);
        }
        let (version, new_name) = (self.draw(), self.has(Rule::NewName));
        let process = self.process();
        (process.version, process.tries) = (version, process.tries + 1);
        if new_name || process.name == 0 {
            process.name = version;
            self.index();
        } else {
            self.next(Step::Row);
        }
    }

    /// What was to be kept is not there, or not for long enough.
    fn not_kept(&mut self) {
        let standing = self.state.table.row;
        let process = self.process();
        let (version, name, (tags, _)) = (process.version, process.name, process.tags());
        let seen = process.seen.map_or(0, |row| row.version);
        let is_patch = matches!(process.request, Request::Patch(_));
        match standing.map_or(0, |row| row.version) {
            own if own == version => self.drop(name, tags),
            newer if newer > version && name == 0 => self.retry(),
            newer if newer > version => self.next(Step::DropAndRetry(name, tags)),
            other if is_patch && other != seen => self.next(Step::End),
            _ if name == 0 => {
                self.process().name = version;
                self.index();
            }
            _ => self.next(Step::Row),
        }
    }
}
