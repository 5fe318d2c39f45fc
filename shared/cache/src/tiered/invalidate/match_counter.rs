//! What a sweep met: distinct keys, each counted once however many levels hold it.

use crate::{
    cache_position::CachePosition,
    dynamo::RemovedCounts,
    level::{Level, Levels},
    lock::{Held, Lock, whole},
    outcome::{Invalidated, Reclaim},
};
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// Most sample keys of a dry run.
const SAMPLES: usize = 20;

/// The keys that were met.
pub(crate) struct MatchCounter {
    /// The levels that were asked for.
    pub(crate) levels: Levels,
    census: Lock<Census>,
}

#[derive(Default)]
struct Census {
    keys: HashSet<u64>,
    levels: Levels,
    samples: Vec<String>,
    /// Those whose value L3 keeps.
    kept: HashSet<u64>,
    /// Those whose value was in L2 alone.
    elsewhere: u64,
    /// Those that were made stale, or would be.
    stale: HashSet<u64>,
}

impl MatchCounter {
    pub(crate) fn of(levels: Levels) -> MatchCounter {
        MatchCounter { levels, census: Lock::default() }
    }

    /// Counts a live value. Where a lower level holds one, the L1 of some container may as well.
    pub(crate) fn add(&self, level: Level, key: &str) {
        let mut census = self.census();
        census.levels = census.levels.with(level).with(Level::L1).and(self.levels);
        if census.keys.insert(xxh3_64(key.as_bytes())) && census.samples.len() < SAMPLES {
            census.samples.push(key.to_owned());
        }
    }

    /// Counts a value that was removed, and is kept.
    pub(crate) fn keep(&self, key: &str) {
        self.census().kept.insert(xxh3_64(key.as_bytes()));
    }

    /// Counts a value that was made stale.
    pub(crate) fn make_stale(&self, key: &str) {
        self.census().stale.insert(xxh3_64(key.as_bytes()));
    }

    /// Counts a value that was removed, and was in L2 alone.
    pub(crate) fn add_elsewhere(&self) {
        self.census().elsewhere += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.census().keys.len() as u64
    }

    pub(crate) fn removed(&self) -> RemovedCounts {
        let census = self.census();
        RemovedCounts { matched: census.keys.len() as u64, kept: census.kept.len() as u64, elsewhere: census.elsewhere }
    }

    pub(crate) fn into_invalidated(self, degraded: bool, position: CachePosition, reclaim: Reclaim) -> Invalidated {
        let census = self.census.into_inner();
        let mut samples = census.samples;
        samples.sort_unstable();
        let (matched, stale) = (census.keys.len() as u64, census.stale.len() as u64);
        Invalidated { matched, stale, levels: census.levels, samples, degraded, position, reclaim, undo: None }
    }

    fn census(&self) -> Held<'_, Census> {
        self.census.enter(whole)
    }
}
