//! A GET that Redis answers beside the bare command, with the same client: what the levels' order, the certificate
//! and the envelope add to a round trip, and that it stays one.

use crate::{
    corpus,
    counters::Work,
    engines::connect,
    event,
    report::{Row, Section, Unit},
    stats::{Summary, in_turns},
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use std::error::Error;
use strata_cache::settings::Settings;
use strata_cache::{Config, Deployment, Json, Key, Level, Put, Read, TieredCache};
use tokio::runtime::{self, Runtime};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "level2";
/// Reads over which round trips are counted. Few enough to take less than the coherence window.
const COUNTED: u32 = 500;
/// Reads that are no longer than Δ after the last look at the journal.
const WITHIN: &str = "within Δ";

/// Measures with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let Settings { mut config, deployment, .. } = Settings::from_env()?;
    config.l1_config.enabled = false;
    let mut bench = Bench::new(&runtime, &config)?;
    let mut rows = Vec::new();
    for (window, name) in [(config.l1_config.coherence_window_ms, WITHIN), (0, "Δ = 0, with the journal")] {
        config.l1_config.coherence_window_ms = window;
        let cache = bench.open(deployment.clone(), config.clone())?;
        rows.push(bench.time(&cache, name)?);
        rows.push(bench.round_trips(&cache, name)?);
    }
    Ok(Section {
        title: "A GET answered by Redis".into(),
        baseline: "GET of the same text with the same client on the same kind of connection".into(),
        rows,
    })
}

/// A PUT of one record into all levels that are switched on.
pub(crate) fn put() -> Put {
    let record = Json::of(&corpus::record(1)).expect("a record is JSON");
    Put::new(record, 3600).tags(["customer", "active"])
}

struct Bench<'a> {
    runtime: &'a Runtime,
    bare: MultiplexedConnection,
    key: Key,
}

impl Bench<'_> {
    fn new<'a>(runtime: &'a Runtime, config: &Config) -> Result<Bench<'a>, Box<dyn Error>> {
        let mut bare = runtime.block_on(connect(config.l2_config.redis_url.expose()))?;
        let key = Key::new(event::KEY)?;
        runtime.block_on(bare.set::<_, _, ()>(key.as_str(), corpus::record(1).to_string()))?;
        Ok(Bench { runtime, bare, key })
    }

    /// A cache that has the key in Redis and nowhere nearer.
    fn open(&self, deployment: Deployment, config: Config) -> Result<TieredCache, Box<dyn Error>> {
        let cache = TieredCache::open(deployment, config)?;
        self.runtime.block_on(cache.put(&self.key, put()))?;
        let lookup = self.runtime.block_on(cache.get(&self.key, Read::default()))?;
        match lookup.hit {
            Some(hit) if hit.level == Level::L2 => Ok(cache),
            _ => Err("the value is not in Redis".into()),
        }
    }

    fn time(&self, cache: &TieredCache, name: &str) -> Result<Row, Box<dyn Error>> {
        let bare = || {
            let mut bare = self.bare.clone();
            let text: String = self.runtime.block_on(bare.get(self.key.as_str())).expect("Redis answered just now");
            std::hint::black_box(text);
        };
        let (strata, baseline) = in_turns(|| self.read(cache), bare);
        let row = Row::new(format!("GET from L2, {name}"), Unit::Microseconds, strata).beside(baseline);
        Ok(if name == WITHIN { row.aim("≤ 1.3×") } else { row })
    }

    fn round_trips(&mut self, cache: &TieredCache, name: &str) -> Result<Row, Box<dyn Error>> {
        let before = self.work()?;
        (0..COUNTED).for_each(|_| self.read(cache));
        let reads = u32::try_from(self.work()?.since(before).reads)?;
        let trips = f64::from(reads) / f64::from(COUNTED);
        Ok(Row::new(format!("Round trips of it, {name}"), Unit::Count, Summary::single(trips)).aim("1"))
    }

    fn read(&self, cache: &TieredCache) {
        let lookup = self.runtime.block_on(cache.get(&self.key, Read::default()));
        std::hint::black_box(lookup.expect("Redis answered just now"));
    }

    fn work(&mut self) -> Result<Work, redis::RedisError> {
        self.runtime.block_on(Work::so_far(&mut self.bare))
    }
}
