//! What a run of the model starts with, and which rules of the protocol it keeps.

use crate::{
    faults::Budget,
    history::{Floor, History},
    knowledge::Knowledge,
    session::Session,
    state::{
        Container, Content, Database, Event, GAP, Index, Meta, OwnCopy, Record, Redis, Row, SharedCopy, State, Version,
    },
};

/// The level that decides which value is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceOfTruth {
    /// DynamoDB.
    L3,
    /// Redis, where L3 is switched off.
    L2,
}

/// What a container can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Reads the key.
    Get,
    /// Reads the key, and takes a value in its grace.
    GetStale,
    /// Puts a value into every level.
    Put,
    /// Puts a value into L1 and L2 only.
    PutAbove,
    /// Says something else of the value that stands in L3, without sending it.
    Patch,
    /// Misses the key, loads its value, and puts it into every level unless something has touched the key meanwhile.
    Fill,
    /// Deletes the key.
    Delete,
    /// Invalidates a pattern that matches the key, in every level.
    Invalidate,
    /// Invalidates in L1 and L2 only.
    InvalidateAbove,
    /// Invalidates in every level more than one request has time for: acknowledged first, removed after.
    InvalidateAsJob,
    /// Invalidates in every level, so that it can be undone.
    InvalidateUndoably,
    /// Undoes the first invalidation that can be undone.
    Undo,
    /// Makes an end of lives in every level, and not of the grace of what is in L3.
    MakeStale,
}

impl Request {
    /// Whether it is one of the invalidates.
    pub fn invalidates(self) -> bool {
        matches!(
            self,
            Request::Invalidate
                | Request::InvalidateAbove
                | Request::InvalidateAsJob
                | Request::InvalidateUndoably
                | Request::MakeStale
        )
    }

    /// Whether it is one of the reads.
    pub fn reads(self) -> bool {
        matches!(self, Request::Get | Request::GetStale)
    }

    /// Whether it changes what there is, and does not only bring it here.
    pub fn changes(self) -> bool {
        !matches!(self, Request::Get | Request::GetStale | Request::Fill | Request::Undo)
    }
}

/// A rule of the protocol that can be taken away, to see what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A copy in L2 from before what a container knows is trusted only as the index says.
    IndexAsked,
    /// After a gap L1 is doubted.
    Doubt,
    /// A copy in L1 is compared with the invalidations that have come before it is returned.
    SweepsCompared,
    /// Where some of them are forgotten, nobody but the levels below can tell.
    ForgottenSweeps,
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
    /// A value in its grace is given to who asks for it, and to nobody else.
    GraceForWhoAsks,
    /// A DELETE makes an end of a grace, although nothing is there to others.
    DeleteEndsGrace,
    /// So does an invalidate.
    SweepsEndGrace,
    /// The end of a life that leaves the grace has the version just above that of the value, and not one of its own time.
    EndJustAbove,
    /// It has a version of its own, and not that of the value.
    EndIsNew,
    /// An invalidate that leaves the grace closes none that does not.
    EndPassesNoRemoval,
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

/// What a run starts with.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Which level decides.
    pub source_of_truth: SourceOfTruth,
    /// The rules in force.
    pub rules: Rules,
    /// What A, B and the new container are asked for, in this order.
    pub scripts: [Vec<Request>; 3],
    /// What may go wrong.
    pub budget: Budget,
    /// Whether the value that stands in the source of truth at the start has copies above it, in the L1 of A and B as
    /// well.
    pub warm: bool,
    /// What stands in L3 at the start instead of a value, if there is none.
    pub instead: Option<Option<Content>>,
    /// Whether somebody asks A and sends what they have seen with reads of any container.
    pub session: bool,
    /// Whether the value that stands at the start has expired, and is in its grace.
    pub expired: bool,
}

/// The version that stands at the start.
pub const FIRST: Version = 2 * GAP;

impl Scenario {
    /// A run with a value in every level at the start, no requests and no faults.
    pub fn new(source_of_truth: SourceOfTruth) -> Scenario {
        let scripts = [Vec::new(), Vec::new(), Vec::new()];
        Scenario {
            source_of_truth,
            rules: Rules::default(),
            scripts,
            budget: Budget::default(),
            warm: true,
            instead: None,
            session: false,
            expired: false,
        }
    }

    /// Asks A, B and the new container for these.
    #[must_use]
    pub fn ask(mut self, a: &[Request], b: &[Request], new: &[Request]) -> Scenario {
        self.scripts = [a.to_vec(), b.to_vec(), new.to_vec()];
        self
    }

    /// Lets these faults happen.
    #[must_use]
    pub fn with(mut self, budget: Budget) -> Scenario {
        self.budget = budget;
        self
    }

    /// Has somebody ask A, and send what they have seen with reads of any container.
    #[must_use]
    pub fn in_session(mut self) -> Scenario {
        self.session = true;
        self
    }

    /// Takes a rule away.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Scenario {
        self.rules = Rules { without: Some(rule) };
        self
    }

    /// Starts with the value in the source of truth only.
    #[must_use]
    pub fn cold(mut self) -> Scenario {
        self.warm = false;
        self
    }

    /// Starts without a value: with nothing in L3, or with that.
    #[must_use]
    pub fn without_value(mut self, row: Option<Content>) -> Scenario {
        (self.warm, self.instead) = (false, Some(row));
        self
    }

    /// Starts with a value that has expired.
    #[must_use]
    pub fn in_grace(mut self) -> Scenario {
        self.expired = true;
        self
    }

    /// Whether there may be values in their grace.
    pub fn has_grace(&self) -> bool {
        self.expired || self.scripts.iter().flatten().any(|request| *request == Request::MakeStale)
    }

    /// Whether anybody fills.
    pub fn fills(&self) -> bool {
        self.scripts.iter().flatten().any(|request| *request == Request::Fill)
    }

    /// The state that it starts in: the epoch, the first value's PUT, and its record.
    pub fn start(&self) -> State {
        let journal =
            vec![Record { at: GAP, event: Event::Epoch }, Record { at: 3 * GAP, event: Event::Changed(FIRST) }];
        let with_l3 = self.source_of_truth == SourceOfTruth::L3;
        let copy = SharedCopy { version: FIRST, as_of: GAP, gone: false, stale: self.expired };
        let copy = Some(copy).filter(|_| self.warm || !with_l3);
        let value = if self.expired { Content::Stale } else { Content::Value };
        let content = self.instead.unwrap_or(Some(value)).filter(|_| with_l3);
        let row = content.map(|content| Row { version: FIRST, content });
        let database = Database { row, ..Database::default() };
        let mut history = History::default();
        if self.instead.is_none() {
            let mut outdated = history.put(FIRST, with_l3 && !self.expired);
            if self.expired {
                outdated = history.end_below(FIRST + 1, Some(FIRST));
            }
            history.acknowledge(outdated, false);
        }
        let meta = Some(Meta { identity: 0, epoch: GAP, notes: Some(history.acknowledged), covered: 0, undone: 0 });
        let index = Index { floor: GAP, last: 3 * GAP, latest: FIRST, greatest: FIRST, swept: 0 };
        let redis = Redis {
            identity: 0,
            journal,
            meta,
            open: Vec::new(),
            passed: Vec::new(),
            index: Some(index),
            copy,
            aged: 0,
        };
        let containers = [
            self.warm(&redis, history.acknowledged, 0),
            self.warm(&redis, history.acknowledged, 1),
            Container { script: self.scripts[2].clone(), ..Container::default() },
        ];
        let session = Session::default();
        State { tick: 3 * GAP, redis, replica: None, database, containers, budget: self.budget, history, session }
    }

    fn warm(&self, redis: &Redis, acknowledged: Floor, index: usize) -> Container {
        // It has read the journal since the epoch began.
        let empty = Some(Index { floor: GAP, ..Index::default() });
        let before = Redis { journal: redis.journal[..1].to_vec(), index: empty, ..redis.clone() };
        let (began, _) = Knowledge::learn(None, &before, self.source_of_truth, GAP, Rules::default());
        let (knowledge, _) = Knowledge::learn(Some(&began), redis, self.source_of_truth, 3 * GAP, Rules::default());
        let memory = OwnCopy { version: FIRST, as_of: GAP, read: Floor::default(), unswept: 3 * GAP, doubt: None };
        Container {
            script: self.scripts[index].clone(),
            knowledge: Some(knowledge),
            memory: Some(memory).filter(|_| self.warm && !self.expired),
            synced: acknowledged,
            ..Container::default()
        }
    }
}
