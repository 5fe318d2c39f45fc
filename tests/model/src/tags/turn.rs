//! One step of one process.

use super::{
    GAP, IndexRow, Kind, Process, Request, Row, Rule, Scenario, State, Step, Tags, Target, Version, Write,
    properties::Way,
};

/// Names that are above all versions: only a mistake draws them.
const FAR: Version = 200;

/// A step that is being taken.
pub(super) struct Turn<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) state: &'a mut State,
    pub(super) number: usize,
}

impl Process {
    pub(super) fn new(request: Request) -> Process {
        let (step, found) = (Step::Begin, Vec::new());
        Process { request, step, tries: 1, version: 0, name: 0, seen: None, claimed: false, found, must: 0 }
    }

    /// The tags that it puts or invalidates, and the last age in which its value lives.
    pub(super) fn tags(&self) -> (Tags, u8) {
        match self.request {
            Request::Put(tags, ends) => (tags, ends),
            Request::Delete | Request::Undo | Request::Tidy => (Tags::NONE, 1),
            Request::PutNoted(tags)
            | Request::Patch(tags)
            | Request::Fill(tags)
            | Request::Invalidate(tags)
            | Request::InvalidateUndoably(tags)
            | Request::FormerPut(tags)
            | Request::FormerInvalidate(tags) => (tags, 1),
        }
    }

    pub(super) fn invalidates(&self) -> bool {
        use Request::{FormerInvalidate, Invalidate, InvalidateUndoably};
        matches!(self.request, Invalidate(_) | InvalidateUndoably(_) | FormerInvalidate(_))
    }

    /// The row that it puts.
    fn row(&self) -> Row {
        let (tags, ends) = self.tags();
        let until = if matches!(self.request, Request::FormerPut(_)) { 0 } else { ends };
        match self.request {
            Request::Delete => Row::tombstone(self.version),
            _ => Row::value(self.version, self.name, tags, ends, until),
        }
    }
}

impl State {
    /// Does a write, and sees whether that was right.
    pub(super) fn land(&mut self, write: Write, scenario: &Scenario) -> Result<Option<Row>, ()> {
        let before = self.table.write(write, scenario)?;
        match write {
            Write::Keep(.., tags) => self.broken.mistagged |= self.table.row.is_some_and(|row| row.tags != tags),
            Write::Bury(.., tag) => self.broken.taken |= before.is_some_and(|row| !row.tags.has(tag)),
            _ => {}
        }
        Ok(before)
    }

    /// Whether a process need not wait: an undo does, for every invalidation.
    pub(super) fn may_step(&self, number: usize) -> bool {
        let waits = matches!(self.processes[number].request, Request::Undo | Request::Tidy);
        let is_under_way = |process: &Process| !matches!(process.step, Step::Begin | Step::End);
        !waits || !self.processes.iter().any(|process| process.invalidates() && is_under_way(process))
    }
}

impl Turn<'_> {
    pub(super) fn process(&mut self) -> &mut Process {
        &mut self.state.processes[self.number]
    }

    pub(super) fn has(&self, rule: Rule) -> bool {
        self.scenario.has(rule)
    }

    pub(super) fn draw(&mut self) -> Version {
        self.state.tick += GAP;
        self.state.tick
    }

    pub(super) fn next(&mut self, step: Step) {
        self.process().step = step;
    }

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
            Step::Strip(standing) => Write::Put(Row::tombstone(version.max(standing)), Target::Kept(standing)),
            Step::Restore => Write::Restore(seen, seen + 1),
            Step::Begin | Step::Sync | Step::Query | Step::End => return None,
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
            _ => unreachable!("every other step writes"),
        }
    }

    fn begin(&mut self, way: Way) {
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
                let Some(seen) = row.filter(|row| row.kind == Kind::Value) else { return self.next(Step::End) };
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
}
