//! Going through what a selector means in the shared levels: a page of each partition at a time, by index, and cut off
//! between two pages when the time is up.

use crate::tiered::{
    invalidate::{act::Act, match_counter::MatchCounter},
    view::View,
};
use crate::{
    coherence::OPERATION_LIFE,
    dynamo::{Doomed, Ended, L3Error, Live, Match, Search, Way, Which},
    grace::End,
    key::Key,
    level::{Level, Levels},
    outcome::CacheError,
    planted::{Bug, planted},
    redis::{Batch, Command, Down, Eviction, Meant, Operation, Order, PAGE_KEYS, Page, Reply, evicted, keys},
    scan_checkpoint::{Front, ScanCheckpoint},
    selector::{KeyRange, Selector},
    source_of_truth::SourceOfTruth,
    version::Version,
};
use futures_util::{
    TryFutureExt,
    stream::{self, StreamExt, TryStreamExt},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Removals in flight in one partition of L3.
pub(crate) const REMOVALS_AT_ONCE: usize = 2;

/// What to look for, and what becomes of it.
#[derive(Clone, Copy)]
pub(crate) struct Sweep<'a> {
    pub selector: &'a Selector,
    pub act: Act,
    pub counter: &'a MatchCounter,
    /// The versions of the same invalidation, where it can be undone: what it removes from L3 is kept.
    pub keep: Option<&'a [Version]>,
    /// How it ends the lives of values that have a grace, instead of removing them.
    pub end: Option<End>,
}

impl<'a> Sweep<'a> {
    /// A sweep that keeps nothing.
    pub(crate) fn new(selector: &'a Selector, act: Act, counter: &'a MatchCounter) -> Sweep<'a> {
        Sweep { selector, act, counter, keep: None, end: None }
    }
}

impl Sweep<'_> {
    /// How to remove a row that was found; `None` for a tombstone that need not be touched.
    fn doomed(&self, version: Which, found: &Match) -> Option<Doomed<'_>> {
        let markers = !self.counter.levels.has(Level::L3);
        let way = if self.keep.is_some() && found.live { Way::Keep } else { Way::Bury };
        let doomed = Doomed { version, selector: self.selector, markers, keep: self.keep, way };
        match found.born {
            Some(born) => doomed.stripping(found.version, born),
            None => Some(doomed),
        }
    }
}

/// How long a sweep goes on: it begins no page after `until`, and gives up the page it is at at `latest`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    until: Instant,
    latest: Instant,
}

impl Pace {
    /// Begins pages for `time`, and finishes one for `grace` more.
    pub(crate) fn of(time: Duration, grace: Duration) -> Pace {
        let until = Instant::now() + time;
        Pace { until, latest: until + grace }
    }

    /// The same, but ending after `time` if that is earlier.
    pub(crate) fn at_most(self, time: Duration) -> Pace {
        Pace { until: self.until.min(Instant::now() + time), ..self }
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }
}

/// Goes through key_ranges of L3, all partitions at once, with `page` for a page of one, which returns where the next begins;
/// returns whether it came to the end.
pub(crate) async fn go_through<'r, F, P>(
    key_ranges: &[KeyRange<'r>],
    front: &mut Front,
    pace: Pace,
    page: P,
) -> Result<bool, L3Error>
where
    P: Fn(KeyRange<'r>, Option<String>) -> F,
    F: Future<Output = Result<Option<String>, L3Error>>,
{
    loop {
        let due = front.due(key_ranges.len());
        if due.is_empty() {
            return Ok(true);
        }
        let at_once = due.len();
        let pages =
            due.into_iter().map(|(number, last)| page(key_ranges[number], last).map_ok(move |last| (number, last)));
        let round = stream::iter(pages).buffer_unordered(at_once).try_collect::<Vec<_>>();
        let Ok(done) = timeout_at(pace.latest, round).await else { return Ok(false) };
        for (number, last) in done? {
            front.advance(number, last);
        }
        if pace.is_over() {
            return Ok(front.due(key_ranges.len()).is_empty());
        }
    }
}

/// Index rows of one key stand behind each other.
fn by_key(found: impl Iterator<Item = Match>) -> Vec<Vec<Match>> {
    let mut keys: Vec<Vec<Match>> = Vec::new();
    for row in found {
        match keys.last_mut() {
            Some(of_key) if of_key[0].key == row.key => of_key.push(row),
            _ => keys.push(vec![row]),
        }
    }
    keys
}

impl View<'_> {
    /// Goes on through both shared levels; returns whether it came to the end. At least one page is done, so that any
    /// number of cut-off calls comes to the end.
    pub(crate) async fn sweep(
        &self,
        sweep: Sweep<'_>,
        scan_checkpoint: &mut ScanCheckpoint,
        pace: Pace,
    ) -> Result<bool, CacheError> {
        let levels = sweep.counter.levels;
        // A row that only points to L2 goes with what it points to.
        if self.uses(Level::L3) && (levels.has(Level::L3) || levels.has(Level::L2)) {
            let done = self.sweep_l3(sweep, &mut scan_checkpoint.l3, pace).await;
            if !done? {
                return Ok(false);
            }
        }
        if self.uses(Level::L2) && levels.has(Level::L2) {
            let done = self.sweep_l2(sweep, &mut scan_checkpoint.l2, pace).await;
            return Ok(done?);
        }
        Ok(true)
    }

    /// Goes through what L3 has of the selector, all partitions at once.
    pub(crate) async fn sweep_l3(&self, sweep: Sweep<'_>, front: &mut Front, pace: Pace) -> Result<bool, L3Error> {
        let key_ranges = sweep.selector.key_ranges();
        go_through(&key_ranges, front, pace, |key_range, last| self.sweep_page(sweep, key_range, last)).await
    }

    /// One page of a key range; returns where the next one begins.
    async fn sweep_page(
        &self,
        sweep: Sweep<'_>,
        key_range: KeyRange<'_>,
        last: Option<String>,
    ) -> Result<Option<String>, L3Error> {
        let tags = sweep.selector.needs_tags() || (sweep.act.only_looks() && self.knowledge().masks_by_tag());
        let (matches, last) = self.store.search(Search { key_range, after: last.as_deref(), tags }).await?;
        let is_there = |found: &Match| match found.gone {
            true => found.born.is_some() && !sweep.act.only_looks(),
            false => found.live || !planted(Bug::GracePassedOver),
        };
        let by_tag = key_range.tag.is_some();
        let found = matches.into_iter().filter(|found| is_there(found) && sweep.selector.admits(&found.key));
        stream::iter(by_key(found))
            .map(|of_key| self.sweep_key(of_key, by_tag, sweep))
            .buffer_unordered(REMOVALS_AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(last)
    }

    /// The rows that lead to one key, one after the other.
    async fn sweep_key(&self, of_key: Vec<Match>, by_tag: bool, sweep: Sweep<'_>) -> Result<(), L3Error> {
        for (before, found) in of_key.iter().enumerate() {
            self.sweep_row(found, before > 0, by_tag, sweep).await?;
        }
        Ok(())
    }

    /// `again`: another index row has led to the same key, and the tombstone that this meets may be of that.
    async fn sweep_row(&self, found: &Match, again: bool, by_tag: bool, sweep: Sweep<'_>) -> Result<(), L3Error> {
        let needs_tags = sweep.selector.needs_tags();
        if needs_tags {
            let tags =
                if by_tag { self.store.tags_of(&found.key, found.version).await? } else { Some(found.tags.clone()) };
            if !tags.is_some_and(|tags| sweep.selector.touches(&found.key, &tags)) {
                return Ok(());
            }
        }
        // Of the very version whose tags are known.
        let of_seen = by_tag || needs_tags;
        let which = match sweep.act {
            Act::Look | Act::LookWithoutL2 => return self.look_at(found, by_tag, sweep).await,
            Act::Remove(version) if of_seen => Which::SeenBelow(version, found.version),
            Act::Remove(version) => Which::Below(version),
            Act::RemoveSeen => Which::Seen(found.version),
        };
        let which = match sweep.end {
            Some(end) if found.has_grace => match self.end_life(&found.key, sweep, end).await? {
                Some(seen) => which.seen_as(seen),
                None => return Ok(()),
            },
            _ => which,
        };
        let Some(doomed) = sweep.doomed(which, found) else { return Ok(()) };
        let removed = self.store.remove(&found.key, doomed).await?;
        if removed.was_elsewhere {
            sweep.counter.add_elsewhere();
        }
        if let Some(live) = removed.live.filter(|_| !(again && removed.was_before)) {
            if removed.is_kept {
                sweep.counter.keep(&found.key);
            }
            self.count_live(sweep, &found.key, &live);
        }
        Ok(())
    }

    /// Ends the life of a row's value; returns the version of one that is to be removed, because it has no grace.
    async fn end_life(&self, key: &str, sweep: Sweep<'_>, end: End) -> Result<Option<Version>, L3Error> {
        let below = match sweep.act {
            Act::Remove(version) => Some(version),
            Act::Look | Act::LookWithoutL2 | Act::RemoveSeen => None,
        };
        let above = |version| self.version_just_above(version);
        match self.store.end_life(key, below, sweep.selector, end, above).await? {
            Ended::Yes(live) => {
                if let Some(live) = live {
                    self.count_live(sweep, key, &live);
                }
                Ok(None)
            }
            Ended::Nothing => Ok(None),
            Ended::Removable(version) => Ok(Some(version)),
        }
    }

    /// Counts a row that holds a live value.
    async fn look_at(&self, found: &Match, by_tag: bool, sweep: Sweep<'_>) -> Result<(), L3Error> {
        let live = match by_tag {
            true => self.store.live(&found.key, found.version).await?,
            false => {
                let level = if found.live { Level::L3 } else { Level::L2 };
                let Match { version, has_grace, .. } = *found;
                let live = || Live { level, version, tags: found.tags.clone(), has_grace };
                (found.live || found.elsewhere).then(live)
            }
        };
        // Where L2 can be asked, it knows better what it has.
        let has_l2 = sweep.act == Act::LookWithoutL2 && sweep.counter.levels.has(Level::L2);
        let counts = |live: &Live| live.level == Level::L3 || has_l2;
        live.into_iter().filter(counts).for_each(|live| self.count_live(sweep, &found.key, &live));
        Ok(())
    }

    fn count_live(&self, sweep: Sweep<'_>, key: &str, Live { level, version, tags, has_grace }: &Live) {
        if !self.knowledge().masks_before(sweep.act.own(), *level, key, tags, *version) {
            sweep.counter.add(*level, key);
            if *has_grace && sweep.end.is_some() {
                sweep.counter.make_stale(key);
            }
        }
    }

    /// Whether a read would find nothing in a copy that was met in L2.
    fn is_void(&self, sweep: Sweep<'_>, key: &str, copy: &Meant) -> bool {
        // What was removed before, by a command whose answer was lost, says no more.
        let Some(as_of) = copy.as_of else { return false };
        if self.source_of_truth() == SourceOfTruth::L3 && copy.version < self.store.floors().l3 {
            return true;
        }
        let knowledge = self.knowledge();
        let is_stale = || Key::new(key).is_ok_and(|key| knowledge.overtakes(&key, copy.version, as_of));
        knowledge.covers_before(sweep.act.own(), key, &copy.tags, as_of) || (sweep.act == Act::Look && is_stale())
    }

    /// Goes through what L2 has of the selector, all shards at once, a page of each in one round trip.
    pub(crate) async fn sweep_l2(&self, sweep: Sweep<'_>, front: &mut Front, pace: Pace) -> Result<bool, Down> {
        let key_ranges = sweep.selector.key_ranges();
        loop {
            let due = front.due(key_ranges.len());
            if due.is_empty() {
                return Ok(true);
            }
            let Ok(done) = timeout_at(pace.latest, self.sweep_l2_pages(sweep, &key_ranges, due)).await else {
                return Ok(false);
            };
            for (number, last) in done? {
                front.advance(number, last);
            }
            if pace.is_over() {
                return Ok(front.due(key_ranges.len()).is_empty());
            }
        }
    }

    /// One page of each key range that is due; returns where the next ones begin.
    async fn sweep_l2_pages(
        &self,
        sweep: Sweep<'_>,
        key_ranges: &[KeyRange<'_>],
        due: Vec<(usize, Option<String>)>,
    ) -> Result<Vec<(usize, Option<String>)>, Down> {
        let pages = due.iter().map(|(number, last)| {
            let key_range = key_ranges[*number];
            self.setup.copies.page(&Page { key_range, after: last.as_deref(), limit: PAGE_KEYS })
        });
        let pages = self.bulk(pages.collect()).await?.into_iter().map(keys);
        let pages = pages.collect::<Result<Vec<_>, _>>()?;
        let next = |page: &Vec<String>| page.last().filter(|_| page.len() == PAGE_KEYS).cloned();
        let done = due.iter().zip(&pages).map(|((number, _), page)| (*number, next(page))).collect();
        let counter = due.iter().zip(pages).map(|((number, _), page)| (key_ranges[*number].shard, page)).collect();
        self.evict(sweep, counter).await?;
        Ok(done)
    }

    async fn evict(&self, sweep: Sweep<'_>, pages: Vec<(u64, Vec<String>)>) -> Result<(), Down> {
        let operation = self.bulk_operation();
        let version = match sweep.act {
            Act::Remove(version) => Some(version),
            Act::Look | Act::LookWithoutL2 | Act::RemoveSeen => None,
        };
        let pages: Vec<(u64, Vec<String>)> = pages
            .into_iter()
            .map(|(shard, keys)| (shard, keys.into_iter().filter(|key| sweep.selector.admits(key)).collect::<Vec<_>>()))
            .filter(|(_, keys)| !keys.is_empty())
            .collect();
        let tags = sweep.selector.tagged();
        let eviction = Eviction { version, tags, tell_tags: self.knowledge().masks_by_tag() };
        let commands =
            pages.iter().map(|(shard, keys)| self.setup.copies.evict(operation, *shard, &eviction, keys)).collect();
        for ((_, keys), reply) in pages.iter().zip(self.bulk(commands).await?) {
            let live = evicted(reply, keys.len())?.ok_or(Down::Odd("the operation took too long"))?;
            let live = keys.iter().zip(live).filter_map(|(key, live)| Some((key, live?)));
            live.filter(|(key, copy)| !self.is_void(sweep, key, copy))
                .for_each(|(key, _)| sweep.counter.add(Level::L2, key));
        }
        Ok(())
    }

    /// Removal goes on for as long as the request or a part of a slice does: what is removed is older than a version that
    /// is fixed.
    pub(crate) fn bulk_operation(&self) -> Operation {
        Operation { started_us: self.as_of().started_us, life_us: OPERATION_LIFE.as_micros() as u64 }
    }

    pub(crate) async fn bulk(&self, commands: Vec<Command>) -> Result<Vec<Reply>, Down> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.link.run_bulk(&Batch::from_iter(commands), Order::Any).await
    }

    /// Does in L2 what an invalidation that only L3 saw has left to do.
    pub(crate) async fn finish_in_redis(&self, selector: &Selector, levels: Levels) -> Result<(), Down> {
        if levels.has(Level::L2) {
            let version = self.version(self.as_of());
            let counter = MatchCounter::of(levels);
            let sweep = Sweep::new(selector, Act::Remove(version), &counter);
            let pace = Pace::of(Duration::from_secs(1), Duration::ZERO);
            if !self.sweep_l2(sweep, &mut ScanCheckpoint::default().l2, pace).await? {
                return Err(Down::TimedOut);
            }
        }
        Ok(())
    }
}
