//! In-memory stand-ins for Redis and DynamoDB, for a program's tests and for the simulator.
//!
//! The rest of the cache is unchanged: it sends the same commands and requests to these. Only with the feature `in-memory`,
//! which must not be enabled in anything that is deployed.

pub use crate::{
    chance::seed,
    dynamo::DynamoServer,
    redis::{RedisLine, RedisServer},
};

use crate::{Config, Deployment, OpenError, TieredCache};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use strata_engines::{dynamo::Tables, redis::Redis};

/// The servers of a cache.
#[derive(Debug, Clone)]
pub struct Engines {
    /// Instead of Redis.
    pub redis: Arc<dyn RedisServer>,
    /// Instead of DynamoDB.
    pub dynamodb: Arc<dyn DynamoServer>,
}

impl Engines {
    /// Empty ones in memory, for caches with these table names. Caches that are given clones share them.
    pub fn in_memory(entries: &str, control: &str) -> Engines {
        let local = Local(Arc::new(Mutex::new((Redis::new(1), Tables::new([entries, control])))));
        Engines { redis: Arc::new(local.clone()), dynamodb: Arc::new(local) }
    }
}

impl TieredCache {
    /// A cache whose L2 and L3 are in this process's memory, empty and not shared with anybody: for a program's own tests. To
    /// have several containers share them, give each the same [`Deployment::engines`].
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn in_memory(config: Config) -> Result<TieredCache, OpenError> {
        let mut deployment = Deployment::new("cache_control");
        deployment.engines = Some(Engines::in_memory(&config.l3_config.table_name, &deployment.control_table));
        TieredCache::open(deployment, config)
    }
}

/// Both servers, with nothing between them and who asks.
#[derive(Debug, Clone)]
struct Local(Arc<Mutex<(Redis, Tables)>>);

impl Local {
    fn with<T>(&self, act: impl FnOnce(&mut Redis, &mut Tables) -> T) -> T {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (redis, tables) = &mut *servers;
        act(redis, tables)
    }
}

impl RedisServer for Local {
    fn connect(&self) -> BoxFuture<'static, io::Result<Arc<dyn RedisLine>>> {
        let line = self.clone();
        async { Ok(Arc::new(line) as Arc<dyn RedisLine>) }.boxed()
    }
}

impl RedisLine for Local {
    fn send(&self, commands: Vec<Vec<Vec<u8>>>) -> BoxFuture<'static, io::Result<Vec<redis::Value>>> {
        let replies = self.with(|redis, _| {
            let parts = commands.iter().map(|command| command.iter().map(Vec::as_slice).collect::<Vec<_>>());
            parts.map(|parts| redis.execute(now_us(), &parts)).collect()
        });
        async { Ok(replies) }.boxed()
    }
}

impl DynamoServer for Local {
    fn call(&self, target: String, body: Vec<u8>) -> BoxFuture<'static, io::Result<(u16, Vec<u8>)>> {
        let answer = self.with(|_, tables| tables.handle(now_us() / 1000, &target, &body));
        async { Ok(answer) }.boxed()
    }
}

/// What a server's own clock says.
#[expect(clippy::disallowed_methods, reason = "a server has a clock of its own")]
fn now_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}
