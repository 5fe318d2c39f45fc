//! Loading many entries into L2 at once: what L3 has is read in batches, written in one pipeline, and checked against the
//! journal after it, as every promotion is. Where L3 is switched off, L2 has what there is, and it is only counted.

use super::{sync::Written, view::View};
use crate::{
    codec,
    coherence::{Since, Stamp},
    config::LARGEST_ENTRY_BYTES,
    dynamo::{L3Error, Search, Stored},
    entry::Entry,
    job::Job,
    key::Key,
    level::Level,
    outcome::CacheError,
    redis::{Done, Down, Outcome, PAGE_KEYS, Page, WriteCopy, evicted, keys, size},
    register::{Expected, Register},
    selector::{Selector, Stretch},
    shard::{SHARDS, shard},
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// How often an entry is read that was changed while it was loaded.
const TRIES: usize = 3;

/// Entries to load.
#[derive(Debug)]
pub(super) enum Batch<'a> {
    /// These.
    Keys(&'a [Key]),
    /// The next ones of a stretch, about `size` of them, that a selector admits.
    Page { number: usize, selector: &'a Selector, stretch: Stretch<'a>, after: Option<String>, size: usize },
}

/// What came of batches.
#[derive(Debug, Default)]
pub(super) struct Sum {
    done: u64,
    missing: u64,
    failed: BTreeMap<Failure, u64>,
    /// Where the stretches of pages go on: after this key, or nowhere.
    pub(super) next: Vec<(usize, Option<String>)>,
    /// Entries that L2 has, and bytes of their envelopes; with L3 switched off only those that were to be named.
    pub(super) loaded: Vec<(Key, usize)>,
}

/// Why an entry that is there was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    /// Its PUT named other levels.
    OtherLevels,
    /// What L3 has of it cannot be read.
    Unreadable,
    /// Redis did not take it, because its memory is full for instance.
    Refused,
    /// It was changed again and again while it was loaded.
    Contended,
}

/// What was found of batches, and what is known of the time before.
pub(super) struct Found {
    stamp: Stamp,
    asked_ms: i64,
    pieces: Vec<Piece>,
}

/// What was found of one batch.
#[derive(Default)]
struct Piece {
    /// Envelopes to put into L2.
    values: Vec<(Key, Bytes)>,
    /// Keys to read one by one, because of their size.
    large: Vec<Key>,
    /// Keys that L2 has, as the only level.
    there: u64,
    /// Some of them, and bytes of their envelopes.
    named: Vec<(Key, usize)>,
    missing: u64,
    next: Option<(usize, Option<String>)>,
}

/// A value on its way into L2.
struct Ready {
    key: Key,
    entry: Entry,
    envelope: Bytes,
}

impl View<'_> {
    /// Reads batches, all at once. With `name` it says of entries that only L2 has what they are called and how large they
    /// are, which costs a command for each.
    pub(super) async fn find(&self, batches: &[Batch<'_>], name: bool) -> Result<Found, CacheError> {
        let stamp = self.stamp();
        self.know_barriers(true, self.setup.config.l1_config.coherence_window_ms).await?;
        let asked_ms = self.clock.now_ms();
        let pieces = match self.register() {
            Register::L3 => try_join_all(batches.iter().map(|batch| self.find_in_l3(batch))).await?,
            Register::L2 => try_join_all(batches.iter().map(|batch| self.find_in_l2(batch, name))).await?,
        };
        Ok(Found { stamp, asked_ms, pieces })
    }

    async fn find_in_l3(&self, batch: &Batch<'_>) -> Result<Piece, L3Error> {
        let mut piece = Piece::default();
        match batch {
            Batch::Keys(keys) => {
                let mut rows = self.store.load_keys(keys).await?;
                for key in *keys {
                    match rows.remove(key) {
                        None | Some(Stored::Gone) => piece.missing += 1,
                        Some(row) => piece.add(key.clone(), row),
                    }
                }
            }
            Batch::Page { number, selector, stretch, after, size } => {
                let search = Search { stretch: *stretch, after: after.as_deref() };
                let (rows, next) = self.store.load_page(search, *size).await?;
                let rows = rows.into_iter().filter(|(key, _)| selector.admits(key.as_str()));
                rows.for_each(|(key, row)| piece.add(key, row));
                piece.next = Some((*number, next));
            }
        }
        Ok(piece)
    }

    async fn find_in_l2(&self, batch: &Batch<'_>, name: bool) -> Result<Piece, Down> {
        let mut piece = Piece::default();
        let live = match batch {
            Batch::Keys(keys) => {
                let in_shard = |number| keys.iter().filter(move |key| shard(key.as_str()) == number);
                let by_shard = (0..SHARDS).map(|number| (number, in_shard(number).map(Key::to_string).collect()));
                let live = self.live_in_l2(by_shard.collect()).await?;
                piece.missing = (keys.len() - live.len()) as u64;
                live
            }
            Batch::Page { number, selector, stretch, after, .. } => {
                let page =
                    self.ask(self.setup.copies.page(&Page { stretch: *stretch, after: after.as_deref() })).await?;
                let mut page = keys(page)?;
                piece.next = Some((*number, page.last().filter(|_| page.len() == PAGE_KEYS).cloned()));
                page.retain(|key| selector.admits(key));
                self.live_in_l2(vec![(stretch.shard, page)]).await?
            }
        };
        piece.there = live.len() as u64;
        if name {
            let sizes = self.bulk(live.iter().map(|key| self.setup.copies.size(key)).collect()).await?;
            let sizes = sizes.into_iter().map(size).collect::<Result<Vec<_>, _>>()?;
            let named = live.into_iter().zip(sizes);
            piece.named = named.filter_map(|(key, size)| Some((Key::new(key).ok()?, size))).collect();
        }
        Ok(piece)
    }

    /// Those of these keys, by shard, that L2 has live copies of.
    async fn live_in_l2(&self, mut keys: Vec<(u64, Vec<String>)>) -> Result<Vec<String>, Down> {
        keys.retain(|(_, keys)| !keys.is_empty());
        let operation = self.bulk_operation();
        let look = |(shard, keys): &(u64, Vec<String>)| self.setup.copies.evict(operation, *shard, None, &[], keys);
        let replies = self.bulk(keys.iter().map(look).collect()).await?;
        let mut found = Vec::new();
        for ((_, keys), reply) in keys.into_iter().zip(replies) {
            let live = evicted(reply, keys.len())?.ok_or(Down::Odd("the operation took too long"))?;
            found.extend(keys.into_iter().zip(live).filter_map(|(key, live)| live.then_some(key)));
        }
        Ok(found)
    }

    /// Puts what was found into L2.
    pub(super) async fn promote_all(&self, found: Found) -> Result<Sum, CacheError> {
        let Found { stamp, asked_ms, pieces } = found;
        let (mut sum, mut values, mut one_by_one) = (Sum::default(), Vec::new(), Vec::new());
        for piece in pieces {
            sum.done += piece.there;
            sum.missing += piece.missing;
            sum.next.extend(piece.next);
            sum.loaded.extend(piece.named);
            values.extend(piece.values);
            one_by_one.extend(piece.large);
        }
        one_by_one.extend(self.write(stamp, asked_ms, values, &mut sum).await?);
        for key in one_by_one {
            self.load_one(key, &mut sum).await?;
        }
        Ok(sum)
    }

    /// Reads one entry, and again when it is changed meanwhile.
    async fn load_one(&self, key: Key, sum: &mut Sum) -> Result<(), CacheError> {
        for _ in 0..TRIES {
            let Found { stamp, asked_ms, .. } = self.find(&[], false).await?;
            let row = self.store.load(&key).await?;
            let value = match row {
                Stored::Value(envelope) => vec![(key.clone(), envelope)],
                Stored::Elsewhere => return Ok(sum.done += 1),
                Stored::Large | Stored::Gone => return Ok(sum.missing += 1),
            };
            if self.write(stamp, asked_ms, value, sum).await?.is_empty() {
                return Ok(());
            }
        }
        sum.fail(Failure::Contended);
        Ok(())
    }

    /// Writes values into L2, in one pipeline, and takes back those that were changed meanwhile; returns their keys.
    async fn write(
        &self,
        stamp: Stamp,
        asked_ms: i64,
        values: Vec<(Key, Bytes)>,
        sum: &mut Sum,
    ) -> Result<Vec<Key>, CacheError> {
        let ready: Vec<Ready> = values.into_iter().filter_map(|(key, value)| self.ready(key, value, sum)).collect();
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.write_and_sync(stamp, asked_ms, &ready).await;
        let outcomes = written.inspect_err(|_| self.owe_undo_all(&ready, stamp))?;
        let mut changed = Vec::new();
        for (ready, outcome) in ready.iter().zip(outcomes) {
            let unchanged = self.since(ready, stamp) == Since::Unchanged;
            match outcome {
                Ok(outcome) if unchanged && matches!(outcome.done, Done::Yes | Done::Newer) => {
                    self.count_promotion(ready.entry.version, outcome);
                    sum.done += 1;
                    sum.loaded.push((ready.key.clone(), ready.envelope.len()));
                }
                Err(down) if unchanged => {
                    tracing::warn!(%down, "L2 refuses an entry");
                    sum.fail(Failure::Refused);
                }
                _ => changed.push(ready),
            }
        }
        self.undo_all(&changed, stamp).await.inspect_err(|_| self.owe_undo_all(&ready, stamp))?;
        Ok(changed.into_iter().map(|ready| ready.key.clone()).collect())
    }

    /// The value, if it is one that L2 may have.
    fn ready(&self, key: Key, envelope: Bytes, sum: &mut Sum) -> Option<Ready> {
        match codec::decode(&envelope, LARGEST_ENTRY_BYTES) {
            Ok(entry) if entry.is_expired(self.clock.now_ms()) || self.is_hidden(Level::L3, &key, &entry) => {
                sum.missing += 1;
                None
            }
            Ok(entry) if !entry.levels.has(Level::L2) => {
                sum.fail(Failure::OtherLevels);
                None
            }
            Ok(entry) => Some(Ready { key, entry, envelope }),
            Err(error) => {
                tracing::warn!(%error, level = %Level::L3, "unreadable envelope");
                sum.fail(Failure::Unreadable);
                None
            }
        }
    }

    async fn write_and_sync(
        &self,
        stamp: Stamp,
        asked_ms: i64,
        ready: &[Ready],
    ) -> Result<Vec<Result<Outcome, Down>>, Down> {
        let operation = self.operation(stamp);
        let write = |Ready { key, entry, envelope }: &Ready| {
            self.setup.copies.write(&WriteCopy {
                key: key.as_str(),
                operation,
                version: entry.version,
                stamp: stamp.position,
                certified_ms: asked_ms,
                expires_at_ms: entry.expires_at_ms,
                envelope,
                tags: &entry.tags,
                levels: entry.levels,
                distrusted: None,
                expected: Expected::Anything,
            })
        };
        let replies = self.bulk(ready.iter().map(write).collect()).await?;
        self.sync(Vec::new()).await?;
        Ok(replies.into_iter().map(Outcome::parse).collect())
    }

    fn since(&self, Ready { key, entry, .. }: &Ready, stamp: Stamp) -> Since {
        self.knowledge().since(key, &entry.tags, stamp, entry.version)
    }

    async fn undo_all(&self, changed: &[&Ready], stamp: Stamp) -> Result<(), Down> {
        let operation = self.operation(stamp);
        let undo = |ready: &&Ready| {
            let Ready { key, entry, .. } = ready;
            self.setup.copies.undo(operation, key.as_str(), entry.version, stamp.position)
        };
        let replies = self.bulk(changed.iter().map(undo).collect()).await?;
        replies.into_iter().map(Outcome::parse).try_for_each(|outcome| outcome.map(drop))
    }

    fn owe_undo_all(&self, ready: &[Ready], stamp: Stamp) {
        for Ready { key, entry, envelope } in ready {
            let written = Written { key, tags: &entry.tags, version: entry.version, bytes: envelope.len() };
            self.owe_undo(&written, stamp);
        }
    }
}

impl Batch<'_> {
    /// The keys that it names.
    pub(super) fn keys(&self) -> &[Key] {
        match self {
            Batch::Keys(keys) => keys,
            Batch::Page { .. } => &[],
        }
    }
}

impl Piece {
    /// Takes in what L3 has of a key. A tombstone that a page meets is nothing that anybody asked for.
    fn add(&mut self, key: Key, row: Stored) {
        match row {
            Stored::Value(envelope) => self.values.push((key, envelope)),
            Stored::Large => self.large.push(key),
            Stored::Elsewhere => self.there += 1,
            Stored::Gone => {}
        }
    }
}

impl Sum {
    fn fail(&mut self, failure: Failure) {
        *self.failed.entry(failure).or_default() += 1;
    }

    /// Adds it to what a job has done.
    pub(super) fn add_to(self, job: &mut Job) {
        job.counters.done += self.done;
        job.counters.missing += self.missing;
        for (failure, keys) in self.failed {
            job.counters.failed += keys;
            *job.errors.entry(failure.name().to_owned()).or_default() += keys;
        }
    }
}

impl Failure {
    const fn name(self) -> &'static str {
        match self {
            Failure::OtherLevels => "other_levels",
            Failure::Unreadable => "unreadable",
            Failure::Refused => "refused",
            Failure::Contended => "contended",
        }
    }
}
