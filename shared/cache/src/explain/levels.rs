//! What each level has, and why a read may not return it.

use super::{
    CopyFacts, LevelFacts, Prediction, Reason,
    facts::{Asked, Certified, Facts, Row, Says, Shared},
    judge::Newest,
    past::Culprit,
};
use crate::level::{Level, Levels};

/// What each level has, nearest first.
pub(super) fn of(facts: &Facts<'_>, newest: &Newest, prediction: Prediction) -> [LevelFacts; 3] {
    [facts.first(newest, prediction), facts.second(newest), facts.third(newest)]
}

/// What a level has: a copy, and what speaks against it.
fn there(level: Level, copy: CopyFacts, found: Result<(), Culprit>) -> LevelFacts {
    LevelFacts { level, trusted: found.is_ok(), reason: found.err().map(|(reason, _)| reason), copy: Some(copy) }
}

fn nothing(level: Level, reason: Reason) -> LevelFacts {
    LevelFacts { level, trusted: false, reason: Some(reason), copy: None }
}

fn copy_of(copy: &Certified) -> CopyFacts {
    CopyFacts {
        version: copy.version,
        as_of: Some(copy.as_of),
        expires_at_ms: Some(copy.expires_at_ms),
        tags: copy.tags.clone(),
    }
}

/// Why a level has not the newest value.
fn missing(level: Level, newest: &Newest) -> Reason {
    let why = |levels: Levels| if levels.has(level) { Reason::EvictedHere } else { Reason::OtherLevels };
    match newest {
        Newest::Live { levels, .. } => why(*levels),
        Newest::Gone { culprit: (reason, _), .. } => *reason,
        // Whether there is one, only a level that cannot be reached could tell.
        Newest::NotKnown => Reason::LevelUnavailable,
    }
}

impl Facts<'_> {
    fn first(&self, newest: &Newest, prediction: Prediction) -> LevelFacts {
        let held = match &self.l1 {
            Asked::Disabled => return nothing(Level::L1, Reason::LevelDisabled),
            Asked::Unavailable => return nothing(Level::L1, Reason::LevelUnavailable),
            Asked::Said(None) => return nothing(Level::L1, missing(Level::L1, newest)),
            Asked::Said(Some(held)) => held,
        };
        let against = match prediction {
            Prediction::Found(Level::L1) => Ok(()),
            _ => self.of_memory(held, newest).and(Err((Reason::UnconfirmedCopy, None))),
        };
        there(Level::L1, copy_of(&held.copy), against)
    }

    fn second(&self, newest: &Newest) -> LevelFacts {
        match &self.l2 {
            Asked::Disabled => nothing(Level::L2, Reason::LevelDisabled),
            Asked::Unavailable => nothing(Level::L2, Reason::LevelUnavailable),
            Asked::Said(None | Some(Shared::Unreadable)) => nothing(Level::L2, missing(Level::L2, newest)),
            Asked::Said(Some(Shared::Tombstone(version))) => {
                let copy = CopyFacts { version: *version, as_of: None, expires_at_ms: None, tags: Vec::new() };
                LevelFacts { copy: Some(copy), ..nothing(Level::L2, missing(Level::L2, newest)) }
            }
            Asked::Said(Some(Shared::Copy(copy, certified_ms))) => {
                there(Level::L2, copy_of(copy), self.of_shared(copy, *certified_ms))
            }
        }
    }

    fn third(&self, newest: &Newest) -> LevelFacts {
        let row = match &self.l3 {
            Asked::Disabled => return nothing(Level::L3, Reason::LevelDisabled),
            Asked::Unavailable => return nothing(Level::L3, Reason::LevelUnavailable),
            Asked::Said(None) => return nothing(Level::L3, missing(Level::L3, newest)),
            Asked::Said(Some(row)) => row,
        };
        let against = match (row.says, newest) {
            (Says::Value, Newest::Live { .. }) => Ok(()),
            (_, Newest::Gone { culprit, .. }) => Err(culprit.clone()),
            (Says::Stub, _) => Err((Reason::OtherLevels, None)),
            (Says::Gone, _) => Err(self.past.left(row.version, self.key)),
            (Says::Claimed, _) => Err((Reason::Unknown, None)),
            (Says::Value, Newest::NotKnown) => Err((Reason::UnconfirmedCopy, None)),
        };
        there(Level::L3, row_of(row), against)
    }
}

fn row_of(row: &Row) -> CopyFacts {
    CopyFacts {
        version: row.version,
        as_of: None,
        expires_at_ms: matches!(row.says, Says::Value | Says::Stub).then_some(row.expires_at_ms),
        tags: row.tags.clone(),
    }
}
