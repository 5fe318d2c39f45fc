//! A PUT, a PATCH, a fill or a DELETE: from index rows to the row, and again where that is refused.

use super::{Kind, MOST_TRIES, Request, Row, Rule, Step, Tags, Version, Write, process::Turn, properties::Way};

/// Names that are above all versions: only a mistake draws them.
const FAR: Version = 200;

impl Turn<'_> {
    /// Begins.
    pub(super) fn begin(&mut self, way: Way) {
        let row = self.state.table.row;
        self.process().seen = row;
        let (request, number) = (self.process().request, self.number as Version);
        match request {
            Request::Undo | Request::Tidy => {
                let kept = row.filter(|row| matches!(row.kind, Kind::Kept(_)));
                let undo = request == Request::Undo;
                self.next(kept.map_or(Step::End, |row| if undo { Step::Restore } else { Step::Strip(row.version) }));
            }
            Request::Patch(tags) => {
                let Some(seen) = row.filter(|row| row.kind == Kind::Value && !row.stale) else {
                    return self.next(Step::End);
                };
                let renamed = self.has(Rule::NameHasTags);
                let process = self.process();
                process.version = seen.version + 2 + number;
                if tags == seen.tags {
                    return self.next(Step::Keep);
                }
                process.name = if renamed { process.version } else { seen.name };
                self.index();
            }
            Request::Put(..) if way == Way::Ahead => {
                let below = self.has(Rule::NamesBelow);
                self.process().name = if below { self.draw() } else { FAR + number };
                self.index();
            }
            _ => {
                let version = self.draw();
                self.process().version = version;
                if self.process().invalidates() {
                    return self.next(Step::Query);
                }
                match (request, way) {
                    (_, Way::Keep) => return self.next(Step::Keep),
                    (Request::Fill(_), _) if row.is_some_and(|row| row.kind == Kind::Value) => {
                        return self.next(Step::End);
                    }
                    _ => {}
                }
                self.process().name = version;
                if way == Way::Ahead { self.next(Step::Claim) } else { self.index() }
            }
        }
    }

    /// Writes the index rows, if there are any to write.
    pub(super) fn index(&mut self) {
        let (tags, _) = self.process().tags();
        if let Some(seen) = self.process().seen.filter(|_| !self.has(Rule::DropLast)) {
            for tag in [Tags::X, Tags::Y].into_iter().filter(|tag| seen.tags.has(*tag)) {
                self.state.table.write(Write::Drop(tag, seen.name), self.scenario).ok();
            }
        }
        if tags == Tags::NONE || !self.has(Rule::RowsFirst) { self.indexed() } else { self.next(Step::Index(tags)) }
    }

    pub(super) fn indexed(&mut self) {
        let process = self.process();
        let step = match process.request {
            Request::Fill(_) if process.claimed => Step::Flip,
            Request::Fill(_) => Step::Claim,
            _ if process.version == 0 => Step::Sync,
            _ => Step::Row,
        };
        self.next(step);
    }

    /// The row is claimed; what it said is dropped beside that.
    pub(super) fn claimed(&mut self, before: Option<Row>) {
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

    pub(super) fn replaced(&mut self, before: Option<Row>) {
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
    pub(super) fn refused(&mut self) {
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

    pub(super) fn retry(&mut self) {
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
    pub(super) fn not_kept(&mut self) {
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
