//! The rules of the protocol, each of which can be taken away to see what it is for.

/// A rule of the protocol that can be taken away, to see what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A copy in L2 from before what a container knows is trusted only as the index says.
    IndexAsked,
    /// After a gap L1 is doubted.
    Doubt,
    /// A copy in L1 is compared with the invalidations that have come before it is returned.
    InvalidationsCompared,
    /// Where some of them are forgotten, nobody but the levels below can tell.
    InvalidationsForgotten,
    /// What the index does not reach back to is not trusted.
    IndexFloor,
    /// A key of which the index has a later record is kept by its greatest version, not by its last.
    GreatestVersion,
    /// A sync that finds a gap brings the invalidations that lie in it.
    GapBringsInvalidations,
    /// A doubted copy that L3 confirmed is known as of the sync before L3 was read.
    DoubtEndsBeforeRead,
    /// L2 is written only over what is older.
    ConditionalCopy,
    /// A write into L2 is followed by a look into the journal, and undone if something happened meanwhile.
    CheckAndUndo,
    /// The as-of position is the cursor of a sync that finished before L3 was read.
    AsOfBeforeRead,
    /// L3 is read consistently.
    ConsistentReads,
    /// Another server, or one that lost the journal, begins an epoch.
    Epoch,
    /// While an invalidate is under way, what it removes does not exist.
    OpenInvalidation,
    /// The source of truth is written before the journal.
    SourceOfTruthFirst,
    /// The window of recent changes keeps every record of a key, not only the newest.
    EveryChangeKept,
    /// An invalidate removes from L3 only what is older than itself.
    RemovalByVersion,
    /// After a mutation that Redis was not told of, a container trusts nothing before its note is in the journal.
    OwnNotesFirst,
    /// Records cover by position also where L2 is the source of truth, and not by version.
    CoverByPosition,
    /// An invalidate without Redis leaves its note after it has removed from L3, not before.
    NoteLast,
    /// The outage notes are put into the journal.
    Notes,
    /// Whoever has left a note together with a row looks again which generation is read, and leaves another if that is
    /// not the one its note is in.
    GenerationReadAgain,
    /// Whoever finds a generation that the journal has not heard of begins an epoch, whoever began the generation.
    EpochByGeneration,
    /// An invalidate of L1 and L2 removes the markers in L3 of what it removes from L2.
    MarkersGo,
    /// An invalidate that finds its open invalidation gone begins anew.
    CloseChecks,
    /// An invalidate closes others with it only where they are older.
    PassesOlder,
    /// And only where they mean no level that it does not.
    PassesNoMore,
    /// An invalidate that is acknowledged before everything is removed leaves a note that stays until it is.
    JobNote,
    /// Whoever acknowledges such an invalidate has read its record.
    LearnOwnJob,
    /// A new epoch has the notes read before anything is trusted.
    EpochReadsNotes,
    /// Whoever cannot reach Redis reads the notes of jobs before L3.
    JobsWithoutRedis,
    /// A version that is drawn without Redis is above that of every job.
    VersionAboveJobs,
    /// A PATCH replaces exactly what it has read, by the version just above that. Without, it is a PUT.
    PatchIsNoPut,
    /// Its version is just above that of the value, and not one of its own time.
    PatchJustAbove,
    /// A fill claims its row before it looks into the journal, and its value takes the place of the claim.
    FillClaims,
    /// A fill has the version of its miss, and not of its PUT.
    FillAtMiss,
    /// A fill claims the row only as it was at the miss, and not whatever is older.
    FillAsSeen,
    /// A fill looks for invalidations in the journal since its miss.
    FillFenced,
    /// A fill does not outlive what the index has of invalidations.
    FillInHistory,
    /// A fill does not outlive its epoch.
    FillInEpoch,
    /// A fill reads the outage notes.
    FillReadsNotes,
    /// A fill reads them before it looks into the journal.
    FillNotesFirst,
    /// A fill does not outlive a generation of notes.
    FillInGeneration,
    /// A DELETE of a key that is not there leaves a tombstone.
    TombstoneOfNothing,
    /// What an invalidate removes from L3, it removes claims of as well.
    ClaimsGo,
    /// An invalidate without Redis leaves a note before it removes anything from L3.
    NoteFirst,
    /// And waits between the two for longer than a fill may take from sending for the notes to having its claim.
    WaitsForClaims,
    /// What an undo brings back has the version just above that of the invalidation, and not one of its own time.
    UndoJustAbove,
    /// It has a version of its own, and not the one it had.
    UndoIsNew,
    /// An undo brings back what the very invalidation took, and not whatever a tombstone keeps.
    UndoExactly,
    /// An undo waits until the invalidation has removed all it means.
    UndoAfterClose,
    /// An undo waits until no older invalidation is open.
    UndoAfterOlder,
    /// An invalidation that can be undone closes no other with it.
    UndoablePassesNone,
    /// An undo reads the notes of jobs as well.
    UndoReadsJobs,
    /// An invalidation that is recorded after an undo is newer than what was undone.
    NewerThanUndone,
    /// An invalidation during which an epoch began begins anew: whether anything was undone meanwhile may be forgotten.
    AnewAfterEpoch,
    /// An invalidation takes from a tombstone the value that it keeps, if that is older than itself.
    SweepsStrip,
    /// An invalidate without Redis looks again where something has taken the place of what it saw.
    LooksAgain,
    /// A container that has not read the journal up to the position of a read syncs for it.
    PositionHonoured,
    /// The position of a mutation is where its record is, and not where it began.
    PositionOfRecord,
    /// What has no record that is known sends whoever was told of it to the source of truth.
    UnrecordedBySourceOfTruth,
}

/// The rules in force: all, or all but one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    /// The one that is not.
    pub without: Option<Rule>,
}

impl Rules {
    /// Whether a rule is in force.
    pub fn has(self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
