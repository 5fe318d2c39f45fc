//! Invalidating by pattern or tag: a record that makes the effect complete at once, then the removal of what is meant.
//!
//! The record goes into the journal and stays *open* until everything it means is removed: meanwhile no container
//! returns a copy certified before it, nor a row of L3 of a smaller version. What is found costs by what matches,
//! not by what there is: every level is looked through by index.

use super::TieredCache;
use crate::{
    dynamo::{Doomed, L3Error, Match, Noted, Search, Store},
    level::{Level, Levels},
    outcome::{CacheError, Invalidate, Invalidated},
    redis::{
        Batch, Command, Down, OPERATION_LIFE, Operation, Order, PAGE_KEYS, Page, Reply, appended, closed, evicted, keys,
    },
    register::Register,
    selector::{Selector, Written},
    shard::SHARDS,
    version::{Position, Version},
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_64;

/// How often an invalidation begins anew when its record is lost.
const TRIES: usize = 3;
/// Removals in flight in one partition of L3; times sixteen partitions.
const REMOVALS_AT_ONCE: usize = 2;
/// How long one request works: less than the gateway waits (29 s), with time to say so.
const REQUEST_TIME: Duration = Duration::from_secs(20);
/// Most abandoned invalidations one request finishes.
const MOST_ABANDONED: usize = 4;
/// Most sample keys of a dry run.
const SAMPLES: usize = 20;

/// The keys that were met, each counted once however many levels hold it.
struct Met {
    /// The levels that were asked for.
    levels: Levels,
    census: Mutex<Census>,
}

#[derive(Default)]
struct Census {
    keys: HashSet<u64>,
    levels: Levels,
    samples: Vec<String>,
}

/// What to do with a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Count it.
    Look,
    /// Remove it when it is older than this.
    Remove(Version),
    /// Remove exactly the version that was seen, because Redis time cannot be asked.
    RemoveSeen,
}

impl TieredCache {
    /// Invalidates what a selector means. When this returns, every read that starts more than Δ later finds nothing of
    /// it that was there before.
    ///
    /// # Errors
    /// When more matches than allowed, or a level that is named cannot be reached; then it may be done in part.
    pub async fn invalidate(&self, request: &Invalidate) -> Result<Invalidated, CacheError> {
        timeout(REQUEST_TIME, self.invalidate_in_time(request)).await.unwrap_or(Err(CacheError::OutOfTime))
    }

    async fn invalidate_in_time(&self, request: &Invalidate) -> Result<Invalidated, CacheError> {
        let levels = request.levels.and(self.config.enabled());
        if levels.has(Level::L3) && self.store.is_paused() {
            // Before a record says that copies are not to be trusted, which only L3 could then confirm.
            return Err(l3_down(L3Error::Skipped));
        }
        if request.dry_run || request.max_affected.is_some() {
            let met = self.census(request, levels).await?;
            match request.max_affected {
                _ if request.dry_run => return Ok(met.into_invalidated(false)),
                Some(most) if met.count() > most => return Err(CacheError::TooMany { matched: met.count() }),
                _ => {}
            }
        }
        for _ in 0..TRIES {
            let begun = if self.uses(Level::L2) { self.sync(Vec::new()).await.map(|_| ()) } else { Err(Down::Skipped) };
            match begun {
                Ok(()) => {
                    self.finish_abandoned().await?;
                    if let Some(met) = self.invalidate_once(request, levels).await? {
                        return Ok(met.into_invalidated(false));
                    }
                }
                Err(down) if self.register() == Register::L2 => {
                    return Err(CacheError::unavailable(Level::L2, down));
                }
                Err(_) => return self.invalidate_without_redis(request, levels).await,
            }
        }
        Err(CacheError::Contended)
    }

    /// Counts what a selector means, and removes nothing.
    async fn census(&self, request: &Invalidate, levels: Levels) -> Result<Met, CacheError> {
        let met = Met::of(levels);
        if levels.has(Level::L3) {
            self.sweep_l3(&request.selector, Act::Look, &met).await.map_err(l3_down)?;
        }
        if levels.has(Level::L2) {
            self.sync(Vec::new()).await.map_err(l2_down)?;
            self.sweep_l2(&request.selector, Act::Look, &met).await.map_err(l2_down)?;
        }
        self.look_into_memory(&request.selector, levels, &met);
        Ok(met)
    }

    /// One attempt with Redis; `None` when its record was lost on the way.
    async fn invalidate_once(&self, request: &Invalidate, levels: Levels) -> Result<Option<Met>, CacheError> {
        let stamp = self.stamp();
        let version = Version::at(stamp.started_us, self.container);
        let written =
            Written::new(version, &request.selector, levels, request.reason.as_deref(), request.by.as_deref());
        let record = self.ask(self.journal.invalidate(self.operation(stamp), &written, true)).await;
        let at = record.and_then(appended).map_err(l2_down)?;
        let at = at.ok_or_else(|| CacheError::unavailable(Level::L2, "the operation took too long"))?;
        let met = Met::of(levels);
        self.look_into_memory(&request.selector, levels, &met);
        // Where this fails the record stays open, and with it the effect: what is left is removed by the next invalidation.
        self.sweep_shared(&request.selector, levels, Act::Remove(version), &met).await?;
        Ok(self.close(at, &met).await?.then_some(met))
    }

    /// Removes what invalidations that nobody works on any more have left, and closes them.
    async fn finish_abandoned(&self) -> Result<(), CacheError> {
        let abandoned = self.knowledge().abandoned();
        for invalidation in abandoned.iter().take(MOST_ABANDONED) {
            let met = Met::of(invalidation.levels);
            let levels = invalidation.levels.and(self.config.enabled());
            // With the version of its own record, and not of now: what was put since is not meant.
            let act = Act::Remove(invalidation.version);
            self.sweep_shared(&invalidation.selector, levels, act, &met).await?;
            self.close(invalidation.at, &met).await?;
        }
        Ok(())
    }

    async fn sweep_shared(&self, selector: &Selector, levels: Levels, act: Act, met: &Met) -> Result<(), CacheError> {
        // A row that only points to L2 goes with what it points to.
        if self.uses(Level::L3) && (levels.has(Level::L3) || levels.has(Level::L2)) {
            self.sweep_l3(selector, act, met).await.map_err(l3_down)?;
        }
        if levels.has(Level::L2) {
            self.sweep_l2(selector, act, met).await.map_err(l2_down)?;
        }
        Ok(())
    }

    /// Closes the record and reads the journal up to it, so that own L1 heeds it as well.
    async fn close(&self, at: Position, met: &Met) -> Result<bool, CacheError> {
        let reply = self.then_sync(vec![self.journal.close(at, met.count())], 0).await.map_err(l2_down)?;
        reply.into_iter().next().ok_or(Down::Odd("no reply to a close")).and_then(closed).map_err(l2_down)
    }

    /// Without Redis, L3 is all there is to remove from; a note makes whoever reaches Redis first do the rest.
    async fn invalidate_without_redis(&self, request: &Invalidate, levels: Levels) -> Result<Invalidated, CacheError> {
        let version = Version::at(self.stamp().started_us, self.container);
        let written =
            Written::new(version, &request.selector, levels, request.reason.as_deref(), request.by.as_deref());
        let again = self.uses(Level::L2).then(|| Noted::Invalidated(Box::new(written)));
        if let Some(note) = &again {
            self.leave_note(note).await.map_err(l3_down)?;
        }
        let met = Met::of(levels);
        self.look_into_memory(&request.selector, levels, &met);
        if levels.has(Level::L3) || levels.has(Level::L2) {
            self.sweep_l3(&request.selector, Act::RemoveSeen, &met).await.map_err(l3_down)?;
        }
        if let Some(again) = again {
            // Whoever took up the first note may have certified, after that, what was still in L3.
            self.leave_note(&again).await.map_err(l3_down)?;
        }
        if levels.has(Level::L1) {
            self.memory.remove_matching(|key, copy| request.selector.touches(key.as_str(), &copy.entry.tags));
        }
        Ok(met.into_invalidated(self.uses(Level::L2)))
    }

    /// Does in L2 what an invalidation that only L3 saw has left to do.
    pub(super) async fn finish_in_redis(&self, selector: &Selector, levels: Levels) -> Result<(), Down> {
        if levels.has(Level::L2) {
            let version = Version::at(self.stamp().started_us, self.container);
            self.sweep_l2(selector, Act::Remove(version), &Met::of(levels)).await?;
        }
        Ok(())
    }

    fn look_into_memory(&self, selector: &Selector, levels: Levels, met: &Met) {
        if levels.has(Level::L1) {
            let now_ms = self.clock.now_ms();
            self.memory.remove_matching(|key, copy| {
                if copy.is_live(now_ms) && selector.touches(key.as_str(), &copy.entry.tags) {
                    met.add(Level::L1, key.as_str());
                }
                false
            });
        }
    }

    /// Goes through what L3 has of the selector, all partitions at once.
    async fn sweep_l3(&self, selector: &Selector, act: Act, met: &Met) -> Result<(), L3Error> {
        let mut sweeps = Vec::new();
        for shard in Store::partitions() {
            for (tag, prefix) in targets(selector) {
                sweeps.push(self.sweep_partition(selector, Search { shard, tag, prefix }, act, met));
            }
        }
        let at_once = usize::try_from(SHARDS).expect("a small number");
        stream::iter(sweeps).buffer_unordered(at_once).try_collect().await
    }

    async fn sweep_partition(
        &self,
        selector: &Selector,
        search: Search<'_>,
        act: Act,
        met: &Met,
    ) -> Result<(), L3Error> {
        let mut from = None;
        loop {
            let (matches, next) = self.store.search(search, from).await?;
            stream::iter(matches.into_iter().filter(|found| !found.gone && selector.admits(&found.key)))
                .map(|found| self.sweep_row(found, search.tag.is_some(), act, met))
                .buffer_unordered(REMOVALS_AT_ONCE)
                .try_collect::<()>()
                .await?;
            match next {
                Some(cursor) => from = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    async fn sweep_row(&self, found: Match, by_tag: bool, act: Act, met: &Met) -> Result<(), L3Error> {
        let only = by_tag.then_some(found.version);
        let markers = !met.levels.has(Level::L3);
        let live = match act {
            Act::Look if by_tag => self.store.has_live(&found.key, found.version).await?,
            Act::Look => found.live,
            Act::Remove(version) => self.store.remove(&found.key, Doomed { version, only, markers }).await?,
            Act::RemoveSeen => {
                let (version, only) = (found.version.next(), Some(found.version));
                self.store.remove(&found.key, Doomed { version, only, markers }).await?
            }
        };
        if live {
            met.add(Level::L3, &found.key);
        }
        Ok(())
    }

    /// Goes through what L2 has of the selector, all shards at once, a page of each in one round trip.
    async fn sweep_l2(&self, selector: &Selector, act: Act, met: &Met) -> Result<(), Down> {
        for (tag, prefix) in targets(selector) {
            let mut after: HashMap<u64, Option<String>> = (0..SHARDS).map(|shard| (shard, None)).collect();
            while !after.is_empty() {
                let shards: Vec<u64> = after.keys().copied().collect();
                let pages = shards.iter().map(|&shard| {
                    let after = after.get(&shard).and_then(Option::as_deref);
                    self.copies.page(&Page { shard, tag, prefix, after })
                });
                let pages: Vec<Vec<String>> =
                    self.bulk(pages.collect()).await?.into_iter().map(keys).collect::<Result<_, _>>()?;
                for (&shard, page) in shards.iter().zip(&pages) {
                    match page.last() {
                        Some(last) if page.len() == PAGE_KEYS => after.insert(shard, Some(last.clone())),
                        _ => after.remove(&shard),
                    };
                }
                self.evict(selector, shards.into_iter().zip(pages).collect(), act, met).await?;
            }
        }
        Ok(())
    }

    async fn evict(
        &self,
        selector: &Selector,
        pages: Vec<(u64, Vec<String>)>,
        act: Act,
        met: &Met,
    ) -> Result<(), Down> {
        let operation = self.bulk_operation();
        let version = match act {
            Act::Remove(version) => Some(version),
            Act::Look | Act::RemoveSeen => None,
        };
        let tags: &[Arc<str>] = match selector {
            Selector::Tags { any, .. } => any,
            Selector::Pattern(_) => &[],
        };
        let pages: Vec<(u64, Vec<String>)> = pages
            .into_iter()
            .map(|(shard, keys)| (shard, keys.into_iter().filter(|key| selector.admits(key)).collect::<Vec<_>>()))
            .filter(|(_, keys)| !keys.is_empty())
            .collect();
        let commands =
            pages.iter().map(|(shard, keys)| self.copies.evict(operation, *shard, version, tags, keys)).collect();
        for ((_, keys), reply) in pages.iter().zip(self.bulk(commands).await?) {
            let live = evicted(reply, keys.len())?.ok_or(Down::Odd("the operation took too long"))?;
            for (key, _) in keys.iter().zip(live).filter(|(_, live)| *live) {
                met.add(Level::L2, key);
            }
        }
        Ok(())
    }

    /// Removal goes on for as long as the request does: what is removed is older than a version that is fixed.
    fn bulk_operation(&self) -> Operation {
        Operation { started_us: self.stamp().started_us, life_us: OPERATION_LIFE.as_micros() as u64 }
    }

    async fn bulk(&self, commands: Vec<Command>) -> Result<Vec<Reply>, Down> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.link.run_bulk(&Batch::from_iter(commands), Order::Any).await
    }
}

/// What to look for in an index: tag and prefix of the key.
fn targets(selector: &Selector) -> Vec<(Option<&str>, &str)> {
    match selector {
        Selector::Pattern(pattern) => vec![(None, pattern.prefix())],
        Selector::Tags { any, within: None } => any.iter().map(|tag| (Some(&**tag), "")).collect(),
        Selector::Tags { any, within: Some(prefixes) } => {
            any.iter().flat_map(|tag| prefixes.iter().map(move |prefix| (Some(&**tag), &**prefix))).collect()
        }
    }
}

fn l2_down(down: Down) -> CacheError {
    CacheError::unavailable(Level::L2, down)
}

fn l3_down(error: L3Error) -> CacheError {
    CacheError::unavailable(Level::L3, error)
}

impl Met {
    fn of(levels: Levels) -> Met {
        Met { levels, census: Mutex::default() }
    }

    /// Counts a live value. Where a lower level holds one, the L1 of some container may as well.
    fn add(&self, level: Level, key: &str) {
        let mut census = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        census.levels = census.levels.with(level).with(Level::L1).and(self.levels);
        if census.keys.insert(xxh3_64(key.as_bytes())) && census.samples.len() < SAMPLES {
            census.samples.push(key.to_owned());
        }
    }

    fn count(&self) -> u64 {
        self.census.lock().unwrap_or_else(PoisonError::into_inner).keys.len() as u64
    }

    fn into_invalidated(self, degraded: bool) -> Invalidated {
        let census = self.census.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut samples = census.samples;
        samples.sort_unstable();
        Invalidated { matched: census.keys.len() as u64, levels: census.levels, samples, degraded }
    }
}
