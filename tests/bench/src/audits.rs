//! What audits add to a GET from L1: nothing but to one sync in so many, which asks DynamoDB beside Redis.
//!
//! The history of the last hour adds nothing here: Redis makes it of the counts that each container reports anyway.

use crate::{
    counters::Work,
    engines::connect,
    level2::put,
    report::{Row, Unit},
    stats::{FEW_TURNS, Summary, in_turns, prepared_in_turns},
};
use std::{error::Error, hint::black_box};
use strata_cache::{Config, Deployment, Key, Level, Read, TieredCache};
use tokio::runtime::Runtime;

/// What they may add.
const AIM: &str = "≤ 1.02×";
/// Reads after which L1 has the value.
const BEFORE: usize = 100;

/// Reads one value from a memory of its own.
struct Reader<'a> {
    runtime: &'a Runtime,
    cache: TieredCache,
    key: Key,
}

/// Rows of GETs with audits as they are by default, beside the same without.
///
/// # Errors
/// When an engine fails, or a value is not in L1.
pub fn rows(runtime: &Runtime, deployment: &Deployment, config: &Config) -> Result<[Row; 3], Box<dyn Error>> {
    let every = config.coherence.audit_every;
    let reader = |window_ms, audit_every| {
        let mut config = config.clone();
        config.l1_config.coherence_window_ms = window_ms;
        config.coherence.audit_every = audit_every;
        let key = Key::new(format!("audits:{window_ms}:{audit_every}"))?;
        Reader { runtime, cache: TieredCache::open(deployment.clone(), config)?, key }.filled()
    };
    let window_ms = config.l1_config.coherence_window_ms;
    let (audited, plain) = (reader(window_ms, every)?, reader(window_ms, 0)?);
    let (with, without) = in_turns(|| audited.get(), || plain.get());
    let one = Row::new("TieredCache::get, audit_every 1,024 / 0", Unit::Microseconds, with).beside(without).aim(AIM);

    let (audited, plain) = (reader(0, every)?, reader(0, 0)?);
    let all = |reader: &Reader<'_>| (0..every).for_each(|_| reader.get());
    let (with, without) = prepared_in_turns(FEW_TURNS, || (), |()| all(&audited), |()| all(&plain));
    let name = "1,024 GETs from L1 that sync each, one of them audited / none";
    let synced = Row::new(name, Unit::Microseconds, with).beside(without).aim(AIM);

    let mut redis = runtime.block_on(connect(config.l2_config.redis_url.expose()))?;
    let mut trips = |reader: &Reader<'_>| -> Result<Summary, Box<dyn Error>> {
        let before = runtime.block_on(Work::so_far(&mut redis))?;
        all(reader);
        let reads = runtime.block_on(Work::so_far(&mut redis))?.since(before).reads;
        Ok(Summary::single(f64::from(u32::try_from(reads)?)))
    };
    let trips =
        Row::new("Reads of its sockets by Redis for them", Unit::Count, trips(&audited)?).beside(trips(&plain)?);
    Ok([one, synced, trips.aim(AIM)])
}

impl Reader<'_> {
    /// Once the value is in L1.
    fn filled(self) -> Result<Self, Box<dyn Error>> {
        self.runtime.block_on(self.cache.put(&self.key, put()))?;
        (0..BEFORE).for_each(|_| self.get());
        let hit = self.runtime.block_on(self.cache.get(&self.key, Read::default()))?.hit;
        if hit.is_some_and(|hit| hit.level == Level::L1) { Ok(self) } else { Err("the value is not in L1".into()) }
    }

    fn get(&self) {
        let read = self.cache.get(&self.key, Read::default());
        black_box(self.runtime.block_on(read).expect("L1 cannot fail"));
    }
}
