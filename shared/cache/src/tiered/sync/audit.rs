//! Proof in production: now and then a sync compares some copies of L1 with what L3 has.
//!
//! L3 is asked beside Redis, in the time of the sync, so that only an audited sync costs anything. A copy that the sync
//! leaves good although L3 has something newer is too old, unless that is so new that others need not know of it yet.
//! With L3 switched off there is nothing to compare with.

use crate::tiered::view::View;
use crate::{
    coherence::{Coherence, LAMBDA_MS, Looked, Recorded},
    dynamo::L3Error,
    key::Key,
    lock::{Lock, whole},
    memory::{CachedEntry, Place},
    source_of_truth::SourceOfTruth,
    stats::Count,
    version::Version,
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Copies that one sync compares.
const MOST_COPIES: usize = 8;

/// When the next audit is due, where it goes on, and the greatest age of a copy that any has found.
#[derive(Debug, Default)]
pub(crate) struct Audits {
    syncs: AtomicU64,
    place: Lock<Place>,
    oldest_ms: AtomicU64,
}

/// Copies that are compared, by key.
pub(crate) type Sample = Vec<(Key, Arc<CachedEntry>)>;

/// The versions that L3 has of them.
pub(crate) type Truth = HashMap<Key, Version>;

impl Audits {
    /// The greatest age of a copy that was found, in ms.
    pub(crate) fn oldest_ms(&self) -> u64 {
        self.oldest_ms.load(Relaxed)
    }
}

impl View<'_> {
    /// The copies that the sync which is made now is to compare: none, but once in `coherence.audit_every`.
    pub(crate) fn sample(&self) -> Sample {
        let every = self.setup.config.coherence.audit_every;
        if every == 0 || self.source_of_truth() == SourceOfTruth::L2 {
            return Sample::new();
        }
        let number = self.audits.syncs.fetch_add(1, Relaxed) + 1;
        if !number.is_multiple_of(every) {
            return Sample::new();
        }
        let mut place = self.audits.place.enter(whole);
        let (copies, next) = self.memory.some(*place, MOST_COPIES);
        *place = next.unwrap_or_default();
        let now_ms = self.clock.now_ms();
        let live = copies.into_iter().filter(|copy| copy.is_live(now_ms));
        live.filter_map(|copy| Some((copy.key()?, copy))).collect()
    }

    /// The versions that L3 has of them.
    pub(crate) async fn read_truth(&self, sample: &Sample) -> Result<Truth, L3Error> {
        let keys: Vec<&Key> = sample.iter().map(|(key, _)| key).collect();
        self.store.versions(&keys).await
    }

    /// Compares them once the sync is taken in; `looked` is what it said of their keys.
    pub(crate) fn audit(&self, sample: &Sample, truth: Result<Truth, L3Error>, looked: Option<&Looked>) {
        let truth = match truth {
            Ok(truth) => truth,
            Err(error) => return tracing::debug!(%error, "copies are not audited"),
        };
        let knowledge = self.knowledge();
        let window_ms = self.setup.config.l1_config.coherence_window_ms;
        let now_ms = knowledge.as_of().started_us / 1000;
        for (key, copy) in sample {
            let Some(&newest) = truth.get(key) else { continue };
            // What has left the memory meanwhile is returned by no read, nor is what L3 must confirm first.
            if copy.key().is_none() || self.opinion_by(key, copy, &knowledge) != Some(true) {
                continue;
            }
            let age = age(copy.entry.version, newest, recorded(&knowledge, key, looked), now_ms);
            self.counters.add(Count::Audited, 1);
            self.audits.oldest_ms.fetch_max(age.ms, Relaxed);
            if age.ms > age.allowed_ms(window_ms) {
                self.counters.add(Count::Violations, 1);
                let (copy, newest) = (copy.entry.version.0, newest.0);
                tracing::error!(age_ms = age.ms, told = age.is_told, copy, newest, "a copy in memory is too old");
            }
        }
    }
}

fn recorded(knowledge: &Coherence, key: &Key, looked: Option<&Looked>) -> Option<Recorded> {
    knowledge.recorded(key, looked?).flatten()
}

/// For how long something newer than a copy has been there.
#[derive(Debug, PartialEq, Eq)]
struct Age {
    ms: u64,
    /// The journal says so.
    is_told: bool,
}

impl Age {
    /// How old a copy may be: Δ, or Λ where the journal was not told.
    fn allowed_ms(&self, window_ms: u64) -> u64 {
        if self.is_told { window_ms } else { LAMBDA_MS.unsigned_abs().max(window_ms) }
    }
}

/// The age of a copy of which L3 has the version `newest`. Redis time is `now_ms`.
fn age(copy: Version, newest: Version, recorded: Option<Recorded>, now_ms: u64) -> Age {
    if newest <= copy {
        return Age { ms: 0, is_told: true };
    }
    let told = recorded.filter(|recorded| recorded.greatest >= newest).map(|recorded| recorded.last.ms);
    // An operation takes its version when it begins.
    let since_ms = told.unwrap_or(newest.micros() / 1000);
    Age { ms: now_ms.saturating_sub(since_ms), is_told: told.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Position;

    const NOW_MS: u64 = 1_700_000_000_000;

    fn version(ms_ago: u64) -> Version {
        Version::at((NOW_MS - ms_ago) * 1000, 1)
    }

    fn recorded(version_ms_ago: u64, ms_ago: u64) -> Option<Recorded> {
        Some(Recorded { greatest: version(version_ms_ago), last: Position { ms: NOW_MS - ms_ago, seq: 0 } })
    }

    fn is_too_old(newest_ms_ago: u64, recorded: Option<Recorded>) -> bool {
        let age = age(version(60_000), version(newest_ms_ago), recorded, NOW_MS);
        age.ms > age.allowed_ms(1000)
    }

    #[test]
    fn a_copy_is_too_old_when_what_is_newer_was_told_longer_than_the_window_ago() {
        assert!(!is_too_old(60_000, None), "the same");
        assert!(!is_too_old(70_000, None), "L3 is behind what is only in memory");
        assert!(is_too_old(1500, recorded(1500, 1400)));
        assert!(!is_too_old(1500, recorded(1500, 900)), "told just now");
        assert!(!is_too_old(1500, None), "degraded, or on its way");
        assert!(is_too_old(10_500, None), "also when it was degraded");
        assert!(!is_too_old(1500, recorded(60_000, 59_000)), "what was told is older than that");
        let ahead = Version::at((NOW_MS + 5000) * 1000, 1);
        assert_eq!(age(version(0), ahead, None, NOW_MS), Age { ms: 0, is_told: false });
    }
}
