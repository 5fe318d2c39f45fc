//! A hundred operations at once: reads from each level and PUTs of new entries, beside the bare requests that do the same
//! with the same clients, as many of them at once; and the processor time of a batch beside that of one GET.

use crate::{
    counters::Work,
    engines::{Engines, connect},
    event,
    invalidate::tenant::{copy_name, partition},
    level2::put,
    process::Running,
    report::{Row, Section, Unit},
    stats::{FEW_TURNS, Summary, in_turns, prepared_in_turns},
    suites::Measured,
    whole::warm_up,
};
use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use futures_util::stream::{self, StreamExt};
use redis::aio::MultiplexedConnection;
use serde_json::json;
use std::{cell::Cell, collections::HashMap, error::Error, process, time::Duration};
use strata_cache::settings::Settings;
use strata_cache::{Attempt, Config, Deployment, Key, Level, Mutate, Mutated, Patience, Read, TieredCache};
use tokio::{
    runtime::{self, Runtime},
    time::Instant,
};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "batches";
/// Operations of a batch.
pub const OPERATIONS: usize = 100;
/// Requests that the bare clients have under way at once, as many as the library.
const AT_ONCE: usize = 34;
/// Batches over which round trips are counted.
const COUNTED: u32 = 50;
/// Turns in which each side answers [`PER_TURN`] requests.
const TURNS: usize = 20;
const PER_TURN: usize = 50;
/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);
/// More than all values have.
const MOST_BYTES: usize = 6 << 20;

type Item = HashMap<String, AttributeValue>;

/// The keys of a batch, the numbers of which begin at `first`.
fn keys(first: usize) -> Vec<Key> {
    let key = |number| Key::new(format!("batch:{}:{number:08}", process::id())).expect("a short text is a key");
    (first..first + OPERATIONS).map(key).collect()
}

/// The event of a batch of GETs of these keys.
pub fn gets(keys: &[String]) -> String {
    let operations: Vec<_> = keys.iter().map(|key| json!({"op": "get", "key": key})).collect();
    event::post("/cache/batch", &json!({ "operations": operations }))
}

/// Processor time of the function for a batch from L1; then the library in a process of its own, near its engines and
/// with the delays of AWS.
///
/// # Errors
/// When the function or an engine fails, or an answer comes from another level.
pub fn all(engines: &Engines) -> Measured {
    let function = Section {
        title: "A batch of 100 GETs answered by L1".into(),
        baseline: "one GET of the same function".into(),
        rows: vec![from_memory(engines)?],
    };
    let arguments = [NAME.to_owned()];
    let (near, far) = (engines.in_a_process(&arguments)?, engines.in_a_distant_process(&arguments)?);
    Ok([vec![function], near, far].concat())
}

fn from_memory(engines: &Engines) -> Result<Row, Box<dyn Error>> {
    let entries = engines.functions()?.entries.with("RATE_LIMITS", "off").start()?;
    let keys: Vec<String> = (0..OPERATIONS).map(|number| format!("customer:{number}")).collect();
    for key in &keys {
        entries.api.invoke(&event::put(key), 1)?;
    }
    let (batch, get) = (gets(&keys), event::get(&keys[0]));
    warm_up(&entries, &get)?;
    let (_, answer) = entries.api.invoke(&batch, 1)?;
    if answer.matches("L1_MEMORY; hit").count() != OPERATIONS {
        return Err(format!("not all from L1: {answer}").into());
    }
    let (mut ours, mut one) = (Vec::new(), Vec::new());
    let turn = |entries: &Running, event: &str| Ok::<_, std::io::Error>(entries.take_turn(event, PER_TURN)?.cpu_us);
    for _ in 0..TURNS {
        ours.push(turn(&entries, &batch)?);
        one.push(turn(&entries, &get)?);
    }
    let row = Row::new("Batch of 100 GETs from L1, processor time", Unit::Microseconds, Summary::of(ours));
    Ok(row.beside(Summary::of(one)).aim("≤ 10×"))
}

/// Measures with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let mut bench = Bench::open()?;
    let mut rows = vec![bench.gets_of_redis()];
    rows.push(bench.round_trips()?);
    rows.extend([bench.gets_of_dynamo(), bench.puts()]);
    Ok(Section {
        title: "Batches of 100 by the library".into(),
        baseline: "with the same clients: 100 GETs in one pipeline; BatchGetItem and 100 SETs in one pipeline; 100 \
                   PutItems, 34 at once, and a SET after each"
            .into(),
        rows,
    })
}

struct Bench {
    runtime: Runtime,
    /// Reads and writes all levels.
    cache: TieredCache,
    /// Reads Redis and DynamoDB.
    shared: TieredCache,
    dynamo: Client,
    redis: MultiplexedConnection,
    config: Config,
    read: Vec<Key>,
    /// How many keys there have been.
    keys: Cell<usize>,
}

impl Bench {
    fn open() -> Result<Bench, Box<dyn Error>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let Settings { config, deployment, .. } = Settings::from_env()?;
        let cache = TieredCache::open(deployment.clone(), config.clone())?;
        let shared = without_memory(deployment, config.clone())?;
        let dynamo =
            runtime.block_on(async { Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await) });
        let redis = runtime.block_on(connect(config.l2_config.redis_url.expose()))?;
        let bench = Bench { runtime, cache, shared, dynamo, redis, config, read: keys(0), keys: Cell::new(OPERATIONS) };
        bench.put_all(&bench.read);
        bench.runtime.block_on(bench.set_all(&bench.read));
        Ok(bench)
    }

    fn new_keys(&self) -> Vec<Key> {
        keys(self.keys.replace(self.keys.get() + OPERATIONS))
    }

    fn gets_of_redis(&self) -> Row {
        let (strata, baseline) =
            in_turns(|| self.get_all(Level::L2), || self.runtime.block_on(self.pipeline("GET", &self.read)));
        Row::new("100 GETs from L2", Unit::Microseconds, strata).beside(baseline).aim("≤ 1.3×")
    }

    fn round_trips(&mut self) -> Result<Row, Box<dyn Error>> {
        let before = self.runtime.block_on(Work::so_far(&mut self.redis))?;
        (0..COUNTED).for_each(|_| self.get_all(Level::L2));
        let work = self.runtime.block_on(Work::so_far(&mut self.redis))?.since(before);
        let trips = f64::from(u32::try_from(work.reads)?) / f64::from(COUNTED);
        Ok(Row::new("Reads of its socket by Redis for them", Unit::Count, Summary::single(trips)).aim("≤ 2"))
    }

    /// Of entries whose copies Redis has evicted: it has them again afterwards.
    fn gets_of_dynamo(&self) -> Row {
        let (strata, baseline) = prepared_in_turns(
            FEW_TURNS,
            || self.runtime.block_on(self.evict_all()),
            |()| self.get_all(Level::L3),
            |()| self.runtime.block_on(self.get_aside()),
        );
        Row::new("100 GETs from L3, which L2 takes copies of", Unit::Microseconds, strata)
            .beside(baseline)
            .aim("≤ 1.3×")
    }

    fn puts(&self) -> Row {
        let row = self.runtime.block_on(self.row(&self.read[0]));
        let (strata, baseline) = prepared_in_turns(
            FEW_TURNS,
            || self.new_keys(),
            |keys| self.put_all(keys),
            |keys| self.runtime.block_on(self.put_items(keys, &row)),
        );
        Row::new("100 PUTs of new entries, no tag", Unit::Microseconds, strata).beside(baseline).aim("≤ 1.5×")
    }

    fn get_all(&self, level: Level) {
        let found = self.runtime.block_on(self.shared.get_many(&self.read, Read::default(), MOST_BYTES));
        let is_from = |found: &Option<Result<strata_cache::Lookup, _>>| matches!(found, Some(Ok(found)) if found.hit.as_ref().is_some_and(|hit| hit.level == level));
        assert!(found.iter().all(is_from), "a value is not from {level}");
    }

    fn put_all(&self, keys: &[Key]) {
        let untagged = || put().tags([""; 0]);
        let puts: Vec<Mutate> = keys.iter().map(|key| Mutate::Put(key.clone(), untagged())).collect();
        let patience = Patience { begin_until: Instant::now() + LONG, end_until: Instant::now() + LONG };
        let done = self.runtime.block_on(self.cache.mutate_many(&puts, patience));
        let is_stored =
            |done: &Attempt| matches!(done, Attempt::Ended(Ok(Mutated::Stored(stored))) if !stored.degraded);
        assert!(done.iter().all(is_stored), "an entry is not stored");
    }

    async fn pipeline(&self, command: &str, keys: &[Key]) {
        let text = put().value.text().clone();
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd(command).arg(bare_name(key));
            if command == "SET" {
                pipeline.arg(&text[..]);
            }
        }
        let replies: Vec<redis::Value> =
            pipeline.query_async(&mut self.redis.clone()).await.expect("Redis answered just now");
        assert!(!replies.contains(&redis::Value::Nil), "all were set");
    }

    async fn set_all(&self, keys: &[Key]) {
        self.pipeline("SET", keys).await;
    }

    /// Takes the library's copies out of Redis, as an eviction does.
    async fn evict_all(&self) {
        let mut pipeline = redis::pipe();
        for key in &self.read {
            pipeline.cmd("UNLINK").arg(copy_name(&self.config.l2_config.key_prefix, key)).ignore();
        }
        pipeline.query_async::<()>(&mut self.redis.clone()).await.expect("Redis answered just now");
    }

    /// What a cache does by itself that has nothing: looks, reads, and keeps what it has read.
    async fn get_aside(&self) {
        self.pipeline("GET", &self.read).await;
        let keys = self.read.iter().map(name).collect();
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let table = &self.config.l3_config.table_name;
        let wanted = wanted.expect("keys are given");
        let got = self.dynamo.batch_get_item().request_items(table, wanted).send().await;
        let rows = got.expect("DynamoDB answered just now").responses.unwrap_or_default();
        assert_eq!(rows.values().map(Vec::len).sum::<usize>(), OPERATIONS);
        self.set_all(&self.read).await;
    }

    /// The row that the library has written.
    async fn row(&self, key: &Key) -> Item {
        let get = self.dynamo.get_item().table_name(&self.config.l3_config.table_name).set_key(Some(name(key)));
        get.send().await.expect("DynamoDB answered just now").item.expect("the library has left a row")
    }

    /// Writes rows beside the library's of these keys, and after each what a cache beside would keep of it.
    async fn put_items(&self, keys: &[Key], row: &Item) {
        let text = put().value.text().clone();
        let write = |key: &Key| {
            let (mut item, redis, text) = (row.clone(), self.redis.clone(), text.clone());
            item.extend(name(key));
            item.insert("sk".to_owned(), AttributeValue::S(bare_name(key)));
            async move {
                let write = self.dynamo.put_item().table_name(&self.config.l3_config.table_name).set_item(Some(item));
                write.send().await.expect("DynamoDB answered just now");
                let set = redis::cmd("SET").arg(&text[..8]).arg(&text[..]).query_async::<()>(&mut redis.clone()).await;
                set.expect("Redis answered just now");
            }
        };
        let writes: Vec<_> = keys.iter().map(write).collect();
        stream::iter(writes).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

fn without_memory(deployment: Deployment, mut config: Config) -> Result<TieredCache, Box<dyn Error>> {
    config.l1_config.enabled = false;
    Ok(TieredCache::open(deployment, config)?)
}

/// What the baseline calls its own copy of an entry, and its own row.
fn bare_name(key: &Key) -> String {
    format!("{}-bare", key.as_str())
}

/// The name of the row of `key`.
fn name(key: &Key) -> Item {
    let text = |name: &str, value| (name.to_owned(), AttributeValue::S(value));
    [text("pk", partition(key)), text("sk", key.as_str().to_owned())].into()
}
