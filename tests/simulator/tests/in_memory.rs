//! The cache without any server, as a program's own tests have it.

#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use strata_cache::{
    Config, Deployment, Invalidate, Json, Key, Level, Load, Put, Read, Selector, TieredCache, engines::Engines,
};

#[tokio::test]
async fn a_cache_in_memory_is_a_whole_cache() {
    let cache = TieredCache::in_memory(Config::default()).unwrap();
    let key = Key::new("customer:1").unwrap();
    assert!(cache.get(&key, Read::default()).await.unwrap().hit.is_none());
    let stored = cache.put(&key, Put::new(Json::of("John Doe").unwrap(), 60).tags(["customer"])).await.unwrap();
    assert!(stored.created && !stored.degraded);
    assert_eq!(stored.levels.names().len(), 3);
    let hit = cache.get(&key, Read::default()).await.unwrap().hit.unwrap();
    assert_eq!((hit.entry.value::<String>().unwrap().as_str(), hit.level), ("John Doe", Level::L1));
    assert!(!cache.delete(&key, "test").await.unwrap().levels.is_empty());
    assert!(cache.get(&key, Read::default()).await.unwrap().hit.is_none());
}

#[tokio::test]
async fn a_price_is_loaded_once_until_it_is_invalidated() {
    let cache = TieredCache::in_memory(Config::default()).unwrap();
    let (key, load) = (Key::new("price:1").unwrap(), Load::new(60).tags(["price"]));
    let loads = AtomicU32::new(0);
    let price = async || {
        let loaded = cache.get_or_load(&key, &load, async || Ok::<_, Infallible>(loads.fetch_add(1, Relaxed) + 1));
        loaded.await.unwrap()
    };
    assert_eq!([price().await, price().await], [1, 1]);
    cache.invalidate(&Invalidate::new(Selector::tags(["price"]))).await.unwrap();
    assert_eq!(price().await, 2);
}

#[tokio::test]
async fn containers_in_memory_share_what_is_given_to_both() {
    let mut config = Config::default();
    config.l1_config.coherence_window_ms = 0;
    let engines = Engines::in_memory(&config.l3_config.table_name, "cache_control");
    let [one, other] = [(), ()].map(|()| {
        let mut deployment = Deployment::new("cache_control");
        deployment.engines = Some(engines.clone());
        TieredCache::open(deployment, config.clone()).unwrap()
    });
    let key = Key::new("k").unwrap();
    for value in 1..=3 {
        one.put(&key, Put::new(Json::of(&value).unwrap(), 60)).await.unwrap();
        let hit = other.get(&key, Read::default()).await.unwrap().hit.unwrap();
        assert_eq!(hit.entry.value::<i32>().unwrap(), value, "with no window nothing older is returned");
    }
}
