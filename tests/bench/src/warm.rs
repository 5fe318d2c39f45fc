//! Warming: how many entries a second a job brings from DynamoDB into an empty Redis, beside reading the same rows and
//! beside writing the same values, each alone with the same client.

use crate::{
    corpus,
    engines::connect,
    invalidate::{rows::Rows, tenant::Tenant},
    report::{Row, Section, Unit},
    stats::Summary,
    warmer::{self, Noticed},
};
use aws_config::BehaviorVersion;
use redis::{aio::MultiplexedConnection, pipe};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use strata_cache::settings::Settings;
use strata_cache::{
    Key, Level, Levels, Pattern, Read, TieredCache,
    warm::{Strategy, Warm},
};
use tokio::runtime::{self, Runtime};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "warm";
/// Jobs that are run.
const ROUNDS: usize = 5;
/// Values that are written in one pipeline: as many as a job has under way.
const PIPELINE: usize = 500;
/// How many times as many entries the job has that is compared with one of few.
const LARGER: usize = 10;
/// Longer than any job here takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures with so many entries and the settings in the environment.
///
/// # Errors
/// When Redis or DynamoDB cannot be used, or a job does not load what it means.
pub fn measure(entries: &str) -> Result<Vec<Section>, Box<dyn Error>> {
    let entries = entries.parse()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = runtime.block_on(Bench::fill(entries))?;
    let throughput = runtime.block_on(bench.throughput(entries))?;
    let small = bench.in_the_function(&runtime)?;
    let bench = runtime.block_on(Bench::fill(LARGER * entries))?;
    let large = bench.in_the_function(&runtime)?;
    Ok(vec![throughput, warmer::section(&small, &large)?])
}

struct Bench {
    cache: TieredCache,
    rows: Rows,
    redis: MultiplexedConnection,
    keys: Vec<Key>,
}

impl Bench {
    /// Entries a second, beside reading and writing alone.
    async fn throughput(&self, entries: usize) -> Result<Section, Box<dyn Error>> {
        let (mut warmed, mut read, mut written) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            warmed.push(self.per_second(self.warm()).await?);
            self.check().await?;
            read.push(self.per_second(self.rows.read(&self.keys)).await?);
            written.push(self.per_second(self.write()).await?);
        }
        let row = |baseline, what| {
            Row::new(format!("{entries} entries warmed / {what}"), Unit::PerSecond, Summary::of(warmed.clone()))
                .beside(Summary::of(baseline))
        };
        Ok(Section {
            title: "Warming an empty Redis".into(),
            baseline: "as the rows say, of the same keys, with the same clients; no index, no certificate".into(),
            rows: vec![
                row(read, "BatchGetItem of 100, ten at once").aim("≥ 0.7× of the slower one"),
                row(written, "pipelined SET"),
            ],
        })
    }

    /// So many entries in DynamoDB.
    async fn fill(entries: usize) -> Result<Bench, Box<dyn Error>> {
        let Settings { config, deployment, .. } = Settings::from_env()?;
        let redis = connect(config.l2_config.redis_url.expose()).await?;
        let client = aws_sdk_dynamodb::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
        let rows = Rows::open(client, config.l3_config.table_name.clone());
        let cache = TieredCache::open(deployment, config)?;
        for tenant in Tenant::of(entries) {
            rows.load(&cache, tenant, Levels::ALL).await?;
        }
        Ok(Bench { cache, rows, redis, keys: Tenant::of(entries).flat_map(Tenant::keys).collect() })
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of keys are far below 2^52")]
    async fn per_second(&self, work: impl Future<Output = Result<(), Box<dyn Error>>>) -> Result<f64, Box<dyn Error>> {
        redis::cmd("FLUSHALL").query_async::<()>(&mut self.redis.clone()).await?;
        let start = Instant::now();
        work.await?;
        Ok(self.keys.len() as f64 / start.elapsed().as_secs_f64())
    }

    /// Accepts a job for all entries; returns its name.
    async fn accept(&self) -> Result<String, Box<dyn Error>> {
        let patterns = vec![Pattern::new("tenant-*")?];
        let warm = Warm { patterns, strategy: Strategy::Lazy, ..Warm::new("bench") };
        Ok(self.cache.warm(warm, None).await?.job.id)
    }

    /// Runs a job in the function, into an empty Redis.
    fn in_the_function(&self, runtime: &Runtime) -> Result<Noticed, Box<dyn Error>> {
        runtime.block_on(redis::cmd("FLUSHALL").query_async::<()>(&mut self.redis.clone()))?;
        let id = runtime.block_on(self.accept())?;
        warmer::run(&self.cache, runtime, &id)
    }

    async fn warm(&self) -> Result<(), Box<dyn Error>> {
        self.accept().await?;
        while self.cache.run_next(PATIENCE).await?.is_some() {}
        Ok(())
    }

    /// Makes sure that the last entry is in Redis.
    async fn check(&self) -> Result<(), Box<dyn Error>> {
        let last = self.keys.last().ok_or("there are no entries")?;
        let hit = self.cache.get(last, Read::default()).await?.hit;
        if hit.is_some_and(|hit| hit.level == Level::L2) { Ok(()) } else { Err("an entry was not warmed".into()) }
    }

    async fn write(&self) -> Result<(), Box<dyn Error>> {
        let text = corpus::record(1).to_string();
        for keys in self.keys.chunks(PIPELINE) {
            let mut sets = pipe();
            keys.iter().for_each(|key| {
                sets.set(key.as_str(), &text).ignore();
            });
            sets.query_async::<()>(&mut self.redis.clone()).await?;
        }
        Ok(())
    }
}
