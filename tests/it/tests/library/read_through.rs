//! What the documentation shows of the library, as it stands there: a function that reads a customer through the cache.

use serde::{Deserialize, Serialize};
use std::error::Error;
use strata_cache::{Deployment, Json, Key, Load, Put, Read, Settings, TieredCache};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct Customer {
    id: u32,
}

/// Stands for the reader's database.
async fn load_from_database(id: u32) -> Result<Customer, Box<dyn Error + Send + Sync>> {
    Ok(std::future::ready(Customer { id }).await)
}

async fn customer(cache: &TieredCache, id: u32) -> Result<Customer, Box<dyn Error>> {
    let key = Key::new(format!("customer:{id}"))?;
    let load = Load::new(3600).tags(["customer"]);
    Ok(cache.get_or_load(&key, &load, async || load_from_database(id).await).await?)
}

fn open() -> Result<TieredCache, Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let deployment = Deployment::new("cache_control");
    let config = settings.config.redis_url("redis://localhost:6379/2").key_prefix("strata:cache:");
    Ok(TieredCache::open(deployment, config)?)
}

/// Reads one twice: from the database, then from memory.
pub async fn reads(cache: &TieredCache) {
    open().unwrap();
    assert_eq!(customer(cache, 7).await.unwrap(), Customer { id: 7 });
    assert_eq!(customer(cache, 7).await.unwrap(), Customer { id: 7 });
    let found = cache.get(&Key::new("customer:7").unwrap(), Read::default()).await.unwrap().hit.unwrap();
    assert_eq!(found.entry.json(), r#"{"id":7}"#);
    let key = Key::new("refused").unwrap();
    let put = Put::new(Json::of(&1).unwrap(), 0).tags(["two\nlines"]);
    let refused = cache.put(&key, put).await;
    assert!(matches!(refused, Err(strata_cache::CacheError::Refused(ref all)) if all.len() == 2), "{refused:?}");
}
