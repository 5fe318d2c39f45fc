//! Redis: the L2 copies, the journal that keeps every container coherent, and the count of the rate limits.
//!
//! Only this folder speaks to Redis. Its keys, all behind the deployment's prefix:
//!
//! | key | type | what |
//! |---|---|---|
//! | `{j}journal` | stream | the newest mutations of the fleet |
//! | `{j}open` | hash | invalidations that have not removed all they mean, by the position of their record |
//! | `{j}open:` + position | string | that one was closed by a later one that meant as much |
//! | `{j}index` | hash | what the index of the journal holds: its generations, its newest record, how many it has seen |
//! | `{j}index:` + number | hash | keys put or deleted in one generation, by their hash: greatest version, last position |
//! | `{j}index:sweeps` | stream | invalidations of those generations, at the positions of their records |
//! | `{j}index:named` | stream | the newest warm records |
//! | `{j}meta` | hash | identity of the server and what its cluster looked like, epoch, when outage notes were read last, the newest invalidation that was undone, the configuration document and when it switched a level |
//! | `{j}stats` | hash | what the fleet has counted, by name; `since` when that began; values in L3, and when those were counted last; keys evicted at two times; the greatest age of a copy that an audit found |
//! | `{j}stats:` + number | hash | the same of one minute only |
//! | `{j}census` | string | what the last census counted, by prefix |
//! | `{j}gauges` | hash | what L1 holds, by container: until when that counts, number of its last report, copies, bytes; and how much of it expires by when |
//! | `{e0}`…`{ef}` + `c:` + key | string | a copy, as `copies/form.rs` says |
//! | `{e0}`…`{ef}` + `k:` + key | hash | what releases before have kept as one; nobody reads it |
//! | `{e0}`…`{ef}` + `index` | sorted set | the keys of that shard, in order |
//! | `{e0}`…`{ef}` + `r:00`…`r:ff` | sorted set | which keys of that shard have which tags: the hash of a tag, its first two digits in the name, and a key |
//! | `{e0}`…`{ef}` + `q:` + hash of an API key | hash | its book: what it stores in that shard, by the second it is struck out |
//! | `{e0}`…`{ef}` + `p:` + hash of an API key | hash | the same as far as the sweep has counted |
//! | `{e0}`…`{ef}` + `f:` + key | string | who has the lease to fill that key |
//! | `{e0}`…`{ef}` + `w:` + key | sorted set | who waits for that, by until when |
//! | `{l:` + hash of an API key + `}waiting` | sorted set | who waits of that API key |
//! | `{e0}`…`{ef}` + `names` | set | whose books there are |
//! | `{e0}`…`{ef}` + `pass` | string | up to which key the sweep has counted |
//! | `{e0}`…`{ef}` + `trial` | string | what the status wrote to see whether that can be |
//! | `{e0}`…`{ef}` + `t:` | sorted set | the tags of that shard that some key has, in order |
//! | `{e0}`…`{ef}` + `both`, `o:`, `t:` + tag | string, sorted sets | how releases before have found keys by tag; nobody reads it |
//! | `{l:` + hash of an API key + `}` + class | hash | a rate limit: uses by second `u…`, permits lent by the second they end `l…` |
//! | the same + `:` + container | hash | number of its last report `report`, permits it was lent `lent`, their end `until` |
//!
//! Braces are Redis Cluster's hash tags: what one script touches lies in one slot, and entries spread over
//! sixteen of them.
//!
//! Copies expire by themselves. What finds them (`index`, `r:`) must not: where Redis is full it evicts what has a time to
//! live, and an invalidation would pass over the copies whose index is gone. So what comes into an index pays for a look at
//! some of what is there, and maintenance goes through all of it.

mod attempts;
mod connection;
mod copies;
mod down;
mod fills;
mod iam;
mod journal;
mod limits;
mod link;
mod listing;
mod meaning;
mod scripts;
#[cfg(feature = "in-memory")]
mod server;
mod stats;
mod target;

pub(crate) use connection::Order;
pub(crate) use copies::{
    Copies, Done, Eviction, Found, Life, Meant, Outcome, PAGE_KEYS, Page, Slice, Touch, WriteCopy, evicted, keys,
    owner, share, size, stock, totals, with_tags,
};
pub(crate) use down::Down;
pub(crate) use fills::{Leased, Wanted, enter, entered, leased, leave};
pub use iam::{CacheKind, Iam};
pub(crate) use journal::{
    Fields, From, Journal, Opened, Operation, PastReply, Question, appended, checked, closed, history, is_published,
    marked, open_now, opened,
};
pub(crate) use limits::Leases;
pub(crate) use link::{Batch, Command, Link, Reply, is_refused};
pub(crate) use listing::{Head, heads, is_by_hash, listed_prefix, tags_found};
#[cfg(feature = "in-memory")]
pub use server::{RedisLine, RedisServer};
pub(crate) use stats::{
    Evictions, Fleet, FleetTotals, Heap, MEMORY_MS, census, counted, drawn, is_counted, refusal, reported,
};
pub use target::RedisAccess;

use crate::{config::Config, shard::shard};
use std::sync::Arc;

/// Names every Redis key.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace(Arc<str>);

impl Keyspace {
    pub(crate) fn new(config: &Config) -> Keyspace {
        Keyspace(config.l2_config.key_prefix.as_str().into())
    }

    pub(crate) fn journal(&self) -> String {
        format!("{}{{j}}journal", self.0)
    }

    pub(crate) fn meta(&self) -> String {
        format!("{}{{j}}meta", self.0)
    }

    pub(crate) fn open(&self) -> String {
        format!("{}{{j}}open", self.0)
    }

    /// The index beside the journal, and what the names of its parts begin with.
    pub(crate) fn journal_index(&self) -> String {
        format!("{}{{j}}index", self.0)
    }

    pub(crate) fn stats(&self) -> String {
        format!("{}{{j}}stats", self.0)
    }

    pub(crate) fn census(&self) -> String {
        format!("{}{{j}}census", self.0)
    }

    pub(crate) fn gauges(&self) -> String {
        format!("{}{{j}}gauges", self.0)
    }

    /// What stands before a key in the name of its copy.
    pub(crate) fn copies(&self, shard: u64) -> String {
        self.shard(shard) + "c:"
    }

    pub(crate) fn copy(&self, key: &str) -> String {
        self.copies(shard(key)) + key
    }

    /// What stands before every name of a shard.
    pub(crate) fn shard(&self, shard: u64) -> String {
        format!("{}{{e{shard:x}}}", self.0)
    }

    pub(crate) fn index(&self, shard: u64) -> String {
        self.shard(shard) + "index"
    }

    /// The book of the API key that `name` stands for, in a shard.
    pub(crate) fn book(&self, shard: u64, name: &str) -> String {
        format!("{}q:{name}", self.shard(shard))
    }

    /// The limit of a class for the API key that `name` stands for.
    pub(crate) fn limit(&self, name: &str, class: &str) -> String {
        format!("{}{{l:{name}}}{class}", self.0)
    }
}
