//! Which step an operation takes next: the only file that knows all of them.

use crate::{
    operation::{Operation, Step},
    turn::Turn,
};

impl Turn<'_> {
    /// Begins the next operation of the script. A read may find its window still open and not sync.
    pub fn begin(&mut self, sync: bool) {
        self.begin_operation(sync);
        self.begun(sync);
    }

    /// The same of a read whose caller sends what they have seen.
    pub fn begin_in_session(&mut self, sync: bool) {
        self.begin_operation(sync);
        let seen = self.state.session.floor;
        let operation = self.operation();
        operation.in_session = true;
        operation.floor.raise(seen);
        self.begun(sync);
    }

    fn begun(&mut self, sync: bool) {
        if sync { self.run() } else { self.read_in_window() }
    }

    fn begin_operation(&mut self, sync: bool) {
        let acknowledged = self.state.history.acknowledged;
        let container = self.container();
        let request = container.script.remove(0);
        let mut floor = container.synced;
        if sync {
            floor.raise(acknowledged);
        }
        container.operation = Some(Operation::new(request, floor));
        if request.changes() {
            self.outdate_loads();
        }
    }

    /// Takes the next step of the operation under way.
    pub fn run(&mut self) {
        match self.operation().step {
            Step::Sync => self.start(),
            Step::ReadNotes => self.read_notes(),
            Step::RaiseGeneration => self.raise_generation(),
            Step::ReplayRecord(number) => self.replay_record(number),
            Step::ReplayRemoval(number) => self.replay_removal(number),
            Step::NotesChecked => self.notes_checked(),
            Step::DropNotes => self.drop_notes(),
            Step::LookUp => self.look_up(),
            Step::ReadOwnHead => self.read_own_head(),
            Step::ReadCopy => self.read_copy(),
            Step::ReadJobs => self.read_jobs(),
            Step::ReadRow => self.read_row(),
            Step::ReadPatched => self.read_patched(),
            Step::Promote => self.promote(),
            Step::DropCopy => self.drop_copy(),
            Step::Check => self.check(),
            Step::Undo => self.undo(),
            Step::ReadHead => self.read_head(),
            Step::WriteNoted => self.write_noted(),
            Step::ReadGeneration => self.read_generation(),
            Step::WriteRow => self.write_row(),
            Step::Append => self.append(),
            Step::WriteCopy => self.write_copy(),
            Step::LeaveNote => self.leave_note(),
            Step::RecordInvalidation => self.record_invalidation(),
            Step::Scan => self.scan(),
            Step::RemoveRow => self.remove_row(),
            Step::RemoveCopies => self.remove_copies(),
            Step::Close => self.close(),
            Step::LeaveJob => self.leave_job(),
            Step::LearnJob => self.learn_job(),
            Step::RestoreInvalidation => self.restore_invalidation(),
            Step::DropJob => self.drop_job(),
            Step::MarkUndone => self.mark_undone(),
            Step::LearnJobs => self.learn_jobs(),
            Step::Restore => self.restore(),
            Step::RecordUndo => self.record_undo(),
            Step::Miss => self.miss(),
            Step::Load => self.load(),
            Step::FindNotes => self.find_notes(),
            Step::Pend => self.pend(),
            Step::Fence => self.fence(),
            Step::TakeBack => self.take_back(),
            Step::Flip => self.flip(),
        }
    }
}
