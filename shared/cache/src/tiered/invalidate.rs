//! Invalidating by pattern or tag: a record that makes the effect complete at once, then the removal of what is meant.
//!
//! The record goes into the journal and stays *open* until everything it means is removed: meanwhile no container
//! returns a copy certified before it, nor a row of L3 of a smaller version. What is found costs by what matches,
//! not by what there is: every level is looked through by index. What a request has no time for goes on as a job.

use super::{
    TieredCache, ended,
    met::Met,
    removal::Handover,
    sweep::{Act, Pace, Sweep},
    view::{CaughtUp, Stop, View},
};
use crate::{
    dynamo::{L3Error, Noted},
    frontier::Frontier,
    level::{Level, Levels},
    outcome::{CacheError, Invalidate, Invalidated, Reclaim},
    planted::{Bug, planted},
    redis::{Down, appended, closed},
    register::Register,
    selector::{Selector, Written},
    version::{Position, Version},
};
use std::time::Duration;

/// How often an invalidation begins anew when its record is lost.
const TRIES: usize = 3;
/// How much longer than its budget a request may take to finish the page it is at: with the default budget of 20 s and
/// the time to leave a job, less than the gateway waits (29 s).
const GRACE: Duration = Duration::from_secs(4);

impl TieredCache {
    /// Invalidates what a selector means. When this returns, every read that starts more than Δ later finds nothing of
    /// it that was there before, also where its removal goes on as a job.
    ///
    /// # Errors
    /// When more matches than allowed, or a level that is named cannot be reached; then it may be done in part.
    pub async fn invalidate(&self, request: &Invalidate) -> Result<Invalidated, CacheError> {
        self.count_mutation(self.try_invalidate(request).await, |invalidated| invalidated.degraded)
    }

    async fn try_invalidate(&self, request: &Invalidate) -> Result<Invalidated, CacheError> {
        let pace = Pace::of(self.request_budget, GRACE);
        loop {
            if let Some(ended) = ended(self.view().invalidate(request, pace).await) {
                return ended;
            }
        }
    }
}

impl View<'_> {
    async fn invalidate(&self, request: &Invalidate, pace: Pace) -> Result<Invalidated, Stop> {
        let levels = request.levels.and(self.setup.config.enabled());
        if levels.has(Level::L3) && self.store.is_paused() {
            // Before a record says that copies are not to be trusted, which only L3 could then confirm.
            return Err(CacheError::from(L3Error::Skipped).into());
        }
        if request.dry_run || request.max_affected.is_some() {
            let caught_up = self.catch_up().await?;
            let met = self.census(request, levels, caught_up, pace).await?;
            match request.max_affected {
                _ if request.dry_run => return Ok(met.into_invalidated(false, Reclaim::Complete)),
                Some(most) if met.count() > most => return Err(CacheError::TooMany { matched: met.count() }.into()),
                _ => {}
            }
        }
        for _ in 0..TRIES {
            let CaughtUp { synced, followed } = self.catch_up().await?;
            match synced {
                Ok(()) => {
                    if let Some((met, reclaim)) = self.invalidate_once(request, levels, pace).await? {
                        return Ok(met.into_invalidated(false, reclaim));
                    }
                }
                Err(down) if self.register() == Register::L2 => {
                    return Err(CacheError::from(down).into());
                }
                Err(_) => return Ok(self.invalidate_without_redis(request, levels, followed, pace).await?),
            }
        }
        Err(CacheError::Contended.into())
    }

    /// Counts what a selector means, and removes nothing.
    async fn census(
        &self,
        request: &Invalidate,
        levels: Levels,
        caught_up: CaughtUp,
        pace: Pace,
    ) -> Result<Met, CacheError> {
        let met = Met::of(levels);
        let sweep = Sweep { selector: &request.selector, act: Act::Look, met: &met };
        let mut frontier = Frontier::default();
        let mut done = true;
        if levels.has(Level::L3) || levels.has(Level::L2) {
            // What is open counts as removed.
            self.know_barriers(caught_up.synced.is_ok(), 0).await?;
        }
        if levels.has(Level::L3) {
            done = self.sweep_l3(sweep, &mut frontier.l3, pace).await?;
        }
        if done && levels.has(Level::L2) {
            caught_up.synced?;
            done = self.sweep_l2(sweep, &mut frontier.l2, pace).await?;
        }
        self.look_into_memory(sweep);
        if done { Ok(met) } else { Err(CacheError::OutOfTime) }
    }

    /// One attempt with Redis; `None` when its record was lost on the way.
    async fn invalidate_once(
        &self,
        request: &Invalidate,
        levels: Levels,
        pace: Pace,
    ) -> Result<Option<(Met, Reclaim)>, CacheError> {
        let stamp = self.stamp();
        let written = request.written(self.version(stamp), levels);
        let record = self.ask(self.journal.invalidate(self.operation(stamp), &written, true)).await;
        let at = record.and_then(appended)?;
        let at = at.ok_or_else(|| CacheError::unavailable(Level::L2, "the operation took too long"))?;
        let met = Met::of(levels);
        let mut frontier = Frontier::default();
        let sweep = Sweep { selector: &request.selector, act: Act::Remove(written.version), met: &met };
        self.look_into_memory(sweep);
        let early = planted(Bug::BarrierClosedEarly) && self.close(at, met.count()).await?;
        // Where this fails the record stays open, and with it the effect: what is left is removed by maintenance.
        if self.sweep(sweep, &mut frontier, pace).await? {
            let closed = early || self.close(at, met.count()).await?;
            return Ok(closed.then_some((met, Reclaim::Complete)));
        }
        let job = self.leave_to_job(Handover { written: &written, at: Some(at), frontier, done: met.count() }).await?;
        // Acknowledged only when this container has read its record as well, and it stands now that the note is left.
        self.stand(&written, &written.to_json()).await?;
        Ok(Some((met, Reclaim::InProgress { job: Some(job) })))
    }

    /// Closes the record and reads the journal up to it, so that own L1 heeds it as well. False when it was not open.
    pub(super) async fn close(&self, at: Position, matched: u64) -> Result<bool, CacheError> {
        let reply = self.then_sync(vec![self.journal.close(at, matched)], 0).await?;
        reply.into_iter().next().ok_or(Down::Odd("no reply to a close")).and_then(closed).map_err(CacheError::from)
    }

    /// Without Redis, L3 is all there is to remove from; a note makes whoever reaches Redis first do the rest.
    async fn invalidate_without_redis(
        &self,
        request: &Invalidate,
        levels: Levels,
        followed: bool,
        pace: Pace,
    ) -> Result<Invalidated, CacheError> {
        let written = request.written(self.version_above_all(), levels);
        // Whoever reads the note takes versions above it, and it hides nothing.
        let noted = || Written { version: self.version_without_redis(Version::ZERO), ..written.clone() };
        let again = self.owes_note(followed).then(|| Noted::Invalidated(Box::new(noted())));
        if let Some(note) = &again {
            self.leave_note(note).await?;
        }
        let met = Met::of(levels);
        let sweep = Sweep { selector: &request.selector, act: Act::RemoveSeen, met: &met };
        self.look_into_memory(sweep);
        let mut reclaim = if again.is_some() { Reclaim::InProgress { job: None } } else { Reclaim::Complete };
        if levels.has(Level::L3) || levels.has(Level::L2) {
            let mut frontier = Frontier::default();
            if !self.sweep_l3(sweep, &mut frontier.l3, pace).await? {
                let rest = Handover { written: &written, at: None, frontier, done: met.count() };
                reclaim = Reclaim::InProgress { job: Some(self.leave_to_job(rest).await?) };
                // Its own reads heed it at once.
                self.know_barriers(false, 0).await?;
            }
        }
        let degraded = again.is_some();
        if let Some(again) = again {
            // Whoever took up the first note may have certified, after that, what was still in L3.
            self.leave_note(&again).await?;
        }
        if levels.has(Level::L1) {
            self.memory.remove_matching(|key, copy| request.selector.touches(key.as_str(), &copy.entry.tags));
        }
        Ok(met.into_invalidated(degraded, reclaim))
    }

    /// Does in L2 what an invalidation that only L3 saw has left to do.
    pub(super) async fn finish_in_redis(&self, selector: &Selector, levels: Levels) -> Result<(), Down> {
        if levels.has(Level::L2) {
            let version = self.version(self.stamp());
            let sweep = Sweep { selector, act: Act::Remove(version), met: &Met::of(levels) };
            let pace = Pace::of(Duration::from_secs(1), Duration::ZERO);
            if !self.sweep_l2(sweep, &mut Frontier::default().l2, pace).await? {
                return Err(Down::TimedOut);
            }
        }
        Ok(())
    }

    /// Counts what own L1 has of a sweep's selector.
    fn look_into_memory(&self, sweep: Sweep<'_>) {
        let Sweep { selector, act, met } = sweep;
        if met.levels.has(Level::L1) {
            let (now_ms, knowledge) = (self.clock.now_ms(), self.knowledge());
            self.memory.remove_matching(|key, copy| {
                let entry = &copy.entry;
                if copy.is_live(now_ms)
                    && selector.touches(key.as_str(), &entry.tags)
                    && !knowledge.hides_before(act.own(), Level::L1, key.as_str(), &entry.tags, entry.version)
                {
                    met.add(Level::L1, key.as_str());
                }
                false
            });
        }
    }
}

impl Invalidate {
    fn written(&self, version: Version, levels: Levels) -> Written {
        Written::new(version, &self.selector, levels, self.reason.as_deref(), self.by.as_deref())
    }
}
