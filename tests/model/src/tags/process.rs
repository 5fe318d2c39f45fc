//! A process, and what every step of it is made of.

use super::{GAP, Process, Request, Row, Rule, Scenario, State, Step, Tags, Version, Write};

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
            | Request::MakeStale(tags)
            | Request::FormerPut(tags)
            | Request::FormerInvalidate(tags) => (tags, 1),
        }
    }

    pub(super) fn invalidates(&self) -> bool {
        use Request::{FormerInvalidate, Invalidate, InvalidateUndoably, MakeStale};
        matches!(self.request, Invalidate(_) | InvalidateUndoably(_) | MakeStale(_) | FormerInvalidate(_))
    }

    /// The row that it puts.
    pub(super) fn row(&self) -> Row {
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
            Write::Bury(.., tag) | Write::EndLife(.., tag) => {
                self.broken.taken |= before.is_some_and(|row| !row.tags.has(tag))
            }
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
}
