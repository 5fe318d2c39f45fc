//! Quotas: how much of L2 one API key may fill.
//!
//! What an API key stores is its *stock*: the entries it has put into L2 that have neither expired nor been removed or
//! replaced, by whomever. The scripts that write and remove copies keep the books, in the step in which they do that. A PUT
//! begins with a sync, which brings the stock along where the container has not asked for it lately, or where it may be
//! near a quota; no round trip is made for it.
//!
//! # What holds
//!
//! - A PUT that makes what it replaces smaller, or removes, is never refused; nor is one while the stock is not known: Redis
//!   cannot be asked, or has lost the book.
//! - A container counts what it has itself admitted, also before Redis says so: many PUTs at once, of a batch for instance,
//!   find together what room there is.
//! - With N containers that write for an API key, the stock is over a quota by at most the PUTs that are under way in others
//!   at one time, and N hundredths of the quota (`PARTS`).
//! - What is promoted from L3 finds room or stays where it is: the script that writes a copy sees what its shard has, and is
//!   told how much that may be, by what the container knows of the others; where it knows nothing, an equal part. Where it
//!   knows little, the next sync brings the stock along.
//! - An entry counts for at most an eighth of its life longer than it lives. One that Redis evicts counts until then, or until
//!   maintenance has counted.

mod stocks;

pub(crate) use self::stocks::{ByShard, Stocks};

use crate::{entry::Entry, key::Key, limits::name, shard::SHARDS};
use std::{iter::Sum, ops::Add, sync::Arc};

/// What a copy takes beside its envelope, its key and its tags, in bytes: at most, of texts up to 1,000 bytes, measured with
/// Redis 7.0 and Valkey 9.1.
const COPY_BYTES: u64 = 320;
/// What a member of an index takes beside its text: at most, measured with Redis 7.0.
const MEMBER_BYTES: u64 = 120;
/// Most bytes of a tag that the list of all has.
const LISTED_BYTES: u64 = 59;
/// A container may add so large a part of what is left of a quota before it asks again.
const PARTS: u64 = 100;

/// What may be stored for one API key. 0 means no quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quotas {
    /// Entries.
    pub entries: u64,
    /// Bytes of Redis that their copies take, estimated from their sizes.
    pub bytes: u64,
    /// Bytes of Redis that their index entries, by key and by tag, take; also an estimate.
    pub index_bytes: u64,
}

/// What is stored for one API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Entries.
    pub entries: u64,
    /// Bytes of Redis that their copies take, as far as can be told from their sizes.
    pub bytes: u64,
    /// Bytes of Redis that their index entries take; also an estimate.
    pub index_bytes: u64,
}

/// One of the quotas, by its name in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// Of entries.
    Entries,
    /// Of bytes of copies.
    Bytes,
    /// Of bytes of indexes.
    IndexBytes,
}

/// A quota that a PUT would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// Which one.
    pub quota: Quota,
    /// What it allows.
    pub limit: u64,
    /// What is stored.
    pub used: u64,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Quota; 3] = [Quota::Entries, Quota::Bytes, Quota::IndexBytes];

    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Quota::Entries => "entries",
            Quota::Bytes => "bytes",
            Quota::IndexBytes => "index_bytes",
        }
    }
}

impl Quotas {
    /// The quota; `None` where there is none.
    pub const fn of(&self, quota: Quota) -> Option<u64> {
        let limit = match quota {
            Quota::Entries => self.entries,
            Quota::Bytes => self.bytes,
            Quota::IndexBytes => self.index_bytes,
        };
        if limit == 0 { None } else { Some(limit) }
    }

    fn each(&self) -> impl Iterator<Item = (Quota, u64)> {
        Quota::ALL.into_iter().filter_map(|quota| Some((quota, self.of(quota)?)))
    }

    /// Whether `new` may take the place of `old` in a stock, which has that.
    pub(crate) fn allow(&self, stock: Stock, old: Stock, new: Stock) -> Result<(), OverQuota> {
        let over = self.each().find_map(|(quota, limit)| {
            let [used, old, new] = [stock, old, new].map(|stock| stock.of(quota));
            let wanted = used.saturating_sub(old).saturating_add(new);
            (new > old && wanted > limit).then_some(OverQuota { quota, limit, used })
        });
        over.map_or(Ok(()), Err)
    }

    /// What is left for one shard where all others have so much; no bound where there is no quota.
    fn left_of(&self, others: Stock) -> Stock {
        let left = |quota, used: u64| self.of(quota).map_or(u64::MAX, |limit| limit.saturating_sub(used));
        Stock {
            entries: left(Quota::Entries, others.entries),
            bytes: left(Quota::Bytes, others.bytes),
            index_bytes: left(Quota::IndexBytes, others.index_bytes),
        }
    }

    /// An equal part of each quota for a shard; no bound where there is none.
    fn part_of_shard(&self) -> Stock {
        let part = |quota| self.of(quota).map_or(u64::MAX, |limit| limit / SHARDS);
        Stock { entries: part(Quota::Entries), bytes: part(Quota::Bytes), index_bytes: part(Quota::IndexBytes) }
    }

    /// Whether so much may be added to a stock without asking for it again: a small part of what is left.
    fn spare(&self, stock: Stock, added: Stock) -> bool {
        self.each().all(|(quota, limit)| added.of(quota) <= limit.saturating_sub(stock.of(quota)) / PARTS)
    }
}

impl Stock {
    /// What one entry takes whose envelope has so many bytes.
    pub(crate) fn one<'a>(key: &str, tags: impl IntoIterator<Item = &'a Arc<str>>, envelope: usize) -> Stock {
        let (mut count, mut tag_bytes, mut listed_bytes) = (0, 0, 0);
        for tag in tags {
            count += 1;
            tag_bytes += tag.len() as u64 + 1;
            listed_bytes += LISTED_BYTES.min(tag.len() as u64) + 1;
        }
        let key = key.len() as u64;
        Stock {
            entries: 1,
            bytes: envelope as u64 + key + tag_bytes + COPY_BYTES,
            // A tag stands in the list of all of them as well, as if nothing else had it.
            index_bytes: (1 + count) * (key + MEMBER_BYTES) + count * MEMBER_BYTES + listed_bytes,
        }
    }

    /// How much of it a quota is about.
    pub const fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::Entries => self.entries,
            Quota::Bytes => self.bytes,
            Quota::IndexBytes => self.index_bytes,
        }
    }

    fn less(self, other: Stock) -> Stock {
        Stock {
            entries: self.entries.saturating_sub(other.entries),
            bytes: self.bytes.saturating_sub(other.bytes),
            index_bytes: self.index_bytes.saturating_sub(other.index_bytes),
        }
    }
}

impl Sum for Stock {
    fn sum<I: Iterator<Item = Stock>>(stocks: I) -> Stock {
        stocks.fold(Stock::default(), Add::add)
    }
}

impl Add for Stock {
    type Output = Stock;

    fn add(self, more: Stock) -> Stock {
        Stock {
            entries: self.entries.saturating_add(more.entries),
            bytes: self.bytes.saturating_add(more.bytes),
            index_bytes: self.index_bytes.saturating_add(more.index_bytes),
        }
    }
}

/// Whose stock a copy is in, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Stands for the API key where others can see it.
    pub name: Arc<str>,
    pub stock: Stock,
}

/// That of an entry, by the name of its API key, if it is in any stock.
pub(crate) fn share_of(name: Option<&Arc<str>>, key: &Key, entry: &Entry, envelope: usize) -> Option<Share> {
    Some(Share { name: Arc::clone(name?), stock: Stock::one(key.as_str(), &*entry.tags, envelope) })
}

/// What stands for an API key where its stock is kept.
pub(crate) fn name_of(api_key: &str) -> Option<Arc<str>> {
    (!api_key.is_empty()).then(|| name(api_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTAS: Quotas = Quotas { entries: 200, bytes: 0, index_bytes: 10_000 };

    fn stock(entries: u64, bytes: u64, index_bytes: u64) -> Stock {
        Stock { entries, bytes, index_bytes }
    }

    #[test]
    fn what_grows_over_a_quota_is_refused_and_what_shrinks_never_is() {
        let allow = |used, old, new| QUOTAS.allow(used, old, new).map_err(|over| (over.quota, over.used));
        let one = stock(1, 1_000_000, 100);
        assert_eq!(allow(stock(199, 0, 0), Stock::default(), one), Ok(()));
        assert_eq!(allow(stock(200, 0, 0), Stock::default(), one), Err((Quota::Entries, 200)));
        assert_eq!(allow(stock(900, 0, 50_000), one, one), Ok(()), "no larger than what it replaces");
        assert_eq!(allow(stock(9, 0, 9_950), one, stock(1, 0, 151)), Err((Quota::IndexBytes, 9_950)));
        assert_eq!(Quotas::default().allow(stock(u64::MAX, 1, 1), Stock::default(), one), Ok(()));
    }
}
