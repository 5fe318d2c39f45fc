//! Redis: the L2 copies, and the journal that keeps every container coherent.
//!
//! Only this folder speaks to Redis. Its keys, all behind the deployment's prefix:
//!
//! | key | type | what |
//! |---|---|---|
//! | `{j}journal` | stream | the newest mutations of the fleet |
//! | `{j}meta` | hash | identity of the server, epoch, when outage notes were read last |
//! | `{e0}`…`{ef}` + `k:` + key | hash | a copy: envelope `e`, version `v`, stamp `a`, certified at `w`, reads `n`, last read `l` |
//! | `{e0}`…`{ef}` + `index` | sorted set | the keys of that shard, in order |
//!
//! Braces are Redis Cluster's hash tags: what one script touches lies in one slot, and entries spread over
//! sixteen of them.

mod copies;
mod journal;
mod link;
mod scripts;

pub(crate) use copies::{Copies, Done, Found, Outcome, Touch, WriteCopy, totals};
pub(crate) use journal::{HISTORY, Journal, SyncReply, appended};
pub(crate) use link::{Batch, Command, Down, Link, Order, Reply};

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

    pub(crate) fn copy(&self, key: &str) -> String {
        format!("{}{{e{:x}}}k:{key}", self.0, shard(key))
    }

    pub(crate) fn index(&self, shard: u64) -> String {
        format!("{}{{e{shard:x}}}index", self.0)
    }
}
