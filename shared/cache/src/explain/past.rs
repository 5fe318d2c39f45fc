//! What the journal, and the index beside it, still know of a key.

use super::Reason;
use crate::{
    key::Key,
    level::Level,
    outcome::Mutation,
    selector::{Invalidation, Selector},
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::sync::Arc;

/// The past of a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub epoch: Position,
    /// Where a level was switched last.
    pub switched: Position,
    /// Whatever put or deleted the key after this is known; `None` where nothing is.
    pub floor: Option<Position>,
    /// So is every invalidation after this.
    pub swept: Option<Position>,
    /// The last that put or deleted it.
    pub last: Option<Changed>,
    /// Invalidations, oldest first.
    pub invalidations: Vec<Swept>,
    /// Those that have not removed all they mean.
    pub open: Vec<Swept>,
    /// Some of those may mean anything: a later release began them.
    pub has_unreadable_invalidation: bool,
    /// Redis time in milliseconds.
    pub now_ms: u64,
}

/// What put or deleted a key.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// The greatest version that did.
    pub greatest: Version,
    /// Where the last record stands.
    pub at: Position,
    /// The last record, its version first, where the journal still has it.
    pub record: Option<(Version, Mutation)>,
}

/// An invalidation.
#[derive(Debug, Clone)]
pub(crate) struct Swept {
    pub invalidation: Invalidation,
    pub mutation: Mutation,
}

/// What took a value away, as far as that is known.
pub(super) type Culprit = (Reason, Option<Box<Mutation>>);

impl Swept {
    pub(super) fn culprit(&self) -> Culprit {
        (by(&self.invalidation.selector), Some(Box::new(self.mutation.clone())))
    }
}

/// Why what a selector means is gone.
fn by(selector: &Selector) -> Reason {
    match selector {
        Selector::Pattern(_) => Reason::InvalidatedByPattern,
        Selector::Tags { .. } | Selector::AllTags { .. } => Reason::InvalidatedByTag,
        Selector::Keys(_) => Reason::InvalidatedByKey,
        Selector::Except { of, .. } => by(of),
    }
}

impl Past {
    /// The first invalidation recorded after `since` that means what `level` has of the key.
    pub(super) fn swept(&self, level: Level, key: &Key, tags: &[Arc<str>], since: Position) -> Option<&Swept> {
        let all = self.invalidations.iter().chain(&self.open);
        let covering = all.filter(|swept| swept.invalidation.covers(level, key.as_str(), tags, since));
        covering.min_by_key(|swept| swept.invalidation.at)
    }

    /// The open invalidation that hides a value of that version, kept in `level`.
    pub(super) fn masks(&self, level: Level, key: &Key, tags: &[Arc<str>], version: Version) -> Option<&Swept> {
        self.open.iter().find(|swept| swept.invalidation.masks(level, key.as_str(), tags, version))
    }

    /// What has put or deleted the key after `since`, but for what gave it `version`.
    pub(super) fn changed(&self, version: Version, since: Position) -> Option<&Changed> {
        self.last.as_ref().filter(|last| last.at > since && last.greatest != version)
    }

    /// What has become of a copy in `level` since it was known to be good; `Ok` for nothing.
    pub(super) fn of_copy(
        &self,
        level: Level,
        key: &Key,
        tags: &[Arc<str>],
        version: Version,
        since: Position,
    ) -> Result<(), Culprit> {
        if let Some(swept) = self.swept(level, key, tags, since) {
            return Err(swept.culprit());
        }
        if let Some(changed) = self.changed(version, since) {
            return Err(changed.culprit());
        }
        let is_known = |floor: Option<Position>| floor.is_some_and(|floor| since >= floor);
        if is_known(self.floor) && is_known(self.swept) { Ok(()) } else { Err((Reason::JournalGap, None)) }
    }

    /// The put of that version, where it is the last that is known.
    pub(super) fn put(&self, version: Version) -> Option<Box<Mutation>> {
        let (_, record) = self.last.as_ref()?.record.as_ref().filter(|(recorded, _)| *recorded == version)?;
        Some(Box::new(record.clone()))
    }

    /// What has left a tombstone of that version.
    pub(super) fn left(&self, tombstone: Version, key: &Key) -> Culprit {
        if self.last.as_ref().is_some_and(|last| last.has(tombstone)) {
            return (Reason::Deleted, self.put(tombstone));
        }
        if let Some(swept) =
            self.invalidations.iter().chain(&self.open).find(|swept| swept.invalidation.version == tombstone)
        {
            return swept.culprit();
        }
        // An invalidation of the upper levels alone leaves one just above the value it removes.
        let is_just_above = |last: &&Changed| last.greatest.next() == tombstone;
        match self.last.as_ref().filter(is_just_above) {
            Some(last) => self.possible_culprit(key, last.at, u64::MAX).unwrap_or((Reason::Unknown, None)),
            None => (Reason::Unknown, None),
        }
    }

    /// What has ended a life at `ended_ms`, of a value that an invalidation has left in its grace: that, or its time to live
    /// was over when the invalidation came.
    pub(super) fn made_stale(&self, key: &Key, tags: &[Arc<str>], ended_ms: i64) -> Culprit {
        let all = self.invalidations.iter().chain(&self.open);
        let touching = all.filter(|swept| swept.invalidation.selector.touches(key.as_str(), tags));
        let ends = touching.filter_map(|swept| Some((swept, swept.invalidation.end()?.at_ms)));
        match ends.filter(|(_, at_ms)| *at_ms >= ended_ms).min_by_key(|(_, at_ms)| *at_ms) {
            Some((swept, at_ms)) if at_ms == ended_ms => swept.culprit(),
            Some(_) => (Reason::Expired, None),
            None => (Reason::Unknown, None),
        }
    }

    /// What has taken away, after `since` and before `until_ms` of Redis time, a value of which neither tags nor expiry are
    /// known any more: what certainly meant it; else whatever may have, if that is one alone.
    pub(super) fn possible_culprit(&self, key: &Key, since: Position, until_ms: u64) -> Option<Culprit> {
        let is_meant = |swept: &&Swept| {
            let Invalidation { at, levels, selector, .. } = &swept.invalidation;
            *at > since && at.ms < until_ms && levels.has(Level::L2) && selector.admits(key.as_str())
        };
        let mut meant: Vec<&Swept> = self.invalidations.iter().chain(&self.open).filter(is_meant).collect();
        meant.sort_by_key(|swept| swept.invalidation.at);
        meant.dedup_by_key(|swept| swept.invalidation.at);
        let certain = meant.iter().find(|swept| !swept.invalidation.selector.is_by_tag());
        match (certain, &meant[..]) {
            (_, [one]) => Some(one.culprit()),
            (Some(certain), [first, ..]) if certain.invalidation.at == first.invalidation.at => Some(certain.culprit()),
            (_, []) => None,
            _ => Some((Reason::Unknown, None)),
        }
    }

    /// Since when all that happened to a key is known, in milliseconds since the Unix epoch, where `source_of_truth`
    /// decides and a row stays for `kept_ms` at least.
    pub(super) fn known_since_ms(&self, source_of_truth: SourceOfTruth, now_ms: i64, kept_ms: i64) -> Option<i64> {
        let by_position = |at: Position| i64::try_from(at.ms).unwrap_or(i64::MAX);
        let by_index = self.floor.zip(self.swept).map(|(floor, swept)| by_position(floor.max(swept)));
        let since_ms = match source_of_truth {
            SourceOfTruth::L2 => by_index,
            SourceOfTruth::L3 => Some(by_index.unwrap_or(i64::MAX).min(now_ms.saturating_sub(kept_ms))),
        };
        since_ms.map(|since_ms| since_ms.max(by_position(self.switched)))
    }
}

impl Changed {
    /// Whether one of its records is of that version.
    fn has(&self, version: Version) -> bool {
        self.greatest == version || self.record.as_ref().is_some_and(|(recorded, _)| *recorded == version)
    }

    /// What it did to the value before.
    pub(super) fn culprit(&self) -> Culprit {
        match &self.record {
            Some((_, record)) if record.kind == "delete" => (Reason::Deleted, Some(Box::new(record.clone()))),
            Some((_, record)) => (Reason::Overwritten, Some(Box::new(record.clone()))),
            None => (Reason::Unknown, None),
        }
    }
}
