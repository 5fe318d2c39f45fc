//! What is counted of an operation, once its outcome is known.

use crate::tiered::TieredCache;
use crate::{
    level::Level,
    outcome::{CacheError, Hit, Path, Step},
    redis::{Done, Outcome},
    stats::{Count, Counts},
    version::Version,
};
use std::time::Duration;

impl TieredCache {
    /// What this container has counted since it started.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// How long its syncs took since this was asked last; of the first hundred.
    pub fn take_sync_times(&self) -> Vec<Duration> {
        self.sync_times.take()
    }

    /// Counts a read by what each level did for it.
    pub(crate) fn count_lookup(&self, path: &Path, found: &Result<Option<Hit>, CacheError>) {
        let answered = found.as_ref().ok().and_then(Option::as_ref).map(|hit| hit.level);
        let failed = match found {
            Err(CacheError::Unavailable { level, .. }) => Some(*level),
            _ => None,
        };
        for (level, step) in path.steps() {
            let step = if failed == Some(level) { Step::Unavailable } else { step };
            self.count_step(level, step, answered == Some(level));
        }
        match found {
            Ok(Some(_)) => {}
            Ok(None) => self.counters.add(Count::Absent, 1),
            Err(_) => self.counters.add(Count::Failed, 1),
        }
    }

    fn count_step(&self, level: Level, step: Step, answered: bool) {
        match step {
            Step::Unasked | Step::Disabled => {}
            _ if answered => self.counters.add(Count::hits(level), 1),
            Step::Hit | Step::Miss => self.counters.add(Count::misses(level), 1),
            Step::Stale => {
                self.counters.add(Count::misses(level), 1);
                self.count_one_of(Count::stale(level));
            }
            Step::Unavailable => self.count_one_of(Count::errors(level)),
        }
    }

    /// Counts a mutation that ended so; `degraded` says whether it did without Redis.
    pub(crate) fn count_mutation<T>(
        &self,
        ended: Result<T, CacheError>,
        degraded: impl FnOnce(&T) -> bool,
    ) -> Result<T, CacheError> {
        if ended.is_ok() {
            self.counters.add(Count::Mutations, 1);
        }
        match &ended {
            Ok(done) if degraded(done) => {
                self.counters.add(Count::Degraded, 1);
                self.counters.add(Count::L2Errors, 1);
            }
            Err(CacheError::Unavailable { level, .. }) => self.count_one_of(Count::errors(*level)),
            _ => {}
        }
        ended
    }

    /// Counts a write into L2 that brought this version there, and did not only certify it anew.
    pub(crate) fn count_promotion(&self, version: Version, written: Outcome) {
        if written.done == Done::Yes && written.before != Some(version) {
            self.counters.add(Count::L2Promotions, 1);
        }
    }

    fn count_one_of(&self, count: Option<Count>) {
        if let Some(count) = count {
            self.counters.add(count, 1);
        }
    }
}
