//! What an API key stores, and whether it may store more: asked together with the sync that a PUT begins with.

use crate::tiered::{TieredCache, view::View};
use crate::{
    key::Key,
    level::{Level, Levels},
    lock::{Held, whole},
    outcome::CacheError,
    patch::Patch,
    put::Put,
    quota::{ByShard, OverQuota, Quotas, Share, Stock, Stocks, name_of},
    redis::{Command, Down, Reply, WriteCopy, share, stock},
    shard::SHARDS,
};
use std::sync::Arc;

/// How many replies the question for a stock has: one of each shard, and what the key has now.
const REPLIES: usize = SHARDS as usize + 1;

impl TieredCache {
    /// What may be stored for each API key.
    pub fn quotas(&self) -> Quotas {
        self.stocks().quotas()
    }

    /// A panic leaves at most one answer out.
    pub(crate) fn stocks(&self) -> Held<'_, Stocks> {
        self.stocks.enter(whole)
    }
}

/// What Redis is asked about a stock.
pub(crate) struct StockQuestion {
    pub(crate) commands: Vec<Command>,
    /// What had ended when it was asked.
    pub(crate) ended: Stock,
}

/// A PUT that a quota allows, and that counts until it has ended.
pub(crate) struct Admitted<'a> {
    cache: &'a TieredCache,
    share: Share,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.cache.stocks().end(&self.share.name, self.share.stock);
    }
}

impl View<'_> {
    /// What a PUT must ask Redis before it stores anything: nothing where it is known that there is room. `shared`: it has no
    /// sync of its own to ask with, and asks only where there may be no room.
    pub(crate) fn stock_question(&self, key: &Key, put: &Put, named: Levels, shared: bool) -> StockQuestion {
        // An envelope is seldom longer than its text and tags, and this much.
        let most = Stock::one(key.as_str(), &put.tags, put.value.text().len() + 2 * put.tags.len() + 100);
        let ended = name_of(&put.api_key).map_or(Stock::default(), |name| self.stocks().ended(&name));
        StockQuestion { commands: self.question(key, &put.api_key, most, named, shared), ended }
    }

    /// The same for a PATCH, which adds tags at most.
    pub(crate) fn stock_question_of_patch(&self, key: &Key, patch: &Patch) -> Vec<Command> {
        self.question(key, &patch.api_key, Stock::one(key.as_str(), &patch.add_tags, 0), Levels::ALL, false)
    }

    fn question(&self, key: &Key, api_key: &str, most: Stock, named: Levels, shared: bool) -> Vec<Command> {
        let Some(name) = name_of(api_key).filter(|_| self.uses(Level::L2) && named.has(Level::L2)) else {
            return Vec::new();
        };
        if !self.stocks().must_ask(&name, most, shared, self.clock.now_ms()) {
            return Vec::new();
        }
        self.setup.copies.stock(&name).chain([self.setup.copies.share(key.as_str())]).collect()
    }

    /// Whether a PUT that stores this share may go on, by what Redis answered when so much had ended; it counts for as long
    /// as what is returned is kept. What is not known is allowed.
    pub(crate) fn allow_share(
        &self,
        key: &Key,
        new: &Share,
        answers: &[Reply],
        ended: Stock,
    ) -> Result<Admitted<'_>, CacheError> {
        if let Some(used) = self.learn_stock(&new.name, answers, ended) {
            let old = share(answers[REPLIES - 1].clone(), &new.name, self.clock.now_ms());
            let allowed = self.quotas().allow(used, old, new.stock);
            let over = |OverQuota { quota, used, limit }| CacheError::OverQuota { quota: quota.name(), used, limit };
            allowed.map_err(over)?;
        }
        self.stocks().admit(&new.name, key.as_str(), new.stock);
        Ok(Admitted { cache: self, share: new.clone() })
    }

    /// The same where what has ended since Redis was asked is taken to be in its answer.
    pub(crate) fn allow_share_now(
        &self,
        key: &Key,
        new: &Share,
        answers: &[Reply],
    ) -> Result<Admitted<'_>, CacheError> {
        let ended = self.stocks().ended(&new.name);
        self.allow_share(key, new, answers, ended)
    }

    /// Takes in what Redis answered, if it was asked, when so much had ended; returns the stock with what it may not know
    /// of yet.
    pub(crate) fn learn_stock(&self, name: &Arc<str>, answers: &[Reply], ended: Stock) -> Option<Stock> {
        if answers.len() != REPLIES {
            return None;
        }
        let stock = by_shard(answers).inspect_err(|down| tracing::warn!(%down, "a stock is not known")).ok()?;
        Some(self.stocks().learn(name, stock, ended, self.clock.now_ms()))
    }

    /// Bounds a copy that is to be promoted by the room that there is; returns whether it may find some, or takes the place
    /// of another.
    pub(crate) fn make_room(&self, copy: &mut WriteCopy<'_>) -> bool {
        let Some(share) = &copy.share else { return true };
        let room = self.stocks().take_room(&share.name, copy.key, share.stock, self.clock.now_ms());
        copy.room = room.most;
        !room.is_full || copy.distrusted.is_some()
    }

    /// The commands that ask for stocks which promotions want to know, with what each reply is of.
    pub(crate) fn wanted_stocks(&self) -> Vec<(Command, Stocktaking)> {
        let wanted = self.stocks().take_wanted();
        let asked = wanted.into_iter().flat_map(|(name, ended)| {
            (0..SHARDS).map(move |shard| Stocktaking { name: Arc::clone(&name), shard, ended })
        });
        asked.map(|asked| (self.setup.copies.stock_in(asked.shard, &asked.name), asked)).collect()
    }

    /// Takes in the reply of one shard.
    pub(crate) fn take_stock(&self, asked: &Stocktaking, reply: Reply) {
        match stock(reply) {
            Ok(stock) => self.stocks().learn_of(&asked.name, asked.shard, stock, asked.ended, self.clock.now_ms()),
            Err(down) => tracing::debug!(%down, "a stock is not known"),
        }
    }
}

/// A question for the stock of an API key in one shard.
#[derive(Debug)]
pub(crate) struct Stocktaking {
    name: Arc<str>,
    shard: u64,
    ended: Stock,
}

fn by_shard(replies: &[Reply]) -> Result<ByShard, Down> {
    let mut all = ByShard::default();
    for (own, reply) in all.iter_mut().zip(replies) {
        *own = stock(reply.clone())?;
    }
    Ok(all)
}

/// Adds up the answers of all shards.
pub(crate) fn read_stock(replies: &[Reply]) -> Result<Stock, Down> {
    Ok(by_shard(replies)?.into_iter().sum())
}
