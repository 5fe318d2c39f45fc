//! A process that serves for long, with a cache that no function of the template looks after: it does maintenance and jobs
//! itself, beside its requests.

#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::{error::Error, time::Duration};
use strata_cache::{Config, Deployment, Key, Load, Quotas, TieredCache};
use tokio::time::{interval, sleep};

/// How often upkeep is due, and how long it may take. One process of the fleet is enough.
const UPKEEP: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = open()?;
    tokio::select! {
        served = serve(&cache) => served,
        never = upkeep(&cache) => never,
    }
}

/// Opens the cache: Redis on this machine, DynamoDB by the environment.
pub fn open() -> Result<TieredCache, Box<dyn Error>> {
    let deployment = Deployment::new("shop_control").quotas(Quotas::default());
    let config = Config::default()
        .redis_url("redis://localhost:6379/2")
        .key_prefix("shop:")
        .table("eu-central-1", "shop_entries")
        .coherence_window_ms(500);
    Ok(TieredCache::open(deployment, config)?)
}

/// Stands for a server.
async fn serve(cache: &TieredCache) -> Result<(), Box<dyn Error>> {
    let load = Load::new(60).refresh_ahead(Duration::from_secs(5)).soft_timeout(Duration::from_millis(100));
    loop {
        let rate = cache.get_or_load(&Key::new("rate:EUR")?, &load, async || quote().await).await?;
        println!("1 EUR is {rate} USD");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Stands for a call of another service.
pub async fn quote() -> Result<f64, Box<dyn Error + Send + Sync>> {
    Ok(std::future::ready(1.1).await)
}

/// Does what nobody else does: now and then maintenance, and jobs while there are some.
async fn upkeep(cache: &TieredCache) -> Result<(), Box<dyn Error>> {
    let mut due = interval(UPKEEP);
    loop {
        due.tick().await;
        tend(cache).await?;
    }
}

/// One turn of it.
pub async fn tend(cache: &TieredCache) -> Result<(), Box<dyn Error>> {
    cache.maintain(UPKEEP / 2).await?;
    while cache.run_next(UPKEEP / 2).await?.is_some() {}
    Ok(())
}
