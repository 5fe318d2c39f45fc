//! Listing entries in the order of their keys: from the source of truth, page by page.
//!
//! What L3 has is read consistently, so that an acknowledged mutation is in the next page, and what an open invalidation
//! hides is left out. Nothing is kept between two pages.

pub(crate) mod filling;
pub(crate) mod merge;
pub(crate) mod tags;

use crate::tiered::{
    TieredCache, ended,
    invalidate::act::Act,
    list::filling::Filling,
    list::merge::{Due, Merge, share},
    view::{CaughtUp, Stop, View},
};
use crate::{
    coherence::FreshnessProof,
    dynamo::{L3Error, ListedRow, Search},
    key::Key,
    level::Level,
    listing::{List, Listed, Listing, Mark},
    outcome::CacheError,
    redis::{Down, Head, Page, heads, keys},
    selector::KeyRange,
    shard::{SHARDS, shard},
    source_of_truth::SourceOfTruth,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;

/// Keys that are looked up at once.
const LOOK_UP: usize = 500;

/// A name that was met: a key, with its row where that is what was read.
type MatchCounter = (String, Option<ListedRow>);

/// A reading of a part of one shard's list: names, and behind which the next begins.
type Part = (u64, Vec<MatchCounter>, Option<String>);

impl TieredCache {
    /// A page of the live entries that `list` means, in order by the bytes of their keys. What was put into L1 alone is
    /// not among them.
    ///
    /// # Errors
    /// When the level that decides what there is cannot be reached.
    pub async fn list(&self, list: &List) -> Result<Listing<Listed>, CacheError> {
        loop {
            if let Some(ended) = ended(self.view().list(list).await) {
                return ended;
            }
        }
    }
}

impl View<'_> {
    async fn list(&self, list: &List) -> Result<Listing<Listed>, Stop> {
        let CaughtUp { synced, .. } = self.catch_up().await?;
        let has_l2 = synced.is_ok();
        if self.source_of_truth() == SourceOfTruth::L2 {
            synced.map_err(CacheError::from)?;
        }
        self.learn_open_invalidations(has_l2, 0).await?;
        let mut page = Filling::new(list.limit);
        for (prefix, behind) in list.within.from(list.from.as_ref()) {
            if page.is_spent() {
                return Ok(page.end(Mark::before(prefix)));
            }
            let key_range = KeyRange { shard: 0, tag: list.tag.as_deref(), prefix, exact: false };
            if let Some(next) = self.list_prefix(key_range, behind, has_l2, &mut page).await? {
                return Ok(page.end(next));
            }
        }
        Ok(Listing { found: page.found, next: None })
    }

    /// Lists what begins with one prefix; returns where the page ends if it does.
    async fn list_prefix(
        &self,
        key_range: KeyRange<'_>,
        behind: Option<&str>,
        has_l2: bool,
        page: &mut Filling<Listed>,
    ) -> Result<Option<Mark>, CacheError> {
        let mut merge = Merge::new(behind);
        loop {
            let wanted = if self.reads_rows(key_range) { page.next() } else { page.missing() };
            let due = merge.due(wanted);
            if due.is_empty() {
                return Ok(None);
            }
            let even = share(wanted, due.len());
            let limit = if self.reads_rows(key_range) { even.min(page.affords() / due.len()).max(1) } else { even };
            for (shard, counter, next) in self.read_parts(key_range, due, limit, page).await? {
                merge.add(shard, counter, next);
            }
            let mut taken = merge.take();
            while !taken.is_empty() {
                let at_once = if self.reads_rows(key_range) { taken.len() } else { page.affords().min(LOOK_UP) };
                let later = taken.split_off(taken.len().min(at_once));
                let last = taken.last().map(|(key, _)| Mark::behind(key));
                let listed = self.resolve(key_range.tag, std::mem::replace(&mut taken, later), has_l2, page).await?;
                page.found.extend(listed);
                if page.is_full() {
                    return Ok(page.cut(|entry| &entry.key));
                }
                if page.is_spent() && !taken.is_empty() {
                    return Ok(last);
                }
            }
            if let Some(settled) = merge.settled().filter(|_| page.is_spent()) {
                return Ok(Some(Mark::behind(settled)));
            }
        }
    }

    /// Whether what is gone through are the rows themselves, and not an index that names them.
    fn reads_rows(&self, key_range: KeyRange<'_>) -> bool {
        self.source_of_truth() == SourceOfTruth::L3 && key_range.tag.is_none()
    }

    /// Reads on in several shards at once, at most `limit` names of each.
    async fn read_parts(
        &self,
        key_range: KeyRange<'_>,
        due: Vec<Due>,
        limit: usize,
        page: &mut Filling<Listed>,
    ) -> Result<Vec<Part>, CacheError> {
        if self.source_of_truth() == SourceOfTruth::L2 {
            return Ok(self.read_names(key_range, &due, limit).await?);
        }
        let at_once = due.len();
        let parts = due.into_iter().map(async |Due { shard, behind }| {
            let search = Search { key_range: KeyRange { shard, ..key_range }, after: behind.as_deref(), tags: true };
            if key_range.tag.is_some() {
                let (keys, next) = self.store.list_index(search, limit).await?;
                return Ok((shard, keys.into_iter().map(|key| (key, None)).collect(), next, 0, 0));
            }
            let read = self.store.list_rows(search, limit).await?;
            let counter = read.rows.into_iter().map(|row| (row.entry.key.clone(), Some(row)));
            Ok::<_, L3Error>((shard, counter.collect(), read.next, read.count, read.bytes))
        });
        let parts = stream::iter(parts).buffer_unordered(at_once).try_collect::<Vec<_>>().await?;
        let cost = parts.iter().map(|(.., count, bytes)| (count, bytes));
        let (count, bytes) = cost.fold((0, 0), |(rows, sum), (count, bytes)| (rows + count, sum + bytes));
        if self.reads_rows(key_range) {
            page.spend(count, bytes);
        }
        Ok(parts.into_iter().map(|(shard, counter, next, ..)| (shard, counter, next)).collect())
    }

    /// The same of an index of L2, whose members cost next to nothing.
    pub(crate) async fn read_names(
        &self,
        key_range: KeyRange<'_>,
        due: &[Due],
        limit: usize,
    ) -> Result<Vec<Part>, Down> {
        let pages = due.iter().map(|Due { shard, behind }| {
            let key_range = KeyRange { shard: *shard, ..key_range };
            self.setup.copies.page(&Page { key_range, after: behind.as_deref(), limit })
        });
        let replies = self.bulk(pages.collect()).await?;
        let parts = due.iter().zip(replies).map(|(due, reply)| {
            let names = keys(reply)?;
            let next = names.last().filter(|_| names.len() == limit).cloned();
            Ok((due.shard, names.into_iter().map(|name| (name, None)).collect(), next))
        });
        parts.collect()
    }

    /// The live entries of names that were met, in their order.
    async fn resolve(
        &self,
        tag: Option<&str>,
        counter: Vec<MatchCounter>,
        has_l2: bool,
        page: &mut Filling<Listed>,
    ) -> Result<Vec<Listed>, CacheError> {
        if self.source_of_truth() == SourceOfTruth::L2 {
            return Ok(self.look_into_l2(tag, counter, page).await?);
        }
        let names: Vec<String> = counter.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key.clone()).collect();
        let read = self.store.list_keys(&names).await?;
        page.spend(read.count, read.bytes);
        let has_tag = |row: &ListedRow| tag.is_none_or(|tag| row.entry.tags.iter().any(|own| **own == *tag));
        let mut rows: Vec<ListedRow> = counter.into_iter().filter_map(|(_, row)| row).chain(read.rows).collect();
        rows.retain(|row| has_tag(row) && !self.is_row_hidden(row));
        let mut listed = self.look_elsewhere(rows, has_l2).await;
        listed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(listed)
    }

    fn is_row_hidden(&self, row: &ListedRow) -> bool {
        let ListedRow { version, elsewhere, entry } = row;
        let level = if *elsewhere { Level::L2 } else { Level::L3 };
        self.knowledge().masks_before(Act::Look.own(), level, &entry.key, &entry.tags, *version)
    }

    /// Rows without those that say that their value is in L2, where it is not. While L2 is out of reach their word is
    /// taken: the value can be read when it is back.
    async fn look_elsewhere(&self, rows: Vec<ListedRow>, has_l2: bool) -> Vec<Listed> {
        let elsewhere = rows.iter().filter(|row| row.elsewhere && has_l2).map(|row| row.entry.key.clone());
        let elsewhere: Vec<String> = elsewhere.collect();
        let names: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
        let copies = match self.heads_of(&names).await {
            Ok((copies, _)) => Some(copies).filter(|_| has_l2),
            Err(down) => {
                tracing::debug!(%down, "what is kept in redis only is listed by what dynamodb says of it");
                None
            }
        };
        let is_there = |row: &ListedRow| match &copies {
            _ if !row.elsewhere => true,
            Some(copies) => copies.get(row.entry.key.as_str()).is_some_and(|copy| self.is_named(row, copy)),
            None => self.uses(Level::L2) && row.entry.levels.has(Level::L2),
        };
        rows.into_iter().filter(is_there).map(|row| row.entry).collect()
    }

    /// Whether a copy is the value of which a row says that it is in L2.
    fn is_named(&self, row: &ListedRow, copy: &Head) -> bool {
        let ListedRow { version, entry, .. } = row;
        let swept = self.knowledge().covers_before(Act::Look.own(), &entry.key, &entry.tags, copy.as_of);
        copy.version == *version && !swept
    }

    /// The live entries of keys that an index of L2 named, while L2 is the source of truth.
    async fn look_into_l2(
        &self,
        tag: Option<&str>,
        counter: Vec<MatchCounter>,
        page: &mut Filling<Listed>,
    ) -> Result<Vec<Listed>, Down> {
        let names: Vec<&str> = counter.iter().map(|(key, _)| key.as_str()).collect();
        let (mut copies, bytes) = self.heads_of(&names).await?;
        page.spend(names.len(), bytes);
        let has_tag = |head: &Head| tag.is_none_or(|tag| head.entry.attributes.tags.iter().any(|own| **own == *tag));
        let found = names.into_iter().filter_map(|name| {
            let head = copies.remove(name).filter(has_tag)?;
            self.is_certain(name, &head).then(|| head.listed(name))
        });
        Ok(found.collect())
    }

    fn is_certain(&self, name: &str, head: &Head) -> bool {
        let Ok(key) = Key::new(name) else { return false };
        let (now_ms, attributes) = (self.clock.now_ms(), &head.entry.attributes);
        let certificate = FreshnessProof { version: head.version, as_of: head.as_of, certified_ms: now_ms };
        now_ms < attributes.expires_at_ms
            && self.knowledge().trusts(&key, &attributes.tags, &certificate, None, now_ms, self.revalidate_ms())
    }

    /// What the copies of these keys say, where there are some, and the bytes that they take.
    async fn heads_of<'k>(&self, names: &[&'k str]) -> Result<(HashMap<&'k str, Head>, usize), Down> {
        let of = |number| names.iter().copied().filter(move |name| shard(name) == number).collect::<Vec<&str>>();
        let asked: Vec<(u64, Vec<&str>)> = (0..SHARDS).map(|number| (number, of(number))).collect();
        let asked: Vec<_> = asked.into_iter().filter(|(_, names)| !names.is_empty()).collect();
        let commands = asked.iter().map(|(shard, names)| self.setup.copies.heads(*shard, names)).collect();
        let (mut found, mut all) = (HashMap::with_capacity(names.len()), 0);
        for ((_, names), reply) in asked.iter().zip(self.bulk(commands).await?) {
            let (heads, bytes) = heads(reply)?;
            all += bytes;
            found.extend(names.iter().zip(heads).filter_map(|(name, head)| Some((*name, head?))));
        }
        Ok((found, all))
    }
}

impl Head {
    fn listed(self, key: &str) -> Listed {
        let attributes = self.entry.attributes;
        Listed {
            key: key.to_owned(),
            expires_at_ms: attributes.expires_at_ms,
            created_at_ms: Some(attributes.created_at_ms),
            size_bytes: Some(self.entry.text_bytes),
            tags: attributes.tags,
            levels: attributes.levels,
        }
    }
}
