//! One step of one process.

use super::{IndexRow, Kind, Request, Row, Rule, Step, Tags, Target, Version, Write, process::Turn, properties::Way};

impl Turn<'_> {
    /// How its next step may go.
    pub(super) fn ways(&self) -> Vec<Way> {
        let process = &self.state.processes[self.number];
        let (tags, _) = process.tags();
        let stands = self.state.table.row.filter(|row| row.kind == Kind::Value);
        let keeps = tags != Tags::NONE && stands.is_some_and(|row| row.tags == tags);
        let is_put = matches!(process.request, Request::Put(..));
        let mut ways = vec![Way::Plain];
        match process.step {
            Step::Begin if is_put => {
                ways.extend((tags != Tags::NONE).then_some(Way::Ahead));
                ways.extend(keeps.then_some(Way::Keep));
            }
            Step::Sync => ways.extend(keeps.then_some(Way::Keep)),
            Step::Begin if matches!(process.request, Request::Fill(_)) => ways.push(Way::Ahead),
            Step::Flip => ways.push(Way::Ahead),
            _ => {}
        }
        if self.state.repeated > 0 && self.write(Way::Plain).is_some() {
            ways.extend([Way::AnswerLost, Way::Twice]);
        }
        ways
    }

    /// What its next step writes.
    fn write(&self, way: Way) -> Option<Write> {
        let process = &self.state.processes[self.number];
        let ((tags, ends), version, row) = (process.tags(), process.version, process.row());
        let seen = process.seen.map_or(0, |seen| seen.version);
        let keeps = matches!(process.request, Request::InvalidateUndoably(_));
        let is_former = matches!(process.request, Request::FormerInvalidate(_));
        Some(match process.step {
            Step::Index(rest) => Write::Index(IndexRow { tag: rest.first()?, name: process.name, until: ends }),
            Step::Row if matches!(process.request, Request::Patch(_)) => Write::Put(row, Target::Exactly(seen)),
            Step::Row => Write::Put(row, Target::Older),
            Step::Keep => Write::Keep(seen, version, ends, tags),
            Step::Drop(name, rest) | Step::DropAndRetry(name, rest) => Write::Drop(rest.first()?, name),
            Step::Claim => Write::Put(Row { kind: Kind::Claim, until: 0, ..row }, Target::Seen(process.seen)),
            Step::Flip if way == Way::Ahead => Write::Put(Row::tombstone(version), Target::Claim(version)),
            Step::Flip => Write::Put(row, Target::Claim(version)),
            Step::Remove => {
                let name = process.found[0];
                let target = match (is_former, self.has(Rule::Named)) {
                    (true, _) => Target::Version(name),
                    (false, true) => Target::Named(name),
                    (false, false) => Target::Any,
                };
                Write::Bury(version, target, keeps, tags)
            }
            Step::RemoveExactly(standing) => Write::Bury(version, Target::Version(standing), keeps, tags),
            Step::EndLife => Write::EndLife(seen, seen + 5 + self.number as Version, tags),
            Step::Strip(standing) => Write::Put(Row::tombstone(version.max(standing)), Target::Kept(standing)),
            Step::Restore => Write::Restore(seen, seen + 1),
            Step::Begin | Step::Sync | Step::Query | Step::Look | Step::End => return None,
        })
    }

    /// Takes the next step.
    pub(super) fn run(&mut self, way: Way) {
        let Some(write) = self.write(way) else { return self.go_on(way) };
        let repeated = matches!(way, Way::AnswerLost | Way::Twice);
        self.state.repeated -= u8::from(repeated);
        let written = self.state.land(write, self.scenario);
        match way {
            Way::AnswerLost => {}
            Way::Twice => {
                self.state.late.push(write);
                self.state.late.sort_unstable();
                self.wrote(way, written);
            }
            _ => self.wrote(way, written),
        }
    }

    /// A step that writes nothing.
    fn go_on(&mut self, way: Way) {
        match self.process().step {
            Step::Begin => self.begin(way),
            Step::Sync => {
                let (version, row) = (self.draw(), self.state.table.row);
                let process = self.process();
                process.version = version;
                if way == Way::Keep {
                    process.seen = row;
                }
                self.next(if way == Way::Keep { Step::Keep } else { Step::Row });
            }
            Step::Query => self.query(),
            Step::Look => self.look(),
            _ => unreachable!("every other step writes"),
        }
    }

    /// A write was answered.
    fn wrote(&mut self, way: Way, written: Result<Option<Row>, ()>) {
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
            (Step::EndLife, Ok(_)) => self.search_on(),
            (Step::EndLife, Err(())) => self.next(Step::Look),
            (Step::Strip(_), Ok(before)) => {
                let before = before.expect("a tombstone stood there");
                self.drop(before.name, before.tags);
            }
            (Step::Strip(_), Err(())) if self.process().invalidates() => self.not_removed(0),
            (Step::Strip(_), Err(())) => self.next(Step::End),
            (Step::Begin | Step::Sync | Step::Query | Step::Look | Step::End, _) => unreachable!("they write nothing"),
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
}
