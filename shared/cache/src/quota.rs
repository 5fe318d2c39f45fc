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
//! - With N containers that write for an API key, the stock is over a quota by at most the PUTs that are under way at one
//!   time, and N hundredths of the quota (`PARTS`).
//! - An entry counts for at most an eighth of its life longer than it lives. One that Redis evicts counts until then, or until
//!   maintenance has counted.

use crate::{entry::Entry, key::Key, limits::name};
use std::{collections::HashMap, ops::Add, sync::Arc};

/// What a copy takes beside its envelope, its key and its tags, in bytes: at most, of texts up to 1,000 bytes, measured with
/// Redis 7.0 and Valkey 9.1.
const COPY_BYTES: u64 = 320;
/// What a member of an index takes beside its text: at most, measured with Redis 7.0.
const MEMBER_BYTES: u64 = 120;
/// Most bytes of a tag that the list of all has.
const LISTED_BYTES: u64 = 59;
/// For so long a stock that was asked for may be relied on, in ms.
const FRESH_MS: i64 = 10_000;
/// A container may add so large a part of what is left of a quota before it asks again.
const PARTS: u64 = 100;
/// Most API keys a container keeps in mind. When there are more all are forgotten, and asked for again.
const MOST_KEYS: usize = 1000;

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

/// What a container knows of the stocks of the API keys it writes for.
#[derive(Debug)]
pub(crate) struct Stocks {
    quotas: Quotas,
    known: HashMap<Arc<str>, Known>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    asked_ms: i64,
    stock: Stock,
    /// What this container has added since.
    added: Stock,
}

impl Stocks {
    pub(crate) fn new(quotas: Quotas) -> Stocks {
        Stocks { quotas, known: HashMap::new() }
    }

    pub(crate) fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// Whether the stock of `name` must be asked for before `more` is added to it; `seldom`, only where it may go over a quota.
    pub(crate) fn must_ask(&self, name: &str, more: Stock, seldom: bool, now_ms: i64) -> bool {
        if self.quotas == Quotas::default() {
            return false;
        }
        let known = self.known.get(name).filter(|known| (0..FRESH_MS).contains(&(now_ms - known.asked_ms)));
        known.is_none_or(|known| {
            if seldom {
                self.quotas.allow(known.stock + known.added, Stock::default(), more).is_err()
            } else {
                !self.quotas.spare(known.stock, known.added + more)
            }
        })
    }

    /// Takes in what was asked for.
    pub(crate) fn learn(&mut self, name: &Arc<str>, stock: Stock, now_ms: i64) {
        if self.known.len() >= MOST_KEYS {
            self.known.clear();
        }
        self.known.insert(Arc::clone(name), Known { asked_ms: now_ms, stock, added: Stock::default() });
    }

    /// This container has added so much.
    pub(crate) fn add(&mut self, name: &str, more: Stock) {
        if let Some(known) = self.known.get_mut(name) {
            known.added = known.added + more;
        }
    }
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

    #[test]
    fn a_container_asks_when_it_does_not_know_or_may_come_near() {
        let (mut stocks, name) = (Stocks::new(QUOTAS), Arc::from("n"));
        let one = stock(1, 1, 1);
        assert!(stocks.must_ask("n", one, false, 0));
        stocks.learn(&name, stock(0, 0, 0), 0);
        assert!(
            !stocks.must_ask("n", one, false, 9_999)
                && stocks.must_ask("n", one, false, 10_000)
                && stocks.must_ask("n", one, false, -1)
        );
        stocks.add("n", one);
        assert!(!stocks.must_ask("n", one, false, 1), "two of two hundred");
        stocks.add("n", one);
        assert!(stocks.must_ask("n", one, false, 1), "more than a hundredth of what is left");
        assert!(!stocks.must_ask("n", one, true, 1) && stocks.must_ask("n", stock(199, 0, 0), true, 1));
        stocks.learn(&name, stock(150, 0, 0), 1);
        assert!(stocks.must_ask("n", one, false, 1));
        assert!(!Stocks::new(Quotas::default()).must_ask("n", one, false, 0));
    }
}
