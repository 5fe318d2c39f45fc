//! What there is: Redis, DynamoDB, three containers, and the history that the properties are judged by.
//!
//! There is one key. Its values are told apart by their versions, so that a copy needs no body.

use crate::{
    faults::Budget,
    history::{Floor, History},
    knowledge::Knowledge,
    operation::Operation,
    rule::{Rule, Rules},
    scenario::Request,
    session::Session,
};

/// Orders the mutations of the key: the moment of Redis time at which one began.
pub type Version = u8;

/// A position in the journal: the moment at which the record was appended. 0 is before every record.
pub type Position = u8;

/// Moments of Redis time between two that are spoken of: room for a version that was not drawn from Redis.
pub const GAP: u8 = 2;

/// A container: the two that run from the beginning, and one that has never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Who {
    /// Runs from the beginning.
    A,
    /// Runs from the beginning.
    B,
    /// Starts with nothing.
    New,
}

impl Who {
    /// Every container.
    pub const ALL: [Who; 3] = [Who::A, Who::B, Who::New];
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Redis time, as far as anything has taken its name from it.
    pub tick: u8,
    /// L2 and the journal.
    pub redis: Redis,
    /// What a lagging replica would fail over to.
    pub replica: Option<Box<Redis>>,
    /// L3 and the control table.
    pub database: Database,
    /// A, B and the new one.
    pub containers: [Container; 3],
    /// Faults that may still happen.
    pub budget: Budget,
    /// What really happened.
    pub history: History,
    /// What whoever asks A has seen.
    pub session: Session,
}

/// What Redis holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redis {
    /// Which server this is (run id, and the cluster's epoch).
    pub identity: u8,
    /// The records, oldest first.
    pub journal: Vec<Record>,
    /// What the journal's slot knows beside it; a flush takes it.
    pub meta: Option<Meta>,
    /// Open invalidations that are not finished.
    pub open: Vec<OpenInvalidation>,
    /// The index beside the journal; `None` when it is lost.
    pub index: Option<Index>,
    /// Positions of those that later ones closed.
    pub passed: Vec<Position>,
    /// The copy of the key.
    pub copy: Option<SharedCopy>,
    /// Everything up to here is older than 2T.
    pub aged: Position,
}

/// The journal's own facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meta {
    /// The server that began the epoch.
    pub identity: u8,
    /// Where the epoch began.
    pub epoch: Position,
    /// What had been acknowledged when the outage notes were last read by anyone; `None` when they must be read now.
    pub notes: Option<Floor>,
    /// The newest generation of notes whose beginning is known to have begun an epoch.
    pub covered: u8,
    /// The newest invalidation that was undone: one that is recorded later must be newer.
    pub undone: Version,
}

/// What the index beside the journal knows of the key. It outlives the records it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Index {
    /// What was recorded after this is in the index.
    pub floor: Position,
    /// Where the key was last put or deleted.
    pub last: Position,
    /// By which version.
    pub latest: Version,
    /// The greatest version that put or deleted it.
    pub greatest: Version,
    /// Where it was last invalidated.
    pub swept: Position,
}

/// One record of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Record {
    /// Where it stands.
    pub at: Position,
    /// What it says.
    pub event: Event,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The key was put or deleted by this version.
    Changed(Version),
    /// The pattern that matches the key was invalidated in L1 and L2, and perhaps in L3.
    Invalidated,
    /// What was certified before must be confirmed by L3.
    Epoch,
    /// Other keys were put, as many as no sync reads.
    Others,
}

/// An invalidate that has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenInvalidation {
    /// Position of its record.
    pub at: Position,
    /// Everything below this version is removed.
    pub version: Version,
    /// Whether L3 is among its levels.
    pub database: bool,
}

/// The copy in L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SharedCopy {
    /// Which mutation it comes from.
    pub version: Version,
    /// The position at which it was current.
    pub as_of: Position,
    /// A tombstone, which only stands where L2 is the source of truth.
    pub gone: bool,
}

/// DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Database {
    /// The row of the key.
    pub row: Option<Row>,
    /// The row before that, which an eventually consistent read may still see.
    pub previous: Option<Row>,
    /// Which generation of notes is read. Those of the generations before are as good as gone.
    pub generation: u8,
    /// The notes of that generation in the control table, and those of jobs.
    pub notes: Vec<Note>,
    /// The invalidations that can be undone, in the order of their records, and who began them.
    pub undoable: Vec<(Version, Who)>,
}

/// The row of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// Which mutation wrote it.
    pub version: Version,
    /// What it says.
    pub content: Content,
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// The value is here.
    Value,
    /// The value is in L2 only: a marker.
    Elsewhere,
    /// A fill has claimed the row, and its value is not there yet: nothing, to readers.
    Pending,
    /// The key is deleted: a tombstone.
    Gone,
    /// The same, and the tombstone keeps the value, which was of this version, so that it can be brought back.
    Kept(Version),
}

/// A note in the control table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// Redis was not told that the key was put or deleted by this version.
    Changed(Version),
    /// Redis was not told of an invalidate of this version.
    Invalidated(Version),
    /// An invalidate of this version was acknowledged, and has not removed everything yet.
    Job(Version),
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Container {
    /// What it will be asked to do.
    pub script: Vec<Request>,
    /// What it is doing.
    pub operation: Option<Operation>,
    /// What it knows of the journal; `None` before its first sync.
    pub knowledge: Option<Knowledge>,
    /// Its copy of the key.
    pub memory: Option<OwnCopy>,
    /// Whether it is cut off from Redis.
    pub cut: bool,
    /// Whether its next sync brings more invalidations, of other keys, than it keeps.
    pub flooded: bool,
    /// Whether a note of its own may not be in the journal yet.
    pub owes_notes: bool,
    /// What had been acknowledged when its last sync was sent, and by itself since: what the window counts from.
    pub synced: Floor,
}

/// The copy in L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnCopy {
    /// Which mutation it comes from.
    pub version: Version,
    /// The position at which it was current.
    pub as_of: Position,
    /// What had been acknowledged when the source of truth itself was asked for it.
    pub read: Floor,
    /// It was compared with every invalidation up to this position.
    pub unswept: Position,
    /// Since a gap, what happened to the key after this position is not known.
    pub doubt: Option<Position>,
}

impl Container {
    /// Whether a read may be within its window, as far as anything but time decides.
    pub fn may_skip_sync(&self, rules: Rules) -> bool {
        let owes = self.owes_notes && rules.has(Rule::OwnNotesFirst);
        !owes && self.knowledge.as_ref().is_some_and(|knowledge| !knowledge.unread)
    }
}

impl State {
    /// A container.
    pub fn container(&mut self, who: Who) -> &mut Container {
        &mut self.containers[who as usize]
    }

    /// A new moment of Redis time.
    pub fn next_tick(&mut self) -> u8 {
        self.tick += GAP;
        self.tick
    }
}

impl Redis {
    /// Appends a record at a position that has not been used.
    pub fn append(&mut self, at: Position, event: Event) {
        self.journal.push(Record { at, event });
        let index = self.index.get_or_insert(Index { floor: at, ..Index::default() });
        match event {
            Event::Changed(version) => {
                (index.last, index.latest) = (at, version);
                index.greatest = index.greatest.max(version);
            }
            Event::Invalidated => index.swept = at,
            Event::Epoch | Event::Others => {}
        }
    }
}
