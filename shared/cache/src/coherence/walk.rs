//! Looking L1 over after invalidations, a part with every sync.
//!
//! Nothing depends on it but memory: a copy that was not come to is judged when it is asked for. But what is invalidated
//! should not take room for long, and the invalidations that some copy was not compared with are kept until it was.

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

    /// Where to look L1 over from now; `None` when that is done.
    pub(crate) fn walk(&mut self) -> Option<Place> {
        let cursor = self.cursor.unwrap_or_default();
        if self.walk.under_way.is_none() && self.walk.due > self.walk.done {
            self.walk.under_way = Some((cursor, Place::default()));
        }
        self.walk.under_way.map(|(_, place)| place)
    }

    /// It was looked over up to there; `None` for all of it.
    pub(crate) fn walked(&mut self, to: Option<Place>) {
        let Some((began, _)) = self.walk.under_way.take() else { return };
        match to {
            Some(place) => self.walk.under_way = Some((began, place)),
            None => self.walk.done = began,
        }
        if planted(Bug::RestForgotten) {
            self.settled = Position::ZERO;
        }
    }

    /// The invalidations up to there have been compared with every copy in L1 that could be judged.
    pub(super) fn walked_up_to(&self) -> Position {
        let Walk { due, under_way, done } = &self.walk;
        if under_way.is_none() && due <= done { self.cursor.unwrap_or_default() } else { *done }
    }
}
