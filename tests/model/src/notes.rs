//! Outage notes: whoever finds that nobody has read them lately puts them into the journal.

use crate::{
    operation::{Operation, Step},
    rule::Rule,
    scenario::Request,
    state::{Event, Note, Redis},
    turn::{Luck, Turn},
};

impl Turn<'_> {
    /// Reads the notes.
    pub fn read_notes(&mut self) {
        let mut notes = self.state.database.notes.clone();
        if !self.scenario.rules.has(Rule::Notes) {
            notes.clear();
        }
        let (noted, generation) = (self.state.history.degraded, self.state.database.generation);
        let operation = self.operation();
        (operation.notes, operation.noted, operation.generation) = (notes, noted, generation);
        if self.luck == Luck::ManyNotes {
            return self.next(Step::RaiseGeneration);
        }
        self.replay_from(0);
    }

    /// Ends the generation that was read, unless somebody has: its notes are not read any more, because the epoch that
    /// begins now distrusts what they mean. Open invalidations of jobs belong to no generation.
    pub fn raise_generation(&mut self) {
        let read = self.operation().generation;
        let database = &mut self.state.database;
        if database.generation == read {
            database.generation += 1;
            database.notes.retain(|note| matches!(note, Note::Job(_)));
        }
        let generation = database.generation;
        let operation = self.operation();
        operation.notes.retain(|note| matches!(note, Note::Job(_)));
        (operation.generation, operation.raised) = (generation, true);
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
        match more {
            true => self.next(Step::ReplayRemoval(number)),
            false if number > 0 => self.next(Step::DropNotes),
            false => self.leave_notes(),
        }
    }

    /// Remembers that the notes were read, begins an epoch if they are of a generation that the journal has not heard
    /// of, and reads the journal.
    pub fn notes_checked(&mut self) {
        let at = self.state.next_tick();
        let by_generation = self.scenario.rules.has(Rule::EpochByGeneration);
        let Operation { noted, generation, raised, .. } = *self.operation();
        let checked = self.redis(|redis| {
            let Some(meta) = &mut redis.meta else { return };
            meta.notes.get_or_insert_default().raise(noted);
            if meta.covered < generation {
                meta.covered = generation;
                if by_generation || raised {
                    meta.epoch = at;
                    redis.append(at, Event::Epoch);
                }
            }
        });
        // A flush may have taken again what was just put there.
        if checked.is_none() || !self.sync() || self.knowledge().is_none_or(|knowledge| knowledge.unread) {
            return self.notes_failed();
        }
        let operation = self.operation();
        if operation.request == Request::Get {
            operation.floor.raise(noted);
        }
        self.container().owes_notes = false;
        self.remove_from(0);
    }

    /// Deletes the notes that the journal has.
    pub fn drop_notes(&mut self) {
        let replayed = self.operation().notes.clone();
        self.state.database.notes.retain(|note| matches!(note, Note::Job(_)) || !replayed.contains(note));
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

impl Redis {
    fn replay_record(&mut self, note: Note, at: u8) {
        match note {
            Note::Changed(version) => self.append(at, Event::Changed(version)),
            Note::Invalidated(_) => self.append(at, Event::Invalidated),
            Note::Job(version) => self.restore(at, version),
        }
    }

    fn replay_removal(&mut self, note: Note) {
        match note {
            // Also a copy of that very version, which may have arrived after it was given up.
            Note::Changed(version) => self.remove_older(version + 1),
            Note::Invalidated(_) => self.copy = None,
            // The job does that.
            Note::Job(_) => {}
        }
    }
}
