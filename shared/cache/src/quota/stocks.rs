//! What a container knows of the stocks of API keys: what it was told, and what it has itself added since.

use super::{Quotas, Stock};
use crate::shard::{SHARDS, shard};
use std::{collections::HashMap, sync::Arc};

/// For so long a stock that was asked for may be relied on, in ms.
const FRESH_MS: i64 = 10_000;
/// Most API keys a container keeps in mind. When there are more all are forgotten that nothing is under way for, and asked
/// for again.
const MOST_KEYS: usize = 1000;
/// Most API keys whose stock one sync asks for on behalf of promotions.
const MOST_WANTED: usize = 4;

/// A stock by shards.
pub(crate) type ByShard = [Stock; SHARDS as usize];

/// What a container knows of the stocks of the API keys it writes for.
#[derive(Debug)]
pub(crate) struct Stocks {
    quotas: Quotas,
    known: HashMap<Arc<str>, Known>,
    /// Those that the next sync is to ask for.
    wanted: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// When it was asked for last, if it was.
    asked_ms: Option<i64>,
    /// What the first shards have answered to a question whose others have not.
    told: Vec<Stock>,
    stock: ByShard,
    /// What this container has added since.
    added: ByShard,
    /// What it had admitted that may not have been in what it was told.
    pending: Stock,
    /// All that it has ever admitted, and what of that has ended since.
    admitted: Stock,
    ended: Stock,
}

/// What there is for a copy that is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// How much of the stock its shard may have; `None` without quotas.
    pub most: Option<Stock>,
    /// It is known that there is none, unless the copy takes the place of another.
    pub is_full: bool,
}

impl Known {
    fn is_fresh(&self, now_ms: i64) -> bool {
        self.asked_ms.is_some_and(|asked_ms| (0..FRESH_MS).contains(&(now_ms - asked_ms)))
    }

    fn sum(&self) -> Stock {
        self.stock.into_iter().sum()
    }

    /// What has been added to that, as far as this container knows.
    fn more(&self) -> Stock {
        self.added.into_iter().sum::<Stock>() + self.pending
    }
}

impl Stocks {
    pub(crate) fn new(quotas: Quotas) -> Stocks {
        Stocks { quotas, known: HashMap::new(), wanted: Vec::new() }
    }

    pub(crate) fn quotas(&self) -> Quotas {
        self.quotas
    }

    /// Whether the stock of `name` must be asked for before `more` is added to it; `seldom`, only where it may go over a quota.
    pub(crate) fn must_ask(&self, name: &str, more: Stock, seldom: bool, now_ms: i64) -> bool {
        if self.quotas == Quotas::default() {
            return false;
        }
        self.known.get(name).filter(|known| known.is_fresh(now_ms)).is_none_or(|known| {
            if seldom {
                self.quotas.allow(known.sum() + known.more(), Stock::default(), more).is_err()
            } else {
                !self.quotas.spare(known.sum(), known.more() + more)
            }
        })
    }

    /// What of that which was admitted has ended: whoever asks Redis now is told of it.
    pub(crate) fn ended(&self, name: &str) -> Stock {
        self.known.get(name).map_or(Stock::default(), |known| known.ended)
    }

    /// Takes in what was asked for when so much had [ended](Stocks::ended); returns the stock with what may not have been in
    /// that yet.
    pub(crate) fn learn(&mut self, name: &Arc<str>, stock: ByShard, ended: Stock, now_ms: i64) -> Stock {
        let known = self.known_of(name);
        known.asked_ms = Some(now_ms);
        known.pending = known.admitted.less(ended);
        (known.stock, known.added) = (stock, ByShard::default());
        known.sum() + known.pending
    }

    /// The same for one shard after the other, from the first one on.
    pub(crate) fn learn_of(&mut self, name: &Arc<str>, shard: u64, stock: Stock, ended: Stock, now_ms: i64) {
        let known = self.known_of(name);
        if shard == 0 {
            known.told.clear();
        }
        if known.told.len() as u64 == shard {
            known.told.push(stock);
        }
        if let Ok(stock) = ByShard::try_from(&known.told[..]) {
            known.told.clear();
            self.learn(name, stock, ended, now_ms);
        }
    }

    fn known_of(&mut self, name: &Arc<str>) -> &mut Known {
        if self.known.len() >= MOST_KEYS && !self.known.contains_key(name) {
            self.known.retain(|_, known| known.admitted != known.ended);
        }
        self.known.entry(Arc::clone(name)).or_default()
    }

    /// This container stores so much under a key, until that has [ended](Stocks::end).
    pub(crate) fn admit(&mut self, name: &Arc<str>, key: &str, more: Stock) {
        let known = self.known_of(name);
        known.admitted = known.admitted + more;
        known.add(key, more);
    }

    /// What was admitted is stored, or will not be.
    pub(crate) fn end(&mut self, name: &str, more: Stock) {
        if let Some(known) = self.known.get_mut(name) {
            known.ended = known.ended + more;
        }
    }

    /// The room for a copy that is to be promoted, which is counted as if it were there.
    pub(crate) fn take_room(&mut self, name: &Arc<str>, key: &str, more: Stock, now_ms: i64) -> Room {
        if self.quotas == Quotas::default() {
            return Room { most: None, is_full: false };
        }
        let quotas = self.quotas;
        let known = self.known_of(name);
        if !known.is_fresh(now_ms) {
            self.want(name);
            return Room { most: Some(quotas.part_of_shard()), is_full: false };
        }
        let own = place(key);
        let others = known.sum() + known.more();
        let others = others.less(known.stock[own] + known.added[own]);
        let is_full = quotas.allow(known.sum() + known.more(), Stock::default(), more).is_err();
        if !is_full {
            known.add(key, more);
            if !quotas.spare(known.sum(), known.more()) {
                self.want(name);
            }
        }
        Room { most: Some(quotas.left_of(others)), is_full }
    }

    fn want(&mut self, name: &Arc<str>) {
        if self.wanted.len() < MOST_WANTED && !self.wanted.contains(name) {
            self.wanted.push(Arc::clone(name));
        }
    }

    /// Whose stocks the sync that is sent now asks for, and what of each has ended.
    pub(crate) fn take_wanted(&mut self) -> Vec<(Arc<str>, Stock)> {
        std::mem::take(&mut self.wanted).into_iter().map(|name| (Arc::clone(&name), self.ended(&name))).collect()
    }
}

impl Known {
    fn add(&mut self, key: &str, more: Stock) {
        let own = &mut self.added[place(key)];
        *own = *own + more;
    }
}

fn place(key: &str) -> usize {
    usize::try_from(shard(key)).expect("a shard is a small number")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUOTAS: Quotas = Quotas { entries: 200, bytes: 0, index_bytes: 10_000 };

    fn stock(entries: u64, bytes: u64, index_bytes: u64) -> Stock {
        Stock { entries, bytes, index_bytes }
    }

    fn in_first(stock: Stock) -> ByShard {
        let mut all = ByShard::default();
        all[0] = stock;
        all
    }

    /// A key of that shard.
    fn key_of(number: u64) -> String {
        (0..).map(|i| format!("k:{i}")).find(|key| shard(key) == number).unwrap()
    }

    #[test]
    fn what_is_under_way_counts_until_redis_must_have_told_of_it() {
        let (mut stocks, name) = (Stocks::new(QUOTAS), Arc::from("n"));
        let one = stock(1, 1, 1);
        for _ in 0..3 {
            stocks.admit(&name, "k", one);
        }
        stocks.end("n", one);
        let asked = stocks.ended("n");
        stocks.end("n", one);
        assert_eq!(stocks.learn(&name, ByShard::default(), asked, 0), stock(2, 2, 2), "one may have come after");
        let asked = stocks.ended("n");
        assert_eq!(stocks.learn(&name, ByShard::default(), asked, 1), one);
        stocks.end("n", one);
        let asked = stocks.ended("n");
        assert_eq!(stocks.learn(&name, ByShard::default(), asked, 2), Stock::default());
    }

    #[test]
    fn a_promotion_has_the_room_that_the_other_shards_leave() {
        let (mut stocks, name, one) = (Stocks::new(QUOTAS), Arc::from("n"), stock(1, 1, 1));
        let (first, second) = (key_of(0), key_of(1));
        let most = |room: Room| room.most.unwrap();
        let unknown = stocks.take_room(&name, &first, one, 0);
        assert_eq!((most(unknown), unknown.is_full), (stock(12, u64::MAX, 625), false), "an equal part");
        assert_eq!(stocks.take_wanted(), [(Arc::clone(&name), Stock::default())]);
        stocks.learn(&name, in_first(stock(198, 5, 5)), Stock::default(), 0);
        assert_eq!(most(stocks.take_room(&name, &first, one, 0)), stock(200, u64::MAX, 10_000));
        assert_eq!(stocks.take_wanted().len(), 1, "a hundredth of what is left is less than one");
        assert_eq!(most(stocks.take_room(&name, &second, one, 0)), stock(1, u64::MAX, 9_994));
        let full = stocks.take_room(&name, &second, one, 0);
        assert!(full.is_full && stocks.take_wanted().len() == 1);
        assert!(stocks.take_room(&name, &second, one, 0).is_full && stocks.take_wanted().is_empty());
        let unbounded = Stocks::new(Quotas::default()).take_room(&name, "k", one, 0);
        assert_eq!(unbounded, Room { most: None, is_full: false });
    }

    #[test]
    fn a_container_asks_when_it_does_not_know_or_may_come_near() {
        let (mut stocks, name) = (Stocks::new(QUOTAS), Arc::from("n"));
        let one = stock(1, 1, 1);
        assert!(stocks.must_ask("n", one, false, 0));
        stocks.learn(&name, ByShard::default(), Stock::default(), 0);
        assert!(
            !stocks.must_ask("n", one, false, 9_999)
                && stocks.must_ask("n", one, false, 10_000)
                && stocks.must_ask("n", one, false, -1)
        );
        stocks.admit(&name, "k", one);
        assert!(!stocks.must_ask("n", one, false, 1), "two of two hundred");
        stocks.admit(&name, "k", one);
        assert!(stocks.must_ask("n", one, false, 1), "more than a hundredth of what is left");
        assert!(!stocks.must_ask("n", one, true, 1) && stocks.must_ask("n", stock(199, 0, 0), true, 1));
        stocks.learn(&name, in_first(stock(150, 0, 0)), Stock::default(), 1);
        assert!(stocks.must_ask("n", one, false, 1));
        assert!(!Stocks::new(Quotas::default()).must_ask("n", one, false, 0));
    }
}
