//! A GET that DynamoDB answers, and a PUT into all levels, beside the bare requests with the same clients: what
//! conditions, certificates, the journal and the envelope add to what has to be done anyway.
//!
//! What a PUT takes depends on what was there before, so each is of an entry that has been made ready for it, for both
//! sides alike.

use crate::{
    engines::connect,
    event,
    invalidate::tenant::{copy_name, partition},
    level2::put,
    report::{Row, Section, Unit},
    stats::{PREPARED_TURNS, in_turns, prepared_in_turns},
};
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use redis::{AsyncCommands, RedisResult, aio::MultiplexedConnection};
use std::{cell::Cell, collections::HashMap, error::Error, hint::black_box, process};
use strata_cache::settings::Settings;
use strata_cache::{Config, Deployment, Key, Level, Levels, Put, Read, TieredCache};
use tokio::runtime::{self, Runtime};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "level3";
/// The levels that every PUT must reach.
const SHARED: Levels = Levels::NONE.with(Level::L2).with(Level::L3);
/// What a GET may take, and a PUT.
const GET_AIM: &str = "≤ 1.15×";
const PUT_AIM: &str = "≤ 1.3×";

/// Measures with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let bench = Bench::open()?;
    let tags = put().tags.len();
    let tagged = format!("{tags} tags");
    let rows = vec![
        bench.get(),
        bench.get_past_redis(),
        bench.put_new("no tag", untagged),
        bench.put_new(&tagged, put),
        bench.put_over("no tag", untagged),
        bench.put_over(&tagged, put),
    ];
    Ok(Section {
        title: "A GET answered by DynamoDB, and a PUT into all levels".into(),
        baseline: "a consistent GetItem, for a GET past Redis between GET and SET; PutItem of the same row, and after \
            it SET; each with the same client"
            .into(),
        rows,
    })
}

fn untagged() -> Put {
    put().tags([""; 0])
}

struct Bench {
    runtime: Runtime,
    /// Reads and writes all levels.
    cache: TieredCache,
    /// Reads DynamoDB alone.
    rows: TieredCache,
    /// Reads Redis and DynamoDB.
    shared: TieredCache,
    bare: Bare,
    key: Key,
    /// How many keys there have been.
    keys: Cell<usize>,
}

impl Bench {
    fn open() -> Result<Bench, Box<dyn Error>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let Settings { config, deployment, .. } = Settings::from_env()?;
        let key = Key::new(event::KEY)?;
        let cache = TieredCache::open(deployment.clone(), config.clone())?;
        runtime.block_on(cache.put(&key, put()))?;
        let bare = runtime.block_on(Bare::open(&config, &key))?;
        let rows = without(deployment.clone(), config.clone(), &[Level::L1, Level::L2])?;
        let shared = without(deployment, config, &[Level::L1])?;
        Ok(Bench { runtime, cache, rows, shared, bare, key, keys: Cell::new(0) })
    }

    /// A key that there has not been, also in the tables that another process has measured.
    fn new_key(&self) -> Key {
        self.keys.set(self.keys.get() + 1);
        let key = format!("order:{}:{:06}", process::id(), self.keys.get());
        Key::new(key).expect("a short text without control characters is a key")
    }

    fn get(&self) -> Row {
        let bare = || assert!(self.runtime.block_on(self.bare.get_item()).is_some(), "the row was put before");
        let (strata, baseline) = in_turns(|| self.read(&self.rows), bare);
        Row::new("GET from L3, L2 switched off", Unit::Microseconds, strata).beside(baseline).aim(GET_AIM)
    }

    /// Of an entry whose copy Redis has evicted: it has one again afterwards.
    fn get_past_redis(&self) -> Row {
        let (strata, baseline) = prepared_in_turns(
            PREPARED_TURNS,
            || self.runtime.block_on(self.bare.evict(&self.key)).expect("Redis answered just now"),
            |()| self.read(&self.shared),
            |()| self.runtime.block_on(self.bare.get_aside()).expect("Redis answered just now"),
        );
        Row::new("GET from L3, which L2 takes a copy of", Unit::Microseconds, strata).beside(baseline).aim(GET_AIM)
    }

    /// Reads the entry, which L3 must answer.
    fn read(&self, cache: &TieredCache) {
        let lookup = self.runtime.block_on(cache.get(&self.key, Read::default())).expect("DynamoDB answered just now");
        assert!(lookup.hit.is_some_and(|hit| hit.level == Level::L3), "the value is not from DynamoDB");
    }

    fn put_new(&self, what: &str, put: fn() -> Put) -> Row {
        self.put(format!("PUT of a new entry, {what}"), put, || self.new_key())
    }

    fn put_over(&self, what: &str, new: fn() -> Put) -> Row {
        let tagged = || {
            let key = self.new_key();
            self.write(&key, put());
            self.runtime.block_on(self.bare.put(&key));
            key
        };
        self.put(format!("PUT over an entry with {} tags, {what}", put().tags.len()), new, tagged)
    }

    fn put(&self, what: String, put: fn() -> Put, key: impl FnMut() -> Key) -> Row {
        let (strata, baseline) = prepared_in_turns(
            PREPARED_TURNS,
            key,
            |key| self.write(key, put()),
            |key| self.runtime.block_on(self.bare.put(key)),
        );
        Row::new(what, Unit::Microseconds, strata).beside(baseline).aim(PUT_AIM)
    }

    /// Puts an entry, which both shared levels must take.
    fn write(&self, key: &Key, put: Put) {
        let stored = self.runtime.block_on(self.cache.put(key, put)).expect("DynamoDB and Redis answered just now");
        assert!(!stored.degraded && stored.levels.and(SHARED) == SHARED, "an entry is in {:?} only", stored.levels);
    }
}

/// A cache without some levels.
fn without(deployment: Deployment, mut config: Config, levels: &[Level]) -> Result<TieredCache, Box<dyn Error>> {
    config.l1_config.enabled = !levels.contains(&Level::L1);
    config.l2_config.enabled = !levels.contains(&Level::L2);
    Ok(TieredCache::open(deployment, config)?)
}

/// The clients alone, and the row that the library has written.
struct Bare {
    dynamo: Client,
    redis: MultiplexedConnection,
    config: Config,
    row: HashMap<String, AttributeValue>,
}

/// Where the baseline has its copy in Redis, and where it has none.
const COPY: &str = "bare";
const NO_COPY: &str = "evicted";

impl Bare {
    async fn open(config: &Config, key: &Key) -> Result<Bare, Box<dyn Error>> {
        let dynamo = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
        let redis = connect(config.l2_config.redis_url.expose()).await?;
        let mut bare = Bare { dynamo, redis, config: config.clone(), row: name(key.as_str(), key) };
        bare.row = bare.get_item().await.ok_or("the library has left no row")?;
        Ok(bare)
    }

    async fn get_item(&self) -> Option<HashMap<String, AttributeValue>> {
        let get = self.dynamo.get_item().table_name(&self.config.l3_config.table_name).consistent_read(true);
        let key = ["pk", "sk"].map(|name| (name.to_owned(), self.row[name].clone()));
        get.set_key(Some(key.into())).send().await.expect("DynamoDB answered just now").item
    }

    /// What a cache does by itself that has nothing: looks, reads, and keeps what it has read.
    async fn get_aside(&self) -> RedisResult<()> {
        let found: Option<String> = self.redis.clone().get(NO_COPY).await?;
        assert!(found.is_none() && self.get_item().await.is_some(), "the row is in DynamoDB alone");
        self.redis.clone().set(COPY, &put().value.text()[..]).await
    }

    /// Takes the library's copy of an entry out of Redis, as an eviction does.
    async fn evict(&self, key: &Key) -> RedisResult<()> {
        self.redis.clone().unlink(copy_name(&self.config.l2_config.key_prefix, key)).await
    }

    /// Writes the row beside the library's of this key, which takes no older versions.
    async fn put(&self, key: &Key) {
        let mut row = self.row.clone();
        row.extend(name(&format!("{}-bare", key.as_str()), key));
        let write = self.dynamo.put_item().table_name(&self.config.l3_config.table_name).set_item(Some(row));
        black_box(write.send().await.expect("DynamoDB answered just now"));
        self.redis.clone().set::<_, _, ()>(COPY, &put().value.text()[..]).await.expect("Redis answered just now");
    }
}

/// The name of a row in the partition of `key`.
fn name(sort: &str, key: &Key) -> HashMap<String, AttributeValue> {
    let text = |name: &str, value| (name.to_owned(), AttributeValue::S(value));
    [text("pk", partition(key)), text("sk", sort.to_owned())].into()
}
