//! What an API key stores, and whether it may store more: asked for with the sync that a PUT begins with.

use super::{TieredCache, view::View};
use crate::{
    key::Key,
    level::{Level, Levels},
    lock::{Held, whole},
    outcome::{CacheError, Put},
    quota::{Quotas, Share, Stock, Stocks, name_of},
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
    pub(super) fn stocks(&self) -> Held<'_, Stocks> {
        self.stocks.enter(whole)
    }
}

impl View<'_> {
    /// What a PUT must ask Redis before it stores anything: nothing where it is known that there is room. `shared`: it has no
    /// sync of its own to ask with, and asks only where there may be no room.
    pub(super) fn stock_question(&self, key: &Key, put: &Put, named: Levels, shared: bool) -> Vec<Command> {
        let Some(name) = name_of(&put.api_key).filter(|_| self.uses(Level::L2) && named.has(Level::L2)) else {
            return Vec::new();
        };
        // An envelope is seldom longer than its text and tags, and this much.
        let most = Stock::one(key.as_str(), &put.tags, put.text.len() + 2 * put.tags.len() + 100);
        if !self.stocks().must_ask(&name, most, shared, self.clock.now_ms()) {
            return Vec::new();
        }
        self.setup.copies.stock(&name).chain([self.setup.copies.share(key.as_str())]).collect()
    }

    /// Whether a PUT that stores this share may go on, by what Redis answered. What is not known is allowed.
    pub(super) fn allow_share(&self, new: &Share, answers: &[Reply]) -> Result<(), CacheError> {
        if let Some(used) = self.learn_stock(&new.name, answers) {
            let old = share(answers[REPLIES - 1].clone(), &new.name, self.clock.now_ms());
            self.quotas().allow(used, old, new.stock).map_err(CacheError::OverQuota)?;
        }
        self.stocks().add(&new.name, new.stock);
        Ok(())
    }

    /// Takes in what Redis answered, if it was asked.
    pub(super) fn learn_stock(&self, name: &Arc<str>, answers: &[Reply]) -> Option<Stock> {
        if answers.len() != REPLIES {
            return None;
        }
        let used = read_stock(answers).inspect_err(|down| tracing::warn!(%down, "a stock is not known")).ok()?;
        self.stocks().learn(name, used, self.clock.now_ms());
        Some(used)
    }
}

/// Adds up the answers of all shards.
pub(super) fn read_stock(replies: &[Reply]) -> Result<Stock, Down> {
    let shards = replies.iter().take(REPLIES - 1);
    shards.cloned().try_fold(Stock::default(), |sum, reply| Ok(sum + stock(reply)?))
}
