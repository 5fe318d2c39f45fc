//! In whose stock copies are, and how much that is.

use super::Copies;
use crate::{
    quota::{Share, Stock},
    redis::{Down, link::read, scripts},
    shard::SHARDS,
};
use redis::{Cmd, Value, cmd};
use std::sync::Arc;

impl Copies {
    /// The commands that ask for the stock of the API key that `name` stands for, one for each shard.
    pub(crate) fn stock(&self, name: &str) -> impl Iterator<Item = Cmd> {
        (0..SHARDS).map(|shard| scripts::STOCK.call(&[self.keys.book(shard, name)]))
    }

    /// The command that asks in whose stock the copy of `key` is.
    pub(crate) fn share(&self, key: &str) -> Cmd {
        let mut read = cmd("HGET");
        read.arg(self.keys.copy(key)).arg("q");
        read
    }
}

/// A share as scripts read it.
pub(super) fn written(share: &Share) -> String {
    format!("{} {} {}", share.name, share.stock.bytes, share.stock.index_bytes)
}

/// Reads the reply to one command of [`Copies::stock`].
pub(crate) fn stock(reply: Value) -> Result<Stock, Down> {
    let (entries, bytes, index_bytes) = read(reply, "a stock")?;
    Ok(Stock { entries, bytes, index_bytes })
}

/// Reads the reply to [`Copies::share`]: by what name the API key goes in whose stock the copy is.
pub(crate) fn owner(reply: Value) -> Option<Arc<str>> {
    let said = read::<Option<String>>(reply, "a share").ok()??;
    said.split(' ').next().filter(|name| !name.is_empty()).map(Arc::from)
}

/// Reads the reply to [`Copies::share`]: what of the stock of `name` the copy is; nothing where it is another's.
pub(crate) fn share(reply: Value, name: &str, now_ms: i64) -> Stock {
    let said = read::<Option<String>>(reply, "a share").ok().flatten().unwrap_or_default();
    let mut words = said.split(' ');
    let is_own = words.next() == Some(name);
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
    let [till, bytes, index_bytes] = [number(), number(), number()];
    let counts = is_own && till.saturating_mul(1000) > now_ms.unsigned_abs();
    if counts { Stock { entries: 1, bytes, index_bytes } } else { Stock::default() }
}
