//! Running warm jobs: what L3 has goes into L2 wave by wave, by the rules of a promotion.
//!
//! A wave reads some batches of keys, or some pages of what patterns mean, all at once; writes what it found into L2 in
//! one pipeline; and looks into the journal after it, as every promotion does: what was changed or invalidated meanwhile is
//! taken back and read again. So a wave may be repeated, and cut off anywhere. A job whose Redis has lost what it had (the
//! journal began another epoch) begins anew.

use super::{
    jobs::{Halt, Lease},
    load::{Batch, Sum},
    prefetch::{MOST_BROADCAST, worth_naming},
    sweep::Pace,
    view::View,
};
use crate::{
    frontier::Front,
    job::Counters,
    key::Key,
    level::Level,
    outcome::CacheError,
    selector::{Selector, Stretch},
    warm::{Strategy, Warm},
};
use futures_util::future::join;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// The kind of these jobs.
pub(super) const KIND: &str = "warm";

/// Most entries under way at once, whatever a job asks for: writing so many keeps Redis busy for some 30 ms.
const WAVE_KEYS: usize = 1000;
/// Least keys of a job whose throughput says something about that of the next one.
const MEASURED_KEYS: u64 = 100;

/// How far a job has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Keys of its list that are done.
    keys: usize,
    /// How far the stretches of its patterns are.
    front: Front,
    /// Where the journal's epoch began under which it has come so far.
    epoch: String,
    /// How long it was worked on, in ms.
    spent_ms: u64,
    /// Entries to tell the fleet of in the end, and bytes of their envelopes.
    named: Vec<(String, usize)>,
}

/// What a job means, and where it is looked for.
struct Plan {
    warm: Warm,
    selectors: Vec<Selector>,
}

impl View<'_> {
    /// Goes on with a warm job; returns whether nothing is left.
    pub(super) async fn warm_part(&self, lease: &mut Lease, pace: Pace) -> Result<bool, Halt> {
        if !self.uses(Level::L2) {
            return Err(Halt::GivenUp("L2_REDIS is switched off, so that there is nothing to load into"));
        }
        let warm = lease.record.job.warm.clone().ok_or(Halt::GivenUp("it is a job of a later release"))?;
        let plan = Plan::of(warm);
        let stretches = plan.stretches();
        let mut progress = Progress::of(lease);
        loop {
            self.begin_anew_after_loss(lease, &mut progress);
            let began = Instant::now();
            let wave = plan.next_wave(&stretches, &mut progress);
            if wave.is_empty() {
                return Ok(true);
            }
            if self.in_force().is_err() {
                return Ok(false);
            }
            let name = plan.warm.strategy != Strategy::Lazy && progress.named.len() < MOST_BROADCAST;
            let mut sum = self.wave(lease, &wave, name).await?;
            progress.keys += wave.iter().map(|batch| batch.keys().len()).sum::<usize>();
            sum.next.iter().for_each(|(number, last)| progress.front.advance(*number, last.clone()));
            if name {
                progress.name(std::mem::take(&mut sum.loaded));
            }
            progress.spent_ms += u64::try_from(began.elapsed().as_millis()).unwrap_or_default();
            lease.record.progress = progress.to_json();
            sum.add_to(&mut lease.record.job);
            if pace.is_over() {
                return Ok(false);
            }
        }
    }

    /// Where Redis may have lost what it had, all of it is loaded again; and counted again.
    fn begin_anew_after_loss(&self, lease: &mut Lease, progress: &mut Progress) {
        let epoch = self.knowledge().epoch().to_string();
        if progress.epoch != epoch {
            *progress = Progress { epoch, ..Progress::default() };
            lease.record.job.counters = Counters::default();
            lease.record.job.errors.clear();
        }
    }

    /// Loads some batches, unless the job is somebody else's now, or was cancelled.
    async fn wave(&self, lease: &Lease, wave: &[Batch<'_>], name: bool) -> Result<Sum, Halt> {
        // Asked beside the reading, which it does not delay.
        let held = self.store.holds_job(&lease.record.job.id, &lease.owner);
        let (held, found) = join(held, self.find(wave, name)).await;
        if !held? {
            return Err(Halt::Lost);
        }
        Ok(self.promote_all(found?).await?)
    }

    /// What is left to do once all is loaded: the fleet is told of it, and the throughput is remembered.
    pub(super) async fn warmed(&self, lease: &Lease) -> Result<(), CacheError> {
        let progress = Progress::of(lease);
        self.broadcast(&progress.named()).await?;
        let done = lease.record.job.counters.done;
        if done >= MEASURED_KEYS {
            self.store.learn_warm_rate(done * 1000 / progress.spent_ms.max(1)).await?;
        }
        Ok(())
    }
}

impl Progress {
    fn of(lease: &Lease) -> Progress {
        serde_json::from_str(&lease.record.progress).unwrap_or_default()
    }

    /// Remembers some more entries to tell the fleet of, as far as there is room.
    fn name(&mut self, loaded: Vec<(Key, usize)>) {
        let all: Vec<_> = self.named().into_iter().chain(loaded).collect();
        self.named = worth_naming(&all).into_iter().map(|(key, bytes)| (key.to_string(), bytes)).collect();
    }

    fn named(&self) -> Vec<(Key, usize)> {
        self.named.iter().filter_map(|(key, bytes)| Some((Key::new(key.as_str()).ok()?, *bytes))).collect()
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }
}

impl Plan {
    fn of(warm: Warm) -> Plan {
        let selectors = warm.patterns.iter().cloned().map(Selector::Pattern).collect();
        Plan { warm, selectors }
    }

    /// Where the patterns' keys lie, always in the same order.
    fn stretches(&self) -> Vec<(&Selector, Stretch<'_>)> {
        let of = |selector| Selector::stretches(selector).into_iter().map(move |stretch| (selector, stretch));
        self.selectors.iter().flat_map(of).collect()
    }

    /// The batches to load now: first those of the keys, then those of the patterns; none when all are done.
    fn next_wave<'a>(&'a self, stretches: &[(&'a Selector, Stretch<'a>)], progress: &mut Progress) -> Vec<Batch<'a>> {
        let size = self.warm.batch_size;
        let at_once = self.warm.max_concurrent.min((WAVE_KEYS / size).max(1));
        let keys = self.warm.keys.get(progress.keys..).unwrap_or_default();
        if !keys.is_empty() {
            return keys.chunks(size).take(at_once).map(Batch::Keys).collect();
        }
        let due = progress.front.due(stretches.len()).into_iter().take(at_once);
        due.map(|(number, after)| {
            let (selector, stretch) = stretches[number];
            Batch::Page { number, selector, stretch, after, size }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pattern::Pattern;

    fn plan(keys: usize, batch_size: usize, max_concurrent: usize) -> Plan {
        let keys = (0..keys).map(|i| Key::new(format!("k:{i}")).unwrap()).collect();
        let patterns = vec![Pattern::new("a:*").unwrap(), Pattern::new("b").unwrap()];
        Plan::of(Warm { keys, patterns, batch_size, max_concurrent, ..Warm::new("me") })
    }

    fn wave(plan: &Plan, progress: &mut Progress) -> Vec<usize> {
        let stretches = plan.stretches();
        plan.next_wave(&stretches, progress).iter().map(|batch| batch.keys().len()).collect()
    }

    #[test]
    fn a_wave_has_as_many_batches_as_asked_for_but_never_too_many_entries() {
        assert_eq!(wave(&plan(120, 50, 2), &mut Progress::default()), [50, 50]);
        assert_eq!(wave(&plan(120, 50, 10), &mut Progress::default()), [50, 50, 20]);
        assert_eq!(wave(&plan(500, 1000, 100), &mut Progress::default()), [500]);
        assert_eq!(wave(&plan(500, 400, 100), &mut Progress::default()), [400, 100]);
        assert_eq!(wave(&plan(0, 500, 100), &mut Progress::default()).len(), 2, "pages of 500");
    }

    #[test]
    fn the_patterns_follow_the_keys_stretch_by_stretch() {
        let plan = plan(3, 2, 4);
        let stretches = plan.stretches();
        let (mut progress, mut seen) = (Progress { keys: 3, ..Progress::default() }, Vec::new());
        loop {
            let wave = plan.next_wave(&stretches, &mut progress);
            let numbers = wave.iter().map(|batch| match batch {
                Batch::Page { number, .. } => *number,
                Batch::Keys(_) => panic!("the keys are done"),
            });
            let numbers: Vec<usize> = numbers.collect();
            assert!(numbers.len() <= 4);
            let Some(first) = numbers.first() else { break };
            progress.front.advance(*first, None);
            seen.push(*first);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..17).collect::<Vec<_>>(), "sixteen for the prefix, one for the key");
    }
}
