//! What a copy takes in Redis and in Valkey beside a bare `SET` of the same text that expires as well, by what `MEMORY
//! USAGE` says: alone, and with its place in the indexes of keys and of tags.

use crate::{
    corpus,
    engines::{Engines, connect},
    invalidate::tenant::copy_name,
    report::{Row, Section, Unit},
    stats::Summary,
    suites::Measured,
};
use redis::{aio::MultiplexedConnection, cmd};
use std::{error::Error, time::Duration};
use strata_cache::settings::Settings;
use strata_cache::{Attempt, Json, Key, Mutate, Mutated, Patience, Put, TieredCache};
use strata_stack::RedisEngine;
use tokio::{runtime, time::Instant};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "copies";
/// Bytes of the texts.
const SIZES: [usize; 4] = [100, 200, 500, 1000];
/// Entries of each size, so many that the sets which find them have their final form.
const ENTRIES: usize = 5000;
/// Operations of a batch.
const AT_ONCE: usize = 100;
/// Entries that share a tag.
const OF_A_TAG: usize = 100;
const TTL_SECONDS: u32 = 3600;
/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);

/// Measures with either engine.
///
/// # Errors
/// When one of them is missing, or does not take what is written.
pub fn all() -> Measured {
    let mut sections = Vec::new();
    for (engine, name) in [(RedisEngine::Redis, "Redis"), (RedisEngine::Valkey, "Valkey")] {
        let engines = Engines::on(engine)?;
        let mut measured = engines.in_a_process(&[NAME.to_owned()])?;
        engines.stop();
        measured.iter_mut().for_each(|section| section.title = format!("{} in {name}", section.title));
        sections.extend(measured);
    }
    Ok(sections)
}

/// Measures with the settings in the environment.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Settings { config, deployment, .. } = Settings::from_env()?;
        let bare = connect(config.l2_config.redis_url.expose()).await?;
        let prefix = config.l2_config.key_prefix.clone();
        let cache = TieredCache::open(deployment, config)?;
        let mut bench = Bench { cache, bare, prefix };
        let mut measured = Vec::new();
        for bytes in SIZES {
            measured.push((bytes, bench.of_size(bytes).await?));
        }
        Ok(section(&measured))
    })
}

#[allow(clippy::cast_precision_loss, reason = "small constants")]
fn section(measured: &[(usize, Taken)]) -> Section {
    let row =
        |what: String, strata, bare| Row::new(what, Unit::Bytes, Summary::single(strata)).beside(Summary::single(bare));
    let of_size = |(bytes, taken): &(usize, Taken)| {
        let copy = row(format!("A copy of {bytes} bytes"), taken.copy, taken.bare);
        let found =
            row("The same, with a tag and its places in the indexes".into(), taken.copy_with_places, taken.bare);
        [copy, found]
    };
    let count = measured.len() as f64;
    let mean = |of: fn(&Taken) -> f64| measured.iter().map(|(_, taken)| of(taken) / taken.bare).sum::<f64>() / count;
    let ratio = |what: &str, ratio| Row::new(what, Unit::Count, Summary::single(ratio));
    let mut rows: Vec<Row> = measured.iter().flat_map(of_size).collect();
    rows.push(ratio("Mean of the ratios, of copies", mean(|taken| taken.copy)).aim("≤ 1.3"));
    rows.push(ratio("Mean of the ratios, with a tag and places", mean(|taken| taken.copy_with_places)).aim("≤ 2.5"));
    Section {
        title: "Memory of an entry".into(),
        baseline: "SET of the same text under the entry's key, with its expiry".into(),
        rows,
    }
}

/// Bytes of an entry.
struct Taken {
    copy: f64,
    copy_with_places: f64,
    bare: f64,
}

struct Bench {
    cache: TieredCache,
    bare: MultiplexedConnection,
    prefix: String,
}

impl Bench {
    #[allow(clippy::cast_precision_loss, reason = "a small constant")]
    async fn of_size(&mut self, bytes: usize) -> Result<Taken, Box<dyn Error>> {
        self.clear().await?;
        let text = format!("\"{}\"", corpus::record(1).to_string().replace(['"', '\\'], "'").repeat(10));
        let text = format!("{}\"", &text[..bytes - 1]);
        let key = |number| Key::new(format!("customer:{number:08}"));
        let plain = key(ENTRIES)?;
        cmd("SET").arg(plain.as_str()).arg(&text).arg("EX").arg(TTL_SECONDS).query_async::<()>(&mut self.bare).await?;
        let bare = self.usage(plain.as_str()).await?;
        let put = |number: usize, tagged: bool| {
            let tags = tagged.then(|| format!("tag:{}", number / OF_A_TAG));
            let mut put = Put::new(Json::new(text.clone())?, TTL_SECONDS).tags(tags);
            put.api_key = "a tenant".to_owned();
            Ok::<_, Box<dyn Error>>(Mutate::Put(key(number)?, put))
        };
        self.put_all(&[put(ENTRIES, false)?]).await;
        let copy = self.usage(&copy_name(&self.prefix, &plain)).await?;
        self.clear().await?;
        for first in (0..ENTRIES).step_by(AT_ONCE) {
            let puts = (first..first + AT_ONCE).map(|number| put(number, true)).collect::<Result<Vec<_>, _>>()?;
            self.put_all(&puts).await;
        }
        let mut all = 0.0;
        for name in self.names().await? {
            all += self.usage(&name).await?;
        }
        Ok(Taken { copy, copy_with_places: all / ENTRIES as f64, bare })
    }

    /// Names of everything but the journal and what stands beside it.
    async fn names(&mut self) -> redis::RedisResult<Vec<String>> {
        cmd("KEYS").arg(format!("{}{{e*", self.prefix)).query_async(&mut self.bare).await
    }

    async fn clear(&mut self) -> redis::RedisResult<()> {
        for names in self.names().await?.chunks(AT_ONCE) {
            cmd("UNLINK").arg(names).query_async::<()>(&mut self.bare).await?;
        }
        Ok(())
    }

    async fn put_all(&self, puts: &[Mutate]) {
        let patience = Patience { begin_until: Instant::now() + LONG, end_until: Instant::now() + LONG };
        let done = self.cache.mutate_many(puts, patience).await;
        let is_stored =
            |done: &Attempt| matches!(done, Attempt::Ended(Ok(Mutated::Stored(stored))) if !stored.degraded);
        assert!(done.iter().all(is_stored), "an entry is not stored");
    }

    async fn usage(&mut self, name: &str) -> redis::RedisResult<f64> {
        cmd("MEMORY").arg("USAGE").arg(name).arg("SAMPLES").arg(0).query_async(&mut self.bare).await
    }
}
