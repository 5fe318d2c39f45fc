//! What an API key stores, and whether it may store more: asked together with the sync that a PUT begins with.

use crate::tiered::{TieredCache, view::View};
use crate::{
    key::Key,
    level::{Level, Levels},
    lock::{Held, whole},
    outcome::CacheError,
    patch::Patch,
    put::Put,
    quota::{OverQuota, Quotas, Share, Stock, Stocks, name_of},
    redis::{Command, Down, Reply, share, stock},
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

impl View<'_> {
    /// What a PUT must ask Redis before it stores anything: nothing where it is known that there is room. `shared`: it has no
    /// sync of its own to ask with, and asks only where there may be no room.
    pub(crate) fn stock_question(&self, key: &Key, put: &Put, named: Levels, shared: bool) -> Vec<Command> {
        // An envelope is seldom longer than its text and tags, and this much.
        let most = Stock::one(key.as_str(), &put.tags, put.value.text().len() + 2 * put.tags.len() + 100);
        self.question(key, &put.api_key, most, named, shared)
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

    /// Whether a PUT that stores this share may go on, by what Redis answered. What is not known is allowed.
    pub(crate) fn allow_share(&self, new: &Share, answers: &[Reply]) -> Result<(), CacheError> {
        if let Some(used) = self.learn_stock(&new.name, answers) {
            let old = share(answers[REPLIES - 1].clone(), &new.name, self.clock.now_ms());
            let allowed = self.quotas().allow(used, old, new.stock);
            let over = |OverQuota { quota, used, limit }| CacheError::OverQuota { quota: quota.name(), used, limit };
            allowed.map_err(over)?;
        }
        self.stocks().add(&new.name, new.stock);
        Ok(())
    }

    /// Takes in what Redis answered, if it was asked.
    pub(crate) fn learn_stock(&self, name: &Arc<str>, answers: &[Reply]) -> Option<Stock> {
        if answers.len() != REPLIES {
            return None;
        }
        let used = read_stock(answers).inspect_err(|down| tracing::warn!(%down, "a stock is not known")).ok()?;
        self.stocks().learn(name, used, self.clock.now_ms());
        Some(used)
    }
}

/// Adds up the answers of all shards.
pub(crate) fn read_stock(replies: &[Reply]) -> Result<Stock, Down> {
    let shards = replies.iter().take(REPLIES - 1);
    shards.cloned().try_fold(Stock::default(), |sum, reply| Ok(sum + stock(reply)?))
}
