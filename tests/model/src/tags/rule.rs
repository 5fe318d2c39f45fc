//! The rules, each of which can be taken away.

use super::Scenario;

/// A rule that can be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Index rows are written before the row.
    RowsFirst,
    /// A PUT that was refused goes on with a new name.
    NewName,
    /// A PUT that was refused drops no rows whose name stands.
    StandingSpared,
    /// A PUT that keeps its tags drops no index rows.
    KeptRowsStay,
    /// It replaces exactly the version whose tags it has seen.
    ExactlySeen,
    /// It replaces only a row that says until when its index rows live.
    NamedOnly,
    /// And only where they live as long as what it writes.
    LongEnough,
    /// A name is smaller than the version of its value, or equal.
    NamesBelow,
    /// Other tags have another name.
    NameHasTags,
    /// Index rows are dropped only after their row was replaced.
    DropLast,
    /// An invalidation removes the row that an index row names, or one that has the tag.
    Named,
    /// An invalidation drops no index row but with its row.
    StrayRowsStay,
    /// A removal that can be undone leaves the index rows.
    UndoableKeepsRows,
    /// What ends a life leaves the value its name.
    EndedKeepsName,
    /// And replaces exactly the row it has seen.
    EndsExactly,
}

impl Scenario {
    /// Whether a rule is in force.
    pub(super) fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
