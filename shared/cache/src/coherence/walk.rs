//! Scanning L1 after invalidations, a part with every sync.
//!
//! Only memory depends on it: a copy that was not reached is judged when it is asked for. But invalidated copies should not
//! take up room for long, and an invalidation is kept until every copy has been compared with it.

use super::Coherence;
use crate::{
    memory::Place,
    planted::{Bug, planted},
    version::Position,
};

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Where the newest invalidation of L1 was known.
    due: Position,
    /// What was known when the round under way began, and where it goes on.
    under_way: Option<(Position, Place)>,
    /// Every copy was compared with what was known there.
    done: Position,
}

impl Coherence {
    /// Invalidations have come that may mean copies in L1.
    pub(super) fn must_walk(&mut self) {
        self.walk.due = self.cursor.unwrap_or_default();
    }

    /// Where the scan of L1 continues; `None` when it is done.
    pub(crate) fn walk(&mut self) -> Option<Place> {
        let cursor = self.cursor.unwrap_or_default();
        if self.walk.under_way.is_none() && self.walk.due > self.walk.done {
            self.walk.under_way = Some((cursor, Place::default()));
        }
        self.walk.under_way.map(|(_, place)| place)
    }

    /// L1 was scanned up to there; `None` for all of it.
    pub(crate) fn walked(&mut self, to: Option<Place>) {
        let Some((began, _)) = self.walk.under_way.take() else { return };
        match to {
            Some(place) => self.walk.under_way = Some((began, place)),
            None => self.walk.done = began,
        }
        if planted(Bug::UncheckedCopiesTrusted) {
            self.settled = Position::ZERO;
        }
    }

    /// The invalidations up to there have been compared with every copy in L1 that could be judged.
    pub(super) fn walked_up_to(&self) -> Position {
        let Walk { due, under_way, done } = &self.walk;
        if under_way.is_none() && due <= done { self.cursor.unwrap_or_default() } else { *done }
    }
}
