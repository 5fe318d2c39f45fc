//! Doubt: after a gap nobody has told this container what happened to the keys of its copies.
//!
//! Nothing is dropped for that. A copy carries the position up to which it is known to be good, and a gap makes a later
//! one necessary; so one comparison tells whether it is doubted. Doubted copies are confirmed one by one, when they are
//! asked for: by the window of recent changes where it reaches back, by the index beside the journal, or else by the
//! version that L3 has.
//!
//! So it is with invalidations. What a sync brings of puts and deletes names its keys; an invalidation may mean any
//! copy, and its sender alone decides how dear it is to find out which. They go into the window of recent changes, and
//! leave doubt.

use super::{Coherence, FreshnessProof, Recorded, Said};
use crate::{
    key::{Key, KeyHashing},
    level::Level,
    planted::{Bug, planted},
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Most gaps that are remembered: one for each second of the time that the index covers at most.
const MOST_GAPS: usize = 800;

/// The gaps there were, the oldest first: where each ended, and where knowledge had reached before it.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    kept: VecDeque<(Position, Position)>,
    /// Where the newest ended that is not kept.
    forgotten: Position,
}

/// What the index said of some keys, in one generation of knowledge.
#[derive(Debug)]
pub(crate) struct Looked {
    generation: u64,
    floor: Position,
    keys: HashMap<Key, Option<Recorded>, KeyHashing>,
}

/// A copy in own L1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    pub key: &'a Key,
    pub tags: &'a [Arc<str>],
    pub version: Version,
    /// Where it was certified.
    pub as_of: Position,
    /// Up to where it was known to be good.
    pub known: Position,
}

impl Gaps {
    /// Remembers a gap from `before` to `end`. What lies before `floor` nobody can tell of any more.
    pub(super) fn add(&mut self, before: Position, end: Position, floor: Position) {
        self.kept.push_back((end, before));
        while let Some((end, before)) = self.kept.front()
            && (self.kept.len() > MOST_GAPS || *before < floor)
        {
            self.forgotten = *end;
            self.kept.pop_front();
        }
    }

    /// Up to where L1 has applied every put and delete after `known`; `None` for all of them.
    fn applied_from(&self, known: Position) -> Option<Position> {
        if known < self.forgotten {
            return Some(known);
        }
        let next = self.kept.partition_point(|(end, _)| *end <= known);
        self.kept.get(next).map(|(_, before)| known.max(*before))
    }
}

impl Looked {
    /// What the index said of keys in a generation of knowledge.
    pub(crate) fn of<'a>(keys: impl IntoIterator<Item = &'a Key>, said: &Said, generation: u64) -> Looked {
        let keys = keys.into_iter().cloned().zip(said.keys.iter().copied()).collect();
        Looked { generation, floor: said.floor, keys }
    }
}

impl Coherence {
    /// The generation of knowledge: what was said in another one says nothing any more.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the index must be asked about a copy in L2 whose as-of position is not known yet: the window of recent
    /// changes may not reach back to it.
    pub(crate) fn lacks_history(&self) -> bool {
        self.source_of_truth == SourceOfTruth::L3 && !self.is_over(self.known_after())
    }

    /// Whether a doubted copy is still good; `None` where neither the window of recent changes nor the index can tell,
    /// and L3 must.
    pub(crate) fn confirms(&self, held: &Held<'_>, looked: Option<&Looked>) -> Option<bool> {
        let good_until = held.as_of.max(held.known);
        if self.is_invalidated(Level::L1, held.key, held.tags, good_until) {
            return Some(false);
        }
        let since = held.as_of.max(self.gaps.applied_from(held.known).unwrap_or(self.known()));
        self.is_known_unchanged(held.key, held.version, since, good_until, looked)
    }

    /// Whether nothing has put or deleted a key since a position but what gave it this version; `None` where that cannot be
    /// told, nor whether it was invalidated since another one.
    pub(super) fn is_known_unchanged(
        &self,
        key: &Key,
        version: Version,
        since: Position,
        unswept_until: Position,
        looked: Option<&Looked>,
    ) -> Option<bool> {
        if unswept_until < self.swept || since < self.epoch {
            return None;
        }
        let covered = self.covers(key, version, since);
        if since >= self.low_watermark {
            return Some(!covered);
        }
        let looked = looked.filter(|looked| since >= looked.floor)?;
        let recorded = self.recorded(key, looked)?;
        Some(!covered && recorded.is_none_or(|recorded| recorded.spares(version, since)))
    }

    /// Whether the index says that a copy in L2 is as good as when it was certified. What it does not reach back to must be
    /// over: then it is in L2.
    pub(super) fn is_untouched(&self, key: &Key, copy: &FreshnessProof, looked: &Looked) -> bool {
        let floor = looked.floor.max(self.swept);
        (copy.as_of >= floor || self.is_over(floor))
            && self
                .recorded(key, looked)
                .is_some_and(|recorded| recorded.is_none_or(|recorded| recorded.spares(copy.version, copy.as_of)))
    }

    /// What the index has of a key; `None` when it was not asked about it in this generation.
    pub(crate) fn recorded(&self, key: &Key, looked: &Looked) -> Option<Option<Recorded>> {
        looked.keys.get(key).copied().filter(|_| looked.generation == self.generation)
    }
}

impl Recorded {
    /// Whether a copy of that version, certified at `since`, is as good as it was then.
    fn spares(&self, version: Version, since: Position) -> bool {
        self.last <= since || self.greatest == version || planted(Bug::InvalidationIndexIgnored)
    }
}
