//! An operation under way: where it is, and what it carries.

use crate::{
    history::Floor,
    scenario::Request,
    state::{Index, Note, Position, Row, Version},
};

/// How often an operation begins anew when others overtake it, less than the real one does. Then it ends in an error.
pub const MOST_TRIES: u8 = 2;

/// An operation of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What was asked for.
    pub request: Request,
    /// What it does next.
    pub step: Step,
    /// How often it has begun.
    pub tries: u8,
    /// The cursor of the sync that it began with, or that finished before L3 was read.
    pub as_of: Position,
    /// Whether L1 has been emptied, or doubted, since the as-of position.
    pub restarted: bool,
    /// What the index said of the key when it was last asked.
    pub looked: Option<Index>,
    /// Whether Redis answered so far.
    pub reachable: bool,
    /// The version of a mutation, or of the value a read has found.
    pub version: Version,
    /// Position of the record of a mutation, and so of the open invalidation of an invalidate.
    pub open_invalidation: Position,
    /// The version of the row that a PATCH has read.
    pub replaces: Version,
    /// The epoch in which an invalidate has taken its version.
    pub epoch: Position,
    /// A distrusted copy that was seen in L2.
    pub seen: Option<(Version, Position)>,
    /// Of a read: its caller sends what they have seen.
    pub in_session: bool,
    /// Of a read: the value it has found is in its grace.
    pub in_grace: bool,
    /// What a read must not return.
    pub floor: Floor,
    /// What a mutation outdated when it took effect.
    pub outdated: Floor,
    /// Outage notes that are being put into the journal, and what had been acknowledged when they were read.
    pub notes: Vec<Note>,
    /// What had been acknowledged when they were read.
    pub noted: Floor,
    /// The generation of notes that was read last.
    pub generation: u8,
    /// The generation in which a degraded mutation has left its note.
    pub left_in: Option<u8>,
    /// Whether it has begun a generation itself. Only a mistake goes by that.
    pub raised: bool,
    /// What the notes of jobs hide, read where Redis could not be asked: everything below this version.
    pub hidden: Version,
    /// Of a fill: the row at its miss.
    pub seen_row: Option<Row>,
    /// Of a fill: up to where the journal was known at its miss, and in which epoch.
    pub since: (Position, Position),
    /// Of a fill: the outage notes that were found for it.
    pub found: Vec<Note>,
    /// Of a fill: another generation of notes has begun since its miss.
    pub outlived: bool,
    /// Of a fill: its value is loaded.
    pub loaded: bool,
    /// Of a mutation: the fills that had loaded before it began. Nothing of the protocol reads it.
    pub preloaded: Floor,
    /// Of an invalidate without Redis: it has removed from L3.
    pub swept: bool,
    /// Whether a job has begun meanwhile, which may count as later than it. Nothing of the protocol reads it.
    pub overlaps_job: bool,
}

/// The next thing an operation does. Each is one request to one level, or one script; what a container does by itself
/// between two of them belongs to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reads the journal.
    Sync,
    /// Reads the outage notes.
    ReadNotes,
    /// Begins another generation of notes, because there are more than can be put into the journal one by one.
    RaiseGeneration,
    /// Puts the note of this number into the journal.
    ReplayRecord(u8),
    /// Removes from L2 what that note outdated.
    ReplayRemoval(u8),
    /// Says that the notes were read, and reads the journal.
    NotesChecked,
    /// Deletes the notes.
    DropNotes,
    /// Asks the index, because this container does not know what happened to the key.
    LookUp,
    /// Compares own L1 with the version that L3 has.
    ReadOwnHead,
    /// Reads L2.
    ReadCopy,
    /// Reads the notes of jobs, because Redis cannot say what is open.
    ReadJobs,
    /// Reads L3.
    ReadRow,
    /// Reads in L3 what a PATCH is to replace.
    ReadPatched,
    /// Writes what L3 said into L2.
    Promote,
    /// Removes the copy from L2 that L3 did not confirm.
    DropCopy,
    /// Reads the journal after writing L2.
    Check,
    /// Takes back what was written into L2.
    Undo,
    /// Asks L3 for the version to exceed, because Redis cannot be asked for one.
    ReadHead,
    /// Writes L3 and a note in one transaction.
    WriteNoted,
    /// Reads which generation of notes is read.
    ReadGeneration,
    /// Writes L3.
    WriteRow,
    /// Appends the record.
    Append,
    /// Writes or removes the copy in L2.
    WriteCopy,
    /// Leaves a note, because Redis went away.
    LeaveNote,
    /// Appends the record of the invalidation, which opens it.
    RecordInvalidation,
    /// Looks for what is to be removed from L3.
    Scan,
    /// Removes from L3 what was found.
    RemoveRow,
    /// Removes the copies from L2.
    RemoveCopies,
    /// Closes the open invalidation, and reads the journal.
    Close,
    /// Leaves a note that stays until everything is removed.
    LeaveJob,
    /// Reads the journal, and acknowledges: what is left to remove is a job's.
    LearnJob,
    /// Puts up the open invalidation of a job again.
    RestoreInvalidation,
    /// Deletes the note of a job that is done.
    DropJob,
    /// Says in Redis what is undone, and reads what is open.
    MarkUndone,
    /// Reads which jobs are not done.
    LearnJobs,
    /// Brings the row back.
    Restore,
    /// Appends the record of an undo.
    RecordUndo,
    /// Reads L3 for a fill, which goes on where nothing is there.
    Miss,
    /// Loads the value of a fill from where it comes from.
    Load,
    /// Reads the outage notes for a fill, beside the next step.
    FindNotes,
    /// Claims the row for a fill.
    Pend,
    /// Reads the journal from the miss on.
    Fence,
    /// Gives the row up again.
    TakeBack,
    /// Puts the value in the place of the claim.
    Flip,
}

impl Step {
    /// Whether it writes to Redis, so that the reply alone can be lost.
    pub fn writes_redis(self) -> bool {
        use Step::*;
        matches!(
            self,
            ReplayRecord(_)
                | ReplayRemoval(_)
                | NotesChecked
                | Promote
                | DropCopy
                | Undo
                | Append
                | WriteCopy
                | RecordInvalidation
                | RemoveCopies
                | Close
                | RestoreInvalidation
                | MarkUndone
                | RecordUndo
        )
    }
}

impl Operation {
    /// An operation that begins.
    pub fn new(request: Request, floor: Floor) -> Operation {
        Operation {
            request,
            step: Step::Sync,
            tries: 1,
            as_of: 0,
            restarted: false,
            looked: None,
            reachable: true,
            version: 0,
            open_invalidation: 0,
            replaces: 0,
            epoch: 0,
            seen: None,
            in_session: false,
            in_grace: false,
            floor,
            outdated: Floor::default(),
            notes: Vec::new(),
            noted: Floor::default(),
            generation: 0,
            left_in: None,
            raised: false,
            hidden: 0,
            seen_row: None,
            since: (0, 0),
            found: Vec::new(),
            outlived: false,
            loaded: false,
            preloaded: Floor::default(),
            swept: false,
            overlaps_job: false,
        }
    }
}
