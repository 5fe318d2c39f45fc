//! Invalidating by pattern, tag or key: a record that takes effect at once and completely, then the removal of the matches.
//!
//! The record goes into the journal and stays *open* until all matches are removed: until then no container returns a
//! matching copy that was certified before it, nor a matching row of L3 with a smaller version. The cost follows the matches,
//! not what else there is: every level is searched by index. What a request has no time for continues as a job.

pub(crate) mod act;
pub(crate) mod match_counter;
mod open;
pub(crate) mod removal;
pub(crate) mod sweep;

use crate::tiered::{
    TieredCache, ended,
    fill::OUTWAIT,
    invalidate::act::Act,
    invalidate::match_counter::MatchCounter,
    invalidate::removal::Handover,
    invalidate::sweep::{Pace, Sweep},
    undo::begin::{Author, Wish},
    view::{CaughtUp, Stop, View},
};
use crate::{
    cache_position::CachePosition,
    config::Refusal,
    dynamo::Noted,
    key::Key,
    level::{Level, Levels},
    memory::CachedEntry,
    outcome::{CacheError, Invalidate, Invalidated, Reclaim},
    planted::{Bug, planted},
    redis::{Down, Opened, opened},
    scan_checkpoint::ScanCheckpoint,
    selector::{Invalidation, Selector, Undoable, WrittenInvalidation},
    source_of_truth::SourceOfTruth,
    undo::{MeantEntries, UndoHandle},
    version::{Position, Version},
};
use futures_util::future::join;
use std::time::Duration;
use tokio::time::sleep;

/// How often an invalidation begins anew when its record is lost.
const TRIES: usize = 3;
/// How much longer than its budget a request may take to finish the page it is at: with the default budget of 20 s and
/// the time to leave a job, less than the gateway waits (29 s).
const GRACE: Duration = Duration::from_secs(4);

/// An invalidation that removes what its record means.
#[derive(Clone, Copy)]
struct UnderWay<'a> {
    request: &'a Invalidate,
    wish: &'a Wish,
    written: &'a WrittenInvalidation,
    meant: &'a Invalidation,
    /// Its versions, where it has begun anew.
    own: &'a [Version],
    /// In which it has taken the last one.
    epoch: Position,
}

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
        refuse_stale(request)?;
        // What is made stale is not removed.
        let undo_seconds = if request.stale_seconds.is_some() { Some(0) } else { request.undo_seconds };
        let wish = self.wish(undo_seconds, MeantEntries::of(&request.selector), request.author())?;
        if request.dry_run || request.max_affected.is_some() {
            let (counter, degraded) = loop {
                if let Some(ended) = ended(self.view().count_meant(request, pace).await) {
                    break ended?;
                }
            };
            match request.max_affected {
                _ if request.dry_run => {
                    return Ok(counter.into_invalidated(degraded, CachePosition::default(), Reclaim::Complete));
                }
                Some(most) if counter.count() > most => return Err(CacheError::TooMany { matched: counter.count() }),
                _ => {}
            }
        }
        // One after another: what is open at once is bounded.
        let mut parts = request.selector.parts().into_iter();
        let mut whole = self.invalidate_part(request, parts.next(), &wish, pace).await?;
        for part in parts {
            whole.add(self.invalidate_part(request, Some(part), &wish, pace).await?);
        }
        Ok(whole)
    }

    async fn invalidate_part(
        &self,
        request: &Invalidate,
        part: Option<Selector>,
        wish: &Wish,
        pace: Pace,
    ) -> Result<Invalidated, CacheError> {
        let selector = part.unwrap_or_else(|| request.selector.clone());
        let request = Invalidate { selector, ..request.clone() };
        loop {
            if let Some(ended) = ended(self.view().invalidate(&request, wish, pace).await) {
                return ended;
            }
        }
    }
}

impl View<'_> {
    /// Counts what a selector means, and removes nothing; says also whether Redis was left out of it.
    async fn count_meant(&self, request: &Invalidate, pace: Pace) -> Result<(MatchCounter, bool), Stop> {
        let levels = request.levels.and(self.setup.config.enabled());
        let CaughtUp { synced, .. } = self.catch_up().await?;
        let told =
            if self.uses(Level::L2) && (levels.has(Level::L2) || levels.has(Level::L3)) { synced } else { Ok(()) };
        let counted = match told {
            Ok(()) => self.census(request, levels, Act::Look, pace).await,
            Err(down) => Err(down.into()),
        };
        match counted {
            // L3 knows what there is. Copies in L2, and in memory, that it does not know of are not to be trusted.
            Err(CacheError::Unavailable { level: Level::L2, cause }) if levels.has(Level::L3) => {
                tracing::warn!(%cause, "what an invalidation means is counted in dynamodb alone");
                Ok((self.census(request, levels, Act::LookWithoutL2, pace).await?, true))
            }
            counted => Ok((counted?, false)),
        }
    }

    async fn invalidate(&self, request: &Invalidate, wish: &Wish, pace: Pace) -> Result<Invalidated, Stop> {
        let levels = request.levels.and(self.setup.config.enabled());
        let undo = self.undo_of(wish, levels)?;
        let mut own = Vec::new();
        for _ in 0..TRIES {
            let CaughtUp { synced, followed, .. } = self.get_ready(levels).await?;
            let epoch = self.knowledge().epoch();
            let recorded = match synced {
                Ok(()) => self.record_invalidation(request, levels, undo.as_ref()).await?,
                Err(down) => Err(down),
            };
            match recorded {
                Ok((written, meant)) => {
                    own.push(written.version);
                    let under_way = UnderWay { wish, written: &written, meant: &meant, request, own: &own, epoch };
                    if let Some((counter, reclaim)) = self.remove_meant(under_way, pace).await? {
                        let undo = undo.map(|undo| UndoHandle { id: undo.id, until_ms: undo.until_ms });
                        let position = CachePosition::recorded(meant.at);
                        return Ok(Invalidated { undo, ..counter.into_invalidated(false, position, reclaim) });
                    }
                }
                Err(down) if self.source_of_truth() == SourceOfTruth::L2 || wish.is_explicit => {
                    return Err(CacheError::from(down).into());
                }
                Err(_) => return Ok(self.invalidate_without_redis(request, levels, followed, pace).await?),
            }
        }
        Err(CacheError::Contended.into())
    }

    /// Catches up, and makes sure that L3 answers where something is to be removed from it: what cannot begin leaves no
    /// record, which says that copies are not to be trusted and which only L3 could help to be rid of.
    async fn get_ready(&self, levels: Levels) -> Result<CaughtUp, Stop> {
        let needs_l3 = self.uses(Level::L3) && (levels.has(Level::L3) || levels.has(Level::L2));
        let probe = async { if needs_l3 { self.store.probe().await } else { Ok(()) } };
        let (caught_up, probed) = join(self.catch_up_to_write(Vec::new()), probe).await;
        let caught_up = caught_up?;
        probed.map_err(CacheError::from)?;
        Ok(caught_up)
    }

    /// Goes through the levels, and through L3 alone where L2 cannot be asked.
    async fn census(
        &self,
        request: &Invalidate,
        levels: Levels,
        act: Act,
        pace: Pace,
    ) -> Result<MatchCounter, CacheError> {
        let counter = MatchCounter::of(levels);
        let end = request.written(Version::ZERO, levels).end();
        let sweep = Sweep { end, ..Sweep::new(&request.selector, act, &counter) };
        let mut scan_checkpoint = ScanCheckpoint::default();
        let (has_l2, mut done) = (act == Act::Look, true);
        if levels.has(Level::L3) || levels.has(Level::L2) {
            // What is open counts as removed.
            self.learn_open_invalidations(has_l2 && self.uses(Level::L2), 0).await?;
        }
        if levels.has(Level::L3) {
            done = self.sweep_l3(sweep, &mut scan_checkpoint.l3, pace).await?;
        }
        if has_l2 {
            if done && levels.has(Level::L2) {
                done = self.sweep_l2(sweep, &mut scan_checkpoint.l2, pace).await?;
            }
            self.look_into_memory(sweep);
        }
        if done { Ok(counter) } else { Err(CacheError::OutOfTime) }
    }

    /// Appends the record, which is in effect from then on. The inner error is that Redis was not told of it, as far as is
    /// known.
    async fn record_invalidation(
        &self,
        request: &Invalidate,
        levels: Levels,
        undo: Option<&Undoable>,
    ) -> Result<Result<(WrittenInvalidation, Invalidation), Down>, CacheError> {
        let as_of = self.as_of();
        let mut version = self.version(as_of);
        for _ in 0..TRIES {
            let written = WrittenInvalidation { undo: undo.cloned(), ..request.written(version, levels) };
            let selector = request.selector.clone();
            let stale_seconds = request.stale_seconds;
            let meant =
                Invalidation { at: Position::ZERO, version, selector, levels, undo: undo.cloned(), stale_seconds };
            let passed = self.knowledge().open().passed_by(&meant);
            let command = self.journal.invalidate(self.operation(as_of), &written, &passed);
            match self.ask(command).await.and_then(opened) {
                Ok(Opened::At(at)) => return Ok(Ok((written, Invalidation { at, ..meant }))),
                Ok(Opened::Behind(undone)) => version = self.version_above(undone, as_of),
                Ok(Opened::Late) => return Err(CacheError::unavailable(Level::L2, "the operation took too long")),
                Ok(Opened::Full) => {
                    return Err(CacheError::unavailable(Level::L3, "too many invalidations have not ended"));
                }
                Err(down) => {
                    tracing::warn!(%down, "redis was not told of an invalidation: a note is left");
                    self.link.note_refusal(&down);
                    return Ok(Err(down));
                }
            }
        }
        Err(CacheError::Contended)
    }

    /// Removes what a record means; `None` when it is to begin anew: its record was lost on the way, or what was undone may
    /// be forgotten.
    async fn remove_meant(&self, of: UnderWay<'_>, pace: Pace) -> Result<Option<(MatchCounter, Reclaim)>, CacheError> {
        let UnderWay { written, meant, .. } = of;
        let counter = MatchCounter::of(meant.levels);
        let mut scan_checkpoint = ScanCheckpoint::default();
        let keep = meant.undo.is_some().then_some(of.own);
        let end = written.end();
        let sweep = Sweep { keep, end, ..Sweep::new(&meant.selector, Act::Remove(meant.version), &counter) };
        self.look_into_memory(sweep);
        let early = planted(Bug::InvalidationClosedEarly) && self.close(meant, counter.count()).await?;
        let (begun, swept) =
            join(self.begin_undoable(of.wish, written, None), self.sweep(sweep, &mut scan_checkpoint, pace)).await;
        begun?;
        // Where L3 fails, the record stays open, and with it the effect: what is left is removed by the same request again,
        // or by maintenance.
        let closed = match swept {
            Ok(true) if early => Ok(Some(true)),
            Ok(true) => self.close(meant, counter.count()).await.map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match closed {
            Ok(Some(closed)) => {
                self.note_removed(meant.undo.as_ref(), counter.removed(), true).await;
                let stands = closed && !self.is_from_before_epoch(of);
                return Ok(stands.then_some((counter, Reclaim::Complete)));
            }
            Ok(None) => {}
            Err(CacheError::Unavailable { level: Level::L2, cause }) => {
                tracing::warn!(%cause, "what is left of an invalidation in redis goes on as a job");
            }
            Err(error) => return Err(error),
        }
        let account = of.request.account.as_deref();
        let rest = Handover { written, at: Some(meant.at), scan_checkpoint, done: counter.count(), account };
        let job = self.leave_to_job(rest).await?;
        self.note_removed(meant.undo.as_ref(), counter.removed(), false).await;
        // Acknowledged only when this container has read its record as well, and it stands now that the note is left. Where it
        // does not, the job goes on all the same, and nobody goes by it.
        self.sync(Vec::new()).await?;
        let stands = self.knowledge().open_at(written.version).is_some() && !self.is_from_before_epoch(of);
        Ok(stands.then_some((counter, Reclaim::InProgress { job: Some(job) })))
    }

    /// Whether an epoch has begun since an invalidation took its version: then it may not be known any more what was undone
    /// meanwhile, which it would pass over.
    fn is_from_before_epoch(&self, of: UnderWay<'_>) -> bool {
        self.source_of_truth() == SourceOfTruth::L3 && self.knowledge().epoch() != of.epoch
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
        let noted = || WrittenInvalidation { version: self.version_without_redis(Version::ZERO), ..written.clone() };
        let again = self.must_leave_note(followed).then(|| Noted::Invalidated(Box::new(noted())));
        if let Some(note) = &again {
            self.leave_note(note).await?;
            // A fill that has not found the note has claimed its row by then.
            sleep(OUTWAIT).await;
        }
        let counter = MatchCounter::of(levels);
        let end = written.end();
        let sweep = Sweep { end, ..Sweep::new(&request.selector, Act::RemoveSeen, &counter) };
        self.look_into_memory(sweep);
        let mut reclaim = if again.is_some() { Reclaim::InProgress { job: None } } else { Reclaim::Complete };
        if levels.has(Level::L3) || levels.has(Level::L2) {
            let mut scan_checkpoint = ScanCheckpoint::default();
            if !self.sweep_l3(sweep, &mut scan_checkpoint.l3, pace).await? {
                let account = request.account.as_deref();
                let rest = Handover { written: &written, at: None, scan_checkpoint, done: counter.count(), account };
                reclaim = Reclaim::InProgress { job: Some(self.leave_to_job(rest).await?) };
                // Its own reads apply it at once.
                self.learn_open_invalidations(false, 0).await?;
            }
        }
        let degraded = again.is_some();
        if let Some(again) = again {
            // Whoever took up the first note may have certified, after that, what was still in L3.
            self.leave_note(&again).await?;
        }
        if levels.has(Level::L1) {
            // What others have read before goes into L1 no more.
            self.knowledge().bar_fills();
            self.memory.remove_matching(|key, copy| request.selector.touches(key.as_str(), &copy.entry.tags));
        }
        Ok(counter.into_invalidated(degraded, self.unrecorded_now(), reclaim))
    }

    /// Counts what own L1 has of a sweep's selector.
    fn look_into_memory(&self, sweep: Sweep<'_>) {
        let Sweep { selector, act, counter, .. } = sweep;
        if !counter.levels.has(Level::L1) {
            return;
        }
        let (now_ms, knowledge) = (self.clock.now_ms(), self.knowledge());
        let look_at = |key: &Key, copy: &CachedEntry| {
            let entry = &copy.entry;
            if copy.is_live(now_ms)
                && selector.touches(key.as_str(), &entry.tags)
                && !knowledge.has_invalidated(key, &entry.tags, copy.known())
                && !knowledge.masks_before(act.own(), Level::L1, key.as_str(), &entry.tags, entry.version)
            {
                counter.add(Level::L1, key.as_str());
            }
            false
        };
        let Some(keys) = selector.keys() else {
            self.memory.remove_matching(look_at);
            return;
        };
        for key in keys.texts().iter().map(Key::again) {
            if let Some(copy) = self.memory.get(&key, now_ms) {
                look_at(&key, &copy);
            }
        }
    }
}

/// What no invalidation that makes stale may have.
fn refuse_stale(request: &Invalidate) -> Result<(), CacheError> {
    let (field, message) = match request.stale_seconds {
        Some(_) if request.levels != Levels::ALL => ("levels", "must be all levels where values are made stale"),
        Some(_) if request.undo_seconds.is_some_and(|seconds| seconds > 0) => {
            ("undo_seconds", "is not for an invalidation that makes values stale")
        }
        _ => return Ok(()),
    };
    Err(CacheError::Refused(vec![Refusal { field, message: message.to_owned() }]))
}

impl Invalidate {
    fn author(&self) -> Author {
        Author {
            by: self.by.clone().unwrap_or_default(),
            account: self.account.clone().unwrap_or_default(),
            reason: self.reason.clone(),
        }
    }

    fn written(&self, version: Version, levels: Levels) -> WrittenInvalidation {
        let (reason, by) = (self.reason.as_deref(), self.by.as_deref());
        let new = WrittenInvalidation::new(version, &self.selector, levels, reason, by);
        let new = new.on_account(self.account.as_deref());
        WrittenInvalidation { stale_seconds: self.stale_seconds, ..new }
    }
}
