//! Outage notes: whoever finds that nobody has read them lately puts them into the journal.

use crate::{
    operation::Step,
    scenario::{Request, Rule},
    state::{Barrier, Event, Note, Redis, State},
    turn::Turn,
};

impl Turn<'_> {
    /// Reads the notes.
    pub fn read_notes(&mut self) {
        let mut notes = self.state.database.notes.clone();
        if !self.scenario.rules.has(Rule::Notes) {
            notes.clear();
        }
        let noted = self.state.history.degraded;
        let operation = self.operation();
        (operation.notes, operation.noted) = (notes, noted);
        self.replay_from(0);
    }

    fn replay_from(&mut self, number: u8) {
        let more = usize::from(number) < self.operation().notes.len();
        self.next(if more { Step::ReplayRecord(number) } else { Step::NotesChecked });
    }

    /// Puts a note into the journal.
    pub fn replay_record(&mut self, number: u8) {
        let note = self.operation().notes[usize::from(number)];
        let at = self.state.next_tick();
        match self.redis(|redis| redis.replay_record(note, at)) {
            Some(()) => self.replay_from(number + 1),
            None => self.notes_failed(),
        }
    }

    /// Removes from L2 what the note outdated.
    pub fn replay_removal(&mut self, number: u8) {
        let note = self.operation().notes[usize::from(number)];
        match self.redis(|redis| redis.replay_removal(note)) {
            Some(()) => self.remove_from(number + 1),
            // The journal has them; what is left in L2 is removed when they are read again.
            None => self.leave_notes(),
        }
    }

    fn remove_from(&mut self, number: u8) {
        let more = usize::from(number) < self.operation().notes.len();
        self.next(if more { Step::ReplayRemoval(number) } else { Step::DropNotes });
    }

    /// Remembers that the notes were read, and reads the journal.
    pub fn notes_checked(&mut self) {
        let noted = self.operation().noted;
        let checked = self.redis(|redis| {
            if let Some(meta) = &mut redis.meta {
                meta.notes.get_or_insert_default().raise(noted);
            }
        });
        if checked.is_none() || !self.sync() {
            return self.notes_failed();
        }
        let operation = self.operation();
        if operation.request == Request::Get {
            operation.floor.raise(noted);
        }
        let replayed = operation.notes.iter().any(|note| note.barrier().is_none());
        self.container().owes_notes = false;
        if replayed { self.remove_from(0) } else { self.leave_notes() }
    }

    /// Deletes the notes that the journal has. A job deletes its own.
    pub fn drop_notes(&mut self) {
        let replayed = self.operation().notes.clone();
        self.state.database.notes.retain(|note| note.barrier().is_some() || !replayed.contains(note));
        self.leave_notes();
    }

    /// Redis went away before the journal had them: nothing but L3 may be trusted.
    fn notes_failed(&mut self) {
        self.forget_notes();
        self.start_without_redis();
    }

    fn leave_notes(&mut self) {
        self.forget_notes();
        self.go_on();
    }

    fn forget_notes(&mut self) {
        self.operation().notes.clear();
        self.operation().noted = Default::default();
    }
}

impl State {
    /// Whether there is a note that says more than Redis does. Reading others changes nothing.
    pub fn has_news_in_notes(&self) -> bool {
        let known = |note: &Note| note.barrier().is_some_and(|barrier| self.redis.open.contains(&barrier));
        self.database.notes.iter().any(|note| !known(note))
    }
}

impl Note {
    /// The barrier that an acknowledged job goes on behind.
    pub fn barrier(self) -> Option<Barrier> {
        match self {
            Note::Open(barrier) => Some(barrier),
            Note::Changed(_) | Note::Invalidated(_) => None,
        }
    }
}

impl Redis {
    fn replay_record(&mut self, note: Note, at: u8) {
        match note {
            Note::Changed(version) => self.append(at, Event::Changed(version)),
            Note::Invalidated(_) => self.append(at, Event::Invalidated),
            Note::Open(barrier) if self.open.contains(&barrier) => {}
            Note::Open(barrier) => {
                self.append(at, Event::Invalidated);
                self.open.push(barrier);
            }
        }
    }

    fn replay_removal(&mut self, note: Note) {
        match note {
            // Also a copy of that very version, which may have arrived after it was given up.
            Note::Changed(version) => self.remove_older(version + 1),
            Note::Invalidated(_) => self.copy = None,
            Note::Open(_) => {}
        }
    }
}
