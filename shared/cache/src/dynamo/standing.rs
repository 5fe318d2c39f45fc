//! What stands in a row, as a fill wants to know it.

use super::{Item, head::Kind, schema::is_claim};
use crate::version::Version;

/// What stands in a row, exactly: no two rows of a key that say different things are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub version: Version,
    pub kind: StandingKind,
}

/// Of which kind that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandingKind {
    Value,
    Stub,
    Gone,
    Claim,
}

impl StandingKind {
    /// As a token has it.
    pub(crate) const fn number(self) -> u8 {
        match self {
            StandingKind::Value => 1,
            StandingKind::Stub => 2,
            StandingKind::Gone => 3,
            StandingKind::Claim => 4,
        }
    }

    /// What [`number`](StandingKind::number) made a number of.
    pub(crate) fn of(number: u8) -> Option<StandingKind> {
        let kinds = [StandingKind::Value, StandingKind::Stub, StandingKind::Gone, StandingKind::Claim];
        kinds.into_iter().find(|kind| kind.number() == number)
    }

    pub(super) fn of_row(kind: Kind, item: &Item) -> StandingKind {
        match kind {
            _ if is_claim(item) => StandingKind::Claim,
            Kind::Value => StandingKind::Value,
            Kind::Stub => StandingKind::Stub,
            Kind::Gone => StandingKind::Gone,
        }
    }

    pub(super) const fn kind(self) -> &'static str {
        match self {
            StandingKind::Value => "value",
            StandingKind::Stub | StandingKind::Claim => "elsewhere",
            StandingKind::Gone => "gone",
        }
    }
}
