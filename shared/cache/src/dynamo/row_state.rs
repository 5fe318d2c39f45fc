//! What stands in a row, as a fill wants to know it.

use super::{Item, head::Kind, schema::is_claim};
use crate::version::Version;

/// What stands in a row, exactly: no two rows of a key that say different things are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowState {
    pub version: Version,
    pub kind: RowKind,
}

/// Of which kind that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowKind {
    Value,
    Stub,
    Gone,
    Claim,
}

impl RowKind {
    /// As a token has it.
    pub(crate) const fn number(self) -> u8 {
        match self {
            RowKind::Value => 1,
            RowKind::Stub => 2,
            RowKind::Gone => 3,
            RowKind::Claim => 4,
        }
    }

    /// What [`number`](RowKind::number) made a number of.
    pub(crate) fn of(number: u8) -> Option<RowKind> {
        let kinds = [RowKind::Value, RowKind::Stub, RowKind::Gone, RowKind::Claim];
        kinds.into_iter().find(|kind| kind.number() == number)
    }

    pub(super) fn of_row(kind: Kind, item: &Item) -> RowKind {
        match kind {
            _ if is_claim(item) => RowKind::Claim,
            Kind::Value => RowKind::Value,
            Kind::Stub => RowKind::Stub,
            Kind::Gone => RowKind::Gone,
        }
    }

    pub(super) const fn kind(self) -> &'static str {
        match self {
            RowKind::Value => "value",
            RowKind::Stub | RowKind::Claim => "elsewhere",
            RowKind::Gone => "gone",
        }
    }
}
