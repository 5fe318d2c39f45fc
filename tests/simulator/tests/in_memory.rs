//! The cache without any server, as a program's own tests have it.

#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};
use strata_cache::{
    CachePosition, Config, Deployment, Invalidate, Json, Key, Level, Load, Put, Read, Selector, TieredCache,
    engines::Engines,
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

/// Two containers with the same engines and window, in milliseconds.
fn two_containers(window_ms: u64) -> [TieredCache; 2] {
    let mut config = Config::default();
    config.l1_config.coherence_window_ms = window_ms;
    let engines = Engines::in_memory(&config.l3_config.table_name, "cache_control");
    [(), ()].map(|()| {
        let mut deployment = Deployment::new("cache_control");
        deployment.engines = Some(engines.clone());
        TieredCache::open(deployment, config.clone()).unwrap()
    })
}

#[tokio::test]
async fn containers_in_memory_share_what_is_given_to_both() {
    let [one, other] = two_containers(0);
    let key = Key::new("k").unwrap();
    for value in 1..=3 {
        one.put(&key, Put::new(Json::of(&value).unwrap(), 60)).await.unwrap();
        let hit = other.get(&key, Read::default()).await.unwrap().hit.unwrap();
        assert_eq!(hit.entry.value::<i32>().unwrap(), value, "with no window nothing older is returned");
    }
}

/// Whatever a position asks for, it makes a read more careful and is no reason to refuse it.
#[tokio::test]
async fn a_position_that_no_journal_has_reached_makes_a_read_look() {
    let [one, other] = two_containers(60_000);
    let key = Key::new("k").unwrap();
    let value = async |read: Read| other.get(&key, read).await.unwrap().hit.unwrap().entry.value::<i32>().unwrap();
    let later = u128::from(u64::MAX >> 1);
    for (number, position) in [later << 64, later, later << 64 | later].into_iter().enumerate() {
        let number = i32::try_from(number).unwrap();
        one.put(&key, Put::new(Json::of(&(2 * number)).unwrap(), 60)).await.unwrap();
        assert_eq!(value(Read { no_cache: true, ..Read::default() }).await, 2 * number);
        one.put(&key, Put::new(Json::of(&(2 * number + 1)).unwrap(), 60)).await.unwrap();
        assert_eq!(value(Read::default()).await, 2 * number, "nothing has made it look");
        let at_least = CachePosition::from_bytes(position.to_be_bytes());
        assert_eq!(value(Read { at_least, ..Read::default() }).await, 2 * number + 1);
    }
}
