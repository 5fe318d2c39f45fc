//! What a warm job finds: entries of L3 in batches; or, where L3 is switched off, what L2 has already.

use crate::tiered::view::View;
use crate::{
    coherence::AsOf,
    dynamo::{L3Error, Search, Stored},
    key::Key,
    outcome::CacheError,
    redis::{Down, Eviction, Page, evicted, keys, size},
    selector::{KeyRange, Selector},
    shard::{SHARDS, shard},
    source_of_truth::SourceOfTruth,
};
use bytes::Bytes;
use std::sync::Arc;

/// Entries to load.
#[derive(Debug)]
pub(crate) enum Batch<'a> {
    /// These.
    Keys(&'a [Key]),
    /// The next ones of a key range, at most `size` of them, of which a selector admits some.
    Page { number: usize, selector: &'a Selector, key_range: KeyRange<'a>, after: Option<String>, size: usize },
    /// This one by itself: it is large, or was changed while it was loaded.
    One(Key),
}

/// What a wave rests on, from before anything of it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground {
    pub(crate) as_of: AsOf,
    pub(crate) asked_ms: i64,
}

/// What was found of one batch.
#[derive(Default)]
pub(crate) struct Piece {
    /// Envelopes to put into L2, and in whose stock they are there.
    pub(crate) values: Vec<(Key, Bytes, Option<Arc<str>>)>,
    /// Keys to read one by one.
    pub(crate) single: Vec<Key>,
    /// Keys that L2 has, as the only level.
    pub(crate) there: u64,
    /// Some of them, and bytes of their envelopes.
    pub(crate) named: Vec<(Key, usize)>,
    pub(crate) missing: u64,
    /// Where the key range of a page goes on: after this key, or nowhere.
    pub(crate) next: Option<(usize, Option<String>)>,
    /// Keys whose values L2 should have, as L3 says.
    elsewhere: Vec<Key>,
}

impl View<'_> {
    /// What the next reading may rest on.
    ///
    /// # Errors
    /// Also when another configuration has come into force: what L3 says may be worth nothing any more, and under an
    /// as-of position from after that it would be believed.
    pub(crate) async fn ground(&self) -> Result<Ground, CacheError> {
        let as_of = self.as_of();
        self.in_force().map_err(|_| CacheError::Contended)?;
        self.learn_open_invalidations(true, self.setup.config.l1_config.coherence_window_ms).await?;
        Ok(Ground { as_of, asked_ms: self.clock.now_ms() })
    }

    /// Reads a batch. With `name` it says of entries that only L2 has what they are called and how large they are, which
    /// costs a command for each.
    pub(crate) async fn find(&self, batch: &Batch<'_>, name: bool) -> Result<Piece, CacheError> {
        match self.source_of_truth() {
            SourceOfTruth::L3 => self.find_in_l3(batch).await,
            SourceOfTruth::L2 => Ok(self.find_in_l2(batch, name).await?),
        }
    }

    async fn find_in_l3(&self, batch: &Batch<'_>) -> Result<Piece, CacheError> {
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
            Batch::Page { number, selector, key_range, after, size } => {
                let search = Search { key_range: *key_range, after: after.as_deref(), tags: false };
                let (rows, next) = self.store.load_page(search, *size).await?;
                let rows = rows.into_iter().filter(|(key, _)| selector.admits(key.as_str()));
                rows.for_each(|(key, row)| piece.add(key, row));
                piece.next = Some((*number, next));
            }
            Batch::One(key) => match self.store.load(key).await {
                Ok(Stored::Gone) => piece.missing = 1,
                Ok(row) => piece.add(key.clone(), row),
                // One value that cannot be read must not keep the others from being loaded.
                Err(L3Error::Failed(cause)) if !self.store.is_paused() => {
                    tracing::warn!(%cause, "a value is not read");
                    piece.single.push(key.clone());
                }
                Err(error) => return Err(error.into()),
            },
        }
        let elsewhere = std::mem::take(&mut piece.elsewhere);
        let there = self.live_in_l2(by_shard(&elsewhere)).await?.len();
        piece.there = there as u64;
        piece.missing += (elsewhere.len() - there) as u64;
        Ok(piece)
    }

    async fn find_in_l2(&self, batch: &Batch<'_>, name: bool) -> Result<Piece, Down> {
        let mut piece = Piece::default();
        let live = match batch {
            Batch::Keys(keys) => {
                let live = self.live_in_l2(by_shard(keys)).await?;
                piece.missing = (keys.len() - live.len()) as u64;
                live
            }
            Batch::Page { number, selector, key_range, after, size } => {
                let page = Page { key_range: *key_range, after: after.as_deref(), limit: *size };
                let mut page = keys(self.ask(self.setup.copies.page(&page)).await?)?;
                piece.next = Some((*number, page.last().filter(|_| page.len() == *size).cloned()));
                page.retain(|key| selector.admits(key));
                self.live_in_l2(vec![(key_range.shard, page)]).await?
            }
            Batch::One(key) => {
                let live = self.live_in_l2(by_shard(std::slice::from_ref(key))).await?;
                piece.missing = u64::from(live.is_empty());
                live
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
    async fn live_in_l2(&self, keys: Vec<(u64, Vec<String>)>) -> Result<Vec<String>, Down> {
        let operation = self.bulk_operation();
        let look =
            |(shard, keys): &(u64, Vec<String>)| self.setup.copies.evict(operation, *shard, &Eviction::default(), keys);
        let keys: Vec<_> = keys.into_iter().filter(|(_, keys)| !keys.is_empty()).collect();
        let replies = self.bulk(keys.iter().map(look).collect()).await?;
        let mut found = Vec::new();
        for ((_, keys), reply) in keys.into_iter().zip(replies) {
            let live = evicted(reply, keys.len())?.ok_or(Down::Odd("the operation took too long"))?;
            found.extend(keys.into_iter().zip(live).filter_map(|(key, live)| live.map(|_| key)));
        }
        Ok(found)
    }
}

impl Batch<'_> {
    /// How many keys of a job's list it is.
    pub(crate) fn listed(&self) -> usize {
        match self {
            Batch::Keys(keys) => keys.len(),
            Batch::Page { .. } | Batch::One(_) => 0,
        }
    }
}

impl Piece {
    /// Takes in what L3 has of a key. A tombstone that a page meets is nothing that anybody asked for.
    fn add(&mut self, key: Key, row: Stored) {
        match row {
            Stored::Value(envelope, owner) => self.values.push((key, envelope, owner)),
            Stored::Large => self.single.push(key),
            Stored::Stub => self.elsewhere.push(key),
            Stored::Gone => {}
        }
    }
}

fn by_shard(keys: &[Key]) -> Vec<(u64, Vec<String>)> {
    let of = |number| keys.iter().filter(move |key| shard(key.as_str()) == number).map(Key::to_string).collect();
    (0..SHARDS).map(|number| (number, of(number))).collect()
}
