//! How the others learn of a mutation.

use crate::version::Position;

/// How the others learn of a mutation that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// By the journal, which has it there, and nothing else has come to the key since.
    Journal(Position),
    /// By the journal, where something else has come to the key since, or may have: its value stays out of own L1.
    JournalPassed(Position),
    /// By a note, because Redis was not told: it is degraded.
    Note,
    /// They need not: nobody goes by the journal.
    #[default]
    Nobody,
}

impl Propagation {
    pub(crate) fn by_journal(at: Position, unchanged: bool) -> Propagation {
        if unchanged { Propagation::Journal(at) } else { Propagation::JournalPassed(at) }
    }

    /// Where the journal has it, if it has.
    pub(crate) fn recorded(self) -> Option<Position> {
        match self {
            Propagation::Journal(at) | Propagation::JournalPassed(at) => Some(at),
            Propagation::Note | Propagation::Nobody => None,
        }
    }

    /// Whether it has the bound Λ.
    pub(crate) fn is_degraded(self) -> bool {
        self == Propagation::Note
    }

    /// Whether own L1 may hold the new value.
    pub(crate) fn may_fill(self) -> bool {
        matches!(self, Propagation::Journal(_) | Propagation::Nobody)
    }
}
