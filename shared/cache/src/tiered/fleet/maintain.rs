//! Maintenance: what nobody is called for. Jobs whose runner has died or whose time has come, invalidations that were
//! abandoned, outage notes that an epoch took the place of, members of indexes whose copies have expired, and the count of what L3 holds, which knows of no expiry.

use crate::tiered::{
    TieredCache,
    invalidate::sweep::Pace,
    jobs::{GRACE, SILENCE_MS},
    view::View,
};
use crate::{
    dynamo::{Due, Task},
    level::Level,
    outcome::{CacheError, Maintained},
    redis::{Down, FleetTotals, PAGE_KEYS, Page, Slice, is_counted, keys, size},
    selector::{Invalidation, KeyRange},
    shard::SHARDS,
    source_of_truth::SourceOfTruth,
    stats::{Breakdown, Census},
    version::Position,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Abandoned invalidations that are made jobs of at once.
const ADOPTED_AT_ONCE: usize = 8;
/// How long a generation of notes must have ended, in ms, before its notes are deleted: longer than an operation lives.
const ENDED_FOR_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Least hours from the end of one census to the next. That of L3 reads the whole table, which costs half a read unit for
/// every 4 KB.
const CENSUS_HOURS: u64 = 24;
/// From one that found little to the next, in ms: a new deployment's first one finds nothing, and nobody should be told
/// that for a day. Little is a page of each shard at most, of L3 1 MB: such a census costs 2,048 read units or fewer, and
/// one of an empty table 8.
const SOON_MS: i64 = 900_000;

/// From the end of one sweep of the indexes to the next: what has expired is gone from them within the hour.
const SWEEP_MS: i64 = 1_800_000;
/// One that took out as large a part of what it looked at, or a larger one, is followed by another at once.
const MUCH: u64 = 8;

/// Where a sweep of the indexes goes on, and what came of it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Sweeping {
    shard: u64,
    /// The index it is at; empty at the beginning of a shard.
    index: String,
    /// The last member that was seen there.
    after: String,
    looked: u64,
    removed: u64,
}

/// How far a census has come. What is written while it goes on may be counted twice or not at all, until the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counting {
    /// Where a level had been switched last when it began: it is worth nothing after another switch.
    switched: String,
    shard: u64,
    /// The last row that was seen.
    after: Option<String>,
    /// How many pages were read; unknown to a release that began before this one.
    #[serde(default)]
    pages: u64,
    census: Census,
}

impl TieredCache {
    /// Does what is due, for about `time`; the rest is left to the next call. To be called every few minutes, by one
    /// container or by several at once.
    ///
    /// # Errors
    /// When a level it needs cannot be reached; what was done stays done.
    pub async fn maintain(&self, time: Duration) -> Result<Maintained, CacheError> {
        let pace = Pace::of(time, GRACE);
        let mut done = Maintained::default();
        let view = self.caught_up().await?;
        // One that fails must not keep the others from their turn.
        let jobs = view.wake_jobs(&mut done, pace).await;
        let adopted = view.adopt_abandoned(&mut done, pace).await;
        let dropped = view.drop_ended_notes(&mut done, pace.at_most(time / 2)).await;
        let swept = view.sweep_indexes(&mut done, pace).await;
        let counted = view.count_entries(&mut done, pace).await;
        let tidied = view.tidy_undone(&mut done, pace).await;
        let sampled = view.sample_evictions().await;
        jobs.and(adopted).and(tidied).and(dropped).and(swept).and(counted).and(sampled).map(|()| done)
    }
}

impl View<'_> {
    /// Makes jobs of the invalidations whose containers are gone.
    async fn adopt_abandoned(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        self.sync(Vec::new()).await?;
        let abandoned = self.knowledge().abandoned();
        // One job closes all those that mean no more than its own.
        let passed = |one: &Invalidation| abandoned.iter().any(|other| one.is_passed_by(other));
        let adopted = abandoned.iter().filter(|one| !passed(one)).take_while(|_| !pace.is_over());
        let adopted = stream::iter(adopted.map(|one| self.adopt(one))).buffer_unordered(ADOPTED_AT_ONCE);
        let made = adopted.try_fold(0, async |sum, is_new| Ok(sum + u64::from(is_new))).await?;
        done.invalidations_adopted += made;
        Ok(())
    }

    /// Deletes the notes of the generations that have ended. Not at once: whoever read such a generation just before may
    /// still be at it.
    async fn drop_ended_notes(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        let ended_by_ms = self.clock.now_ms() - ENDED_FOR_MS;
        let reading = self.store.generation().await?.number;
        for (generation, ended_ms) in self.store.ended_generations().await? {
            if generation == reading || ended_ms > ended_by_ms {
                continue;
            }
            loop {
                let dropped = self.store.drop_ended_notes(generation).await?;
                done.notes_dropped += dropped;
                if dropped == 0 {
                    self.store.forget_generation(generation).await?;
                    break;
                }
                if pace.is_over() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Goes on with the sweep of the indexes, if one is due.
    async fn sweep_indexes(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        let Some(due) = self.claim(Task::Sweep, self.clock.now_ms()).await? else { return Ok(()) };
        let mut sweeping: Sweeping = serde_json::from_str(&due.progress).unwrap_or_default();
        let before = sweeping.removed;
        let swept = self.sweep_members(&mut sweeping, pace).await;
        done.members_swept = sweeping.removed - before;
        done.sweep_finished = matches!(swept, Ok(true));
        let found_much = sweeping.removed > 0 && sweeping.removed * MUCH >= sweeping.looked;
        let pause_ms = if found_much { 0 } else { SWEEP_MS };
        self.end_turn(&due, (!done.sweep_finished).then_some(&sweeping), pause_ms).await?;
        Ok(swept.map(drop)?)
    }

    /// Claims a task, if it is due by `due_by_ms`, for as long as a call may be silent.
    async fn claim(&self, task: Task, due_by_ms: i64) -> Result<Option<Due>, CacheError> {
        let alone_until_ms = self.clock.now_ms() + SILENCE_MS + i64::try_from(GRACE.as_millis()).unwrap_or_default();
        Ok(self.store.claim(task, due_by_ms, alone_until_ms).await?)
    }

    /// Leaves what is left of a task to the next call; with nothing left it is due in so many ms.
    async fn end_turn<T: Serialize>(&self, due: &Due, left: Option<&T>, pause_ms: i64) -> Result<(), CacheError> {
        let now_ms = self.clock.now_ms();
        let (progress, next_at_ms) = match left {
            Some(left) => (serde_json::to_string(left).expect("texts and numbers are always JSON"), now_ms),
            None => (String::new(), now_ms.saturating_add(pause_ms)),
        };
        Ok(self.store.end_turn(due, &progress, next_at_ms).await?)
    }

    /// Goes on with the census, if one is due and there is a fleet to tell; only a whole one is told.
    async fn count_entries(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        let rows_known =
            !self.uses(Level::L3) || self.ask(self.fleet.totals(0)).await.and_then(FleetTotals::parse)?.rows.is_some();
        let known = rows_known && self.ask(self.fleet.is_counted()).await.and_then(is_counted)?;
        // Where nothing is known, a census is due whenever the last one was. Two at a time only cost more.
        let due_by_ms = if known { self.clock.now_ms() } else { i64::MAX };
        let Some(due) = self.claim(Task::Census, due_by_ms).await? else { return Ok(()) };
        let mut counting = Counting::resume(&due.progress, self.setup.switched, self.clock.now_ms());
        let counted = self.count_on(&mut counting, pace).await;
        counting.census.counted = std::mem::take(&mut counting.census.counted).trimmed();
        let told = match counted {
            Ok(true) => self.tell_census(&counting.switched, &counting.census).await,
            _ => Ok(false),
        };
        done.census_finished = matches!(told, Ok(true));
        let hours = self.setup.config.l3_config.cleanup_interval_hours.max(CENSUS_HOURS);
        let long_ms = i64::try_from(hours).unwrap_or(i64::MAX).saturating_mul(HOUR_MS);
        let pause_ms = if counting.pages <= SHARDS { SOON_MS } else { long_ms };
        self.end_turn(&due, (!done.census_finished).then_some(&counting), pause_ms).await?;
        counted?;
        Ok(told.map(drop)?)
    }

    /// Counts page after page; returns whether it came to the end. At least one page is done.
    async fn count_on(&self, at: &mut Counting, pace: Pace) -> Result<bool, CacheError> {
        while at.shard < SHARDS {
            let counted = &mut at.census.counted;
            let next = match self.source_of_truth() {
                SourceOfTruth::L3 => self.store.count_page(at.shard, at.after.as_deref(), counted).await?,
                SourceOfTruth::L2 => self.count_copies(at.shard, at.after.as_deref(), counted).await?,
            };
            at.pages += 1;
            at.shard += u64::from(next.is_none());
            at.after = next;
            if pace.is_over() {
                break;
            }
        }
        Ok(at.shard >= SHARDS)
    }

    /// Counts a page of the copies of one shard; returns after which key the next one begins.
    async fn count_copies(
        &self,
        shard: u64,
        after: Option<&str>,
        counted: &mut Breakdown,
    ) -> Result<Option<String>, Down> {
        let key_range = KeyRange { shard, tag: None, prefix: "", exact: false };
        let page = self.setup.copies.page(&Page { key_range, after, limit: PAGE_KEYS });
        let reply = self.bulk(vec![page]).await?.into_iter().next();
        let page = keys(reply.ok_or(Down::Odd("no reply to a page"))?, PAGE_KEYS)?;
        let sizes = self.bulk(page.iter().map(|key| self.setup.copies.size(key)).collect()).await?;
        // What has expired, or is no copy, has no envelope.
        let sizes = sizes.into_iter().map(|reply| size(reply).unwrap_or_default());
        for (key, bytes) in page.iter().zip(sizes).filter(|(_, bytes)| *bytes > 0) {
            counted.add(key, bytes as u64);
        }
        Ok(page.last().filter(|_| page.len() == PAGE_KEYS).cloned())
    }

    /// Takes out of the indexes what has no copy any more, a slice at a time, so that nobody waits for long; returns whether
    /// it came to the end.
    async fn sweep_members(&self, at: &mut Sweeping, pace: Pace) -> Result<bool, Down> {
        while at.shard < SHARDS {
            let command = self.setup.copies.sweep(at.shard, &at.index, &at.after);
            let reply = self.bulk(vec![command]).await?.into_iter().next();
            let slice = Slice::parse(reply.ok_or(Down::Odd("no reply to a sweep"))?)?;
            at.looked += slice.looked;
            at.removed += slice.removed;
            at.shard += u64::from(slice.next.is_none());
            (at.index, at.after) = slice.next.unwrap_or_default();
            if pace.is_over() {
                break;
            }
        }
        Ok(at.shard >= SHARDS)
    }
}

impl Counting {
    /// Goes on where the last call was cut off, or begins anew where a level has been switched since.
    fn resume(progress: &str, switched: Position, now_ms: i64) -> Counting {
        let census = Census { began_ms: now_ms, counted: Breakdown::default() };
        let anew = Counting { switched: switched.to_string(), shard: 0, after: None, pages: 0, census };
        let begun = serde_json::from_str::<Counting>(progress).ok();
        begun.filter(|begun| begun.switched == anew.switched).unwrap_or(anew)
    }
}
