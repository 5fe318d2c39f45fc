//! How every operation begins: a sync, the outage notes if they are due, and then what it was asked for.

use crate::{
    operation::Step,
    scenario::{Request, SourceOfTruth},
    turn::{Luck, Turn},
};

impl Turn<'_> {
    /// The sync that an operation begins with.
    pub fn start(&mut self) {
        if !self.sync() {
            return self.start_without_redis();
        }
        let synced = self.container().synced;
        if self.operation().request == Request::Get {
            self.operation().floor.raise(synced);
        }
        let unread = self.state.redis.meta.is_some_and(|meta| meta.notes.is_none());
        let must = unread || self.container().owes_notes;
        if self.scenario.source_of_truth == SourceOfTruth::L3 && (must || self.luck == Luck::NotesDue) {
            return self.next(Step::ReadNotes);
        }
        self.go_on();
    }

    /// What follows on the first sync, and on the notes if they were read.
    pub fn go_on(&mut self) {
        self.renew_as_of();
        if self.reads_source_of_truth() {
            return;
        }
        match self.operation().request {
            Request::Get => self.read_synced(),
            Request::Fill => self.fill_synced(),
            Request::Put | Request::PutAbove | Request::Delete => self.write_synced(),
            Request::Patch => self.next(Step::ReadPatched),
            Request::Undo => self.next(Step::MarkUndone),
            _ => self.invalidate_synced(),
        }
    }
}
