//! In whose stock copies are, and how much that is.

use super::{
    Copies,
    form::{self, WrittenShare},
};
use crate::{
    quota::{Share, Stock},
    redis::{Down, link::read, scripts},
    shard::SHARDS,
};
use redis::{Cmd, Value};
use std::sync::Arc;

impl Copies {
    /// The commands that ask for the stock of the API key that `name` stands for, one for each shard.
    pub(crate) fn stock(&self, name: &str) -> impl Iterator<Item = Cmd> {
        (0..SHARDS).map(move |shard| self.stock_in(shard, name))
    }

    /// The one of them that asks one shard.
    pub(crate) fn stock_in(&self, shard: u64, name: &str) -> Cmd {
        scripts::STOCK.call(&[self.keys.book(shard, name)])
    }

    /// The command that asks in whose stock the copy of `key` is.
    pub(crate) fn share(&self, key: &str) -> Cmd {
        self.beginning(key, form::MOST_OF_SHARE)
    }
}

/// A share as scripts read it; nothing where it has no name.
pub(super) fn written(share: &Share) -> Vec<u8> {
    let [bytes, index_bytes] = [share.stock.bytes, share.stock.index_bytes].map(number);
    [&name_in(&share.name)[..], &bytes, &index_bytes].concat()
}

/// How much of a stock a shard may have, as scripts read it.
pub(super) fn bound(most: Stock) -> Vec<u8> {
    [most.entries, most.bytes, most.index_bytes].map(number).concat()
}

fn number(number: u64) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}

/// A name of hexadecimal digits, in bytes.
fn name_in(name: &str) -> [u8; 16] {
    u128::from_str_radix(name, 16).expect("a name is made of 32 digits").to_be_bytes()
}

/// Reads the reply to one command of [`Copies::stock`].
pub(crate) fn stock(reply: Value) -> Result<Stock, Down> {
    let (entries, bytes, index_bytes) = read(reply, "a stock")?;
    Ok(Stock { entries, bytes, index_bytes })
}

/// Reads the reply to [`Copies::share`]: by what name the API key goes in whose stock the copy is.
pub(crate) fn owner(reply: Value) -> Option<Arc<str>> {
    let share = read_share(reply)?;
    Some(format!("{:032x}", u128::from_be_bytes(share.name)).into())
}

/// Reads the reply to [`Copies::share`]: what of the stock of `name` the copy is; nothing where it is another's.
pub(crate) fn share(reply: Value, name: &str, now_ms: i64) -> Stock {
    let counts =
        |share: &WrittenShare| share.name == name_in(name) && share.till.saturating_mul(1000) > now_ms.unsigned_abs();
    let share = read_share(reply).filter(counts);
    share.map_or(Stock::default(), |WrittenShare { bytes, index_bytes, .. }| Stock { entries: 1, bytes, index_bytes })
}

fn read_share(reply: Value) -> Option<WrittenShare> {
    form::Beginning::of(form::text(reply).ok()?)?.share
}
