//! A model of its own for index rows: how an invalidation by tag finds in L3 what has the tag.
//!
//! An index row says that a key has a tag, under a *name*: that of the PUT which wrote it. The row of the key says the
//! name under which its index rows stand, its tags, and until when those index rows live. So a PUT that keeps the tags
//! writes one row, conditional on the very version whose tags are known; and index rows can be written before the PUT
//! has a version.
//!
//! One key, two tags. What is not here: the journal and L2, which an overwrite that keeps its tags goes through like any
//! other (see the rest of the model); which invalidations an undo waits for.
//!
//! # Traces
//!
//! Each in `tests/tags.rs`, by the rule without which it happens:
//!
//! | | schedule | without |
//! |---|---|---|
//! | A5 | an invalidation drops an index row whose value is on its way | [`Rule::StrayRowsStay`] |
//! | A6 | what lost the tag is removed by an index row that was left over | [`Rule::Named`] |
//! | A7 | index rows end before what keeps them | [`Rule::LongEnough`] |
//! | A9 | a PUT whose answer was lost goes on with a name whose rows were dropped | [`Rule::NewName`] |
//! | A10 | a PUT whose answer was lost drops the rows that its successor keeps | [`Rule::StandingSpared`] |
//! | | a value that keeps its tags drops the rows of what it replaces, its own | [`Rule::KeptRowsStay`] |
//! | | a PUT that keeps tags lands over a value that has others | [`Rule::ExactlySeen`] |
//! | | the release before drops what is named after its own version | [`Rule::NamedOnly`] |
//! | | an index row is newer than its value to the release before | [`Rule::NamesBelow`] |
//! | | a tag comes back under the name of which its index row is still to be dropped | [`Rule::NameHasTags`] |
//! | | a writer is killed between its value and its index rows | [`Rule::RowsFirst`] |
//! | | rows are dropped before what they belong to is replaced | [`Rule::DropLast`] |
//! | | a removal that can be undone drops the index rows | [`Rule::UndoableKeepsRows`] |
//! | | a value whose life was ended has another name than its index rows | [`Rule::EndedKeepsName`] |
//! | | the life of what has lost the tag is ended | [`Rule::EndsExactly`] |

mod process;
pub mod properties;
mod put;
mod rule;
mod search;
mod table;
mod turn;

pub use properties::{ALL_FOUND, NOTHING_MISSED, NOTHING_TAKEN, TAGS_TRUE};
pub use rule::Rule;
pub use table::{IndexRow, Kind, Row, Table, Tags, Target, Write};

/// Orders mutations; names are of the same kind.
pub type Version = u8;

/// Between two versions that are drawn: room for those just above another.
pub const GAP: Version = 14;

/// Tries of one operation.
const MOST_TRIES: u8 = 2;

/// What a process is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// A PUT with these tags, of a life of so many ages.
    Put(Tags, u8),
    /// A PUT in one transaction with a note: what it replaced was read before.
    PutNoted(Tags),
    /// The tags of the value that stands are changed to these.
    Patch(Tags),
    /// A fill with these tags: a claim beside its index rows, and a value in its place.
    Fill(Tags),
    /// A DELETE.
    Delete,
    /// An invalidation of a tag.
    Invalidate(Tags),
    /// One that can be undone.
    InvalidateUndoably(Tags),
    /// One that ends the lives of values, and leaves them in their grace.
    MakeStale(Tags),
    /// Brings back what a tombstone keeps.
    Undo,
    /// Takes from a tombstone what it keeps, because its time is over.
    Tidy,
    /// A PUT by the release before, which names index rows after its version.
    FormerPut(Tags),
    /// An invalidation by the release before, which takes names for versions.
    FormerInvalidate(Tags),
}

/// What a run starts with.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What is asked for, each by a process of its own.
    pub requests: Vec<Request>,
    /// The row at the start.
    pub first: Option<Row>,
    /// The rule that is not in force.
    pub without: Option<Rule>,
    /// Writes that are repeated late, or whose answer is lost.
    pub repeated: u8,
    /// Processes that are killed.
    pub killed: u8,
}

impl Scenario {
    /// A run over a value with a tag.
    pub fn new(requests: &[Request]) -> Scenario {
        let first = Some(Row::value(GAP, GAP, Tags::X, 1, 1));
        Scenario { requests: requests.to_vec(), first, without: None, repeated: 0, killed: 0 }
    }

    /// Lets so many writes be repeated, and processes be killed.
    #[must_use]
    pub fn with(mut self, repeated: u8, killed: u8) -> Scenario {
        (self.repeated, self.killed) = (repeated, killed);
        self
    }

    /// Starts over a value that the release before has written, or without one.
    #[must_use]
    pub fn over(mut self, first: Option<Row>) -> Scenario {
        self.first = first;
        self
    }

    /// Takes a rule away.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Scenario {
        self.without = Some(rule);
        self
    }
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    tick: Version,
    table: Table,
    processes: Vec<Process>,
    /// Writes that will get there once more.
    late: Vec<Write>,
    repeated: u8,
    killed: u8,
    /// What went wrong.
    broken: Broken,
}

/// What went wrong, other than in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Broken {
    missed: bool,
    taken: bool,
    mistagged: bool,
}

/// A process with its request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Process {
    request: Request,
    step: Step,
    tries: u8,
    version: Version,
    name: Version,
    /// The row that was seen before.
    seen: Option<Row>,
    /// A fill has claimed the row.
    claimed: bool,
    /// Names that an invalidation has found.
    found: Vec<Version>,
    /// The value that it must have removed when it ends; 0 for none.
    must: Version,
}

/// What a process does next. Each is one write to the table, or a read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    /// Writes the index rows of these tags.
    Index(Tags),
    /// Has its index rows, and takes a version.
    Sync,
    /// Writes the row over whatever is older, or exactly what was seen.
    Row,
    /// Writes the row in the place of the one it has seen, whose tags it keeps.
    Keep,
    /// Drops index rows of a name.
    Drop(Version, Tags),
    /// The same before it begins anew.
    DropAndRetry(Version, Tags),
    /// Claims the row.
    Claim,
    Flip,
    Query,
    /// Removes what an index row names, the first of those found.
    Remove,
    /// Removes exactly the version that stands in its place.
    RemoveExactly(Version),
    /// Reads what stands before it ends a life.
    Look,
    /// Ends the life of the value that it has seen.
    EndLife,
    /// Takes the value from a tombstone of that version.
    Strip(Version),
    Restore,
    End,
}
