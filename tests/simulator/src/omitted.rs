//! What is left out of a run, to see whether it goes wrong without.

use std::collections::BTreeSet;

/// Turns of clients, and faults. Everything else is drawn as it would be with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Omitted {
    /// A client, and which of its turns.
    pub(crate) turns: BTreeSet<(usize, usize)>,
    /// Which of the troubles that go on side by side, and its how manieth fault.
    pub(crate) faults: BTreeSet<(usize, usize)>,
}
