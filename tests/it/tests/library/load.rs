//! Reading through the library: one loads, errors and time are kept to, and nothing that was loaded before a mutation is kept
//! after it; in one process and in two.

use super::{REDIS_URL, WINDOW, config, examples, named, open, run, stored};
use futures_util::future::join_all;
use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use strata_cache::{Clock, Config, Deployment, Json, Key, Level, Load, LoadError, Put, Read, TieredCache};
use strata_it::stack::{Options, Stack};
use tokio::sync::Notify;

const TASKS: usize = 1_000;
/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(60);
/// Says which of two processes this is; and how many there have been loads of it.
const LOADS: &str = "loads";

#[tokio::test]
async fn reads_through() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    run(&stack, "library::load::in_one_process").await;
    // Both are started before either is waited for.
    tokio::join!(
        run(&stack, "library::load::in_one_of_two_processes"),
        run(&stack, "library::load::in_one_of_two_processes")
    );
    let client = redis::Client::open(stack.redis().url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let loads: u64 = redis::cmd("GET").arg(LOADS).query_async(&mut connection).await.unwrap();
    assert_eq!(loads, 1, "in both together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "the test above starts it, with engines"]
async fn in_one_process() {
    let (here, there) = (cache(), cache());
    one_of_many_loads(&here).await;
    nothing_is_kept_for_as_long_as_was_said(&here).await;
    errors_are_told_to_all_who_wait(&here).await;
    a_load_is_given_up(&here).await;
    a_load_that_nobody_waits_for_leaves_its_lease(&here, &there).await;
    what_was_touched_meanwhile_is_not_kept(&here, &there).await;
    who_asks_later_is_not_told_of_what_was_before(&here, &there).await;
    what_ends_soon_is_loaded_anew_by_one(&here).await;
    what_cannot_be_loaded_anew_stays(&here).await;
    what_has_expired_is_gone_on_with(&here, &there).await;
    whoever_waits_takes_what_has_expired_if_it_says_so(&here).await;
    what_was_removed_is_not_gone_on_with(&here, &there).await;
    what_is_deleted_meanwhile_stays_deleted(&here, &there).await;
    what_is_put_meanwhile_stays(&here, &there).await;
    what_is_stored_of_another_type_is_an_error(&here).await;
    options_that_no_entry_may_have_are_refused(&here).await;
    examples::work(&here).await;
    without_redis_it_is_loaded_and_not_kept().await;
}

/// A process of two, both of which ask for one key with many tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "the test above starts it, with engines"]
async fn in_one_of_two_processes() {
    let cache = cache();
    let load = Load::new(3600).timeout(LONG);
    let client = redis::Client::open(std::env::var(REDIS_URL).unwrap()).unwrap();
    let loader = || async {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let loads: u64 = redis::cmd("INCR").arg(LOADS).query_async(&mut connection).await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, Infallible>(loads)
    };
    let key = named("of two processes");
    let loaded = join_all((0..50).map(|_| cache.get_or_load(&key, &load, async || loader().await))).await;
    assert!(loaded.into_iter().all(|loaded| matches!(loaded, Ok(1))));
}

fn cache() -> TieredCache {
    open(true, Clock::system())
}

async fn one_of_many_loads(cache: &TieredCache) {
    let (load, loads) = (Load::new(3600).tags(["many"]).timeout(LONG), AtomicUsize::new(0));
    let loader = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(vec![loads.fetch_add(1, Relaxed)])
    };
    let key = named("load:many");
    let loaded = join_all((0..TASKS).map(|_| cache.get_or_load(&key, &load, async || loader().await))).await;
    assert!(loaded.into_iter().all(|loaded| loaded.unwrap() == [0]));
    assert_eq!((loads.load(Relaxed), stored(cache, "load:many").await.as_deref()), (1, Some("[0]")));
    // Also where nobody has room for it in memory, and as text.
    let text = cache.get_or_load_json(&key, &load, async || Err::<Json, _>("it is there")).await.unwrap();
    assert_eq!(text.text(), "[0]");
}

async fn nothing_is_kept_for_as_long_as_was_said(cache: &TieredCache) {
    let (key, loads) = (named("load:none"), AtomicUsize::new(0));
    let loader = || async {
        loads.fetch_add(1, Relaxed);
        Ok::<Option<u32>, Infallible>(None)
    };
    let load = Load::new(3600);
    for expected in 1..=2 {
        assert_eq!(cache.get_or_load(&key, &load, async || loader().await).await.unwrap(), None);
        assert_eq!((loads.load(Relaxed), stored(cache, "load:none").await), (expected, None));
    }
    let load = load.none_for(600);
    for _ in 0..2 {
        assert_eq!(cache.get_or_load(&key, &load, async || loader().await).await.unwrap(), None);
    }
    let hit = cache.get(&key, Read::default()).await.unwrap().hit.unwrap();
    assert_eq!((loads.load(Relaxed), hit.entry.json(), hit.entry.ttl_seconds), (3, "null", 600));
}

async fn errors_are_told_to_all_who_wait(cache: &TieredCache) {
    let (key, load, loads) = (named("load:fails"), Load::new(3600).timeout(LONG), AtomicUsize::new(0));
    let loader = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err::<u32, _>(format!("no {}", loads.fetch_add(1, Relaxed)))
    };
    let failed = join_all((0..TASKS).map(|_| cache.get_or_load(&key, &load, async || loader().await))).await;
    for failed in failed {
        assert!(matches!(failed, Err(LoadError::Failed(ref error)) if **error == "no 0"), "{failed:?}");
    }
    // The next one may load at once.
    assert_eq!(cache.get_or_load(&key, &load, async || Ok::<_, Infallible>(7)).await.unwrap(), 7);
    assert_eq!(stored(cache, "load:fails").await.as_deref(), Some("7"), "with a lease");
}

async fn a_load_is_given_up(cache: &TieredCache) {
    let (key, load) = (named("load:slow"), Load::new(3600).timeout(Duration::from_millis(50)));
    let given_up = cache.get_or_load(&key, &load, async || pending::<Result<u32, Infallible>>().await).await;
    assert!(matches!(given_up, Err(LoadError::TimedOut)), "{given_up:?}");
    assert_eq!(cache.get_or_load(&key, &load, async || Ok::<_, Infallible>(7)).await.unwrap(), 7);
    assert_eq!(stored(cache, "load:slow").await.as_deref(), Some("7"), "with a lease");
}

async fn a_load_that_nobody_waits_for_leaves_its_lease(here: &TieredCache, there: &TieredCache) {
    let (key, load) = (named("load:dropped"), Load::new(3600).timeout(LONG));
    let begun = Notify::new();
    let loading = here.get_or_load(&key, &load, async || {
        begun.notify_one();
        pending::<Result<u32, Infallible>>().await
    });
    tokio::select! {
        _ = loading => unreachable!("it never ends"),
        () = begun.notified() => {}
    }
    // Nobody of this process waits for it, and with the next sync others may load.
    stored(here, "any").await;
    assert_eq!(there.get_or_load(&key, &load, async || Ok::<_, Infallible>(7)).await.unwrap(), 7);
    assert_eq!(stored(here, "load:dropped").await.as_deref(), Some("7"), "with a lease");
}

async fn what_was_touched_meanwhile_is_not_kept(here: &TieredCache, there: &TieredCache) {
    let key = named("load:touched");
    let loader = async || {
        there.delete(&key, "").await.unwrap();
        Ok::<_, Infallible>("from before the DELETE".to_owned())
    };
    let loaded = here.get_or_load(&key, &Load::new(3600), loader).await.unwrap();
    assert_eq!((&*loaded, stored(here, "load:touched").await), ("from before the DELETE", None));
}

/// A load takes longer than Δ; while it goes on its source changes, and that is told. Whoever asks after that must not be
/// given what it has loaded.
async fn who_asks_later_is_not_told_of_what_was_before(here: &TieredCache, there: &TieredCache) {
    let (key, load) = (named("load:later"), Load::new(3600).timeout(LONG));
    let (source, begun, may_end) = (AtomicU64::new(1), Notify::new(), Notify::new());
    let first = here.get_or_load(&key, &load, async || {
        let value = source.load(Relaxed);
        begun.notify_one();
        may_end.notified().await;
        Ok::<_, Infallible>(value)
    });
    let rest = async {
        begun.notified().await;
        source.store(2, Relaxed);
        there.delete(&key, "").await.unwrap();
        tokio::time::sleep(WINDOW * 2).await;
        let second = here.get_or_load(&key, &load, async || Ok::<_, Infallible>(source.load(Relaxed)));
        let end = async {
            tokio::time::sleep(WINDOW).await;
            may_end.notify_one();
        };
        tokio::join!(second, end).0
    };
    let (first, second) = tokio::join!(first, rest);
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
    assert_eq!(stored(here, "load:later").await.as_deref(), Some("2"));
}

async fn what_ends_soon_is_loaded_anew_by_one(cache: &TieredCache) {
    let (key, loads) = (named("load:anew"), AtomicU64::new(0));
    let load = Load::new(100).tags(["anew"]).timeout(LONG);
    let loader = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(loads.fetch_add(1, Relaxed))
    };
    cache.get_or_load(&key, &load, async || loader().await).await.unwrap();
    let ahead = load.clone().refresh_ahead(Duration::from_secs(1_000));
    let found = join_all((0..20).map(|_| cache.get_or_load(&key, &ahead, async || loader().await))).await;
    let mut found: Vec<u64> = found.into_iter().map(Result::unwrap).collect();
    found.sort_unstable();
    assert_eq!((found[0], found[18], found[19]), (0, 0, 1), "one of them waits, the others do not");
    assert_eq!((loads.load(Relaxed), stored(cache, "load:anew").await.as_deref()), (2, Some("1")));
    let hit = cache.get(&key, Read::default()).await.unwrap().hit.unwrap();
    assert_eq!(hit.entry.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["anew"]);
}

async fn what_cannot_be_loaded_anew_stays(cache: &TieredCache) {
    let key = named("load:stays");
    let load = Load::new(100).timeout(LONG).refresh_ahead(Duration::from_secs(1_000));
    assert_eq!(cache.get_or_load(&key, &load, async || Ok::<_, String>(1)).await.unwrap(), 1);
    assert_eq!(cache.get_or_load(&key, &load, async || Err::<i32, _>("no".to_owned())).await.unwrap(), 1);
    let soft = load.clone().soft_timeout(Duration::from_millis(50));
    assert_eq!(cache.get_or_load(&key, &soft, async || pending::<Result<i32, String>>().await).await.unwrap(), 1);
    // What it is to be found by later must be what it is found by now.
    let other = load.clone().tags(["other"]);
    assert_eq!(cache.get_or_load(&key, &other, async || Ok::<_, String>(2)).await.unwrap(), 2);
    assert_eq!(stored(cache, "load:stays").await.as_deref(), Some("1"));
}

/// A value whose life is over, and that is kept for long.
async fn put_expired(cache: &TieredCache, key: &Key) {
    let put = Put::new(Json::of(&1).unwrap(), 1).grace(3600);
    cache.put(key, put).await.unwrap();
    while cache.get(key, Read::default()).await.unwrap().hit.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn what_has_expired_is_gone_on_with(here: &TieredCache, there: &TieredCache) {
    let key = named("load:grace");
    put_expired(here, &key).await;
    let plain = Load::new(3600).timeout(LONG);
    let load = plain.clone().grace(3600).soft_timeout(Duration::from_millis(50));
    let fails = async || Err::<i32, _>("no".to_owned());
    let without = here.get_or_load(&key, &plain, fails).await;
    assert!(matches!(without, Err(LoadError::Failed(_))), "who does not say so: {without:?}");
    assert_eq!(here.get_or_load(&key, &load, fails).await.unwrap(), 1);
    assert_eq!(here.get_or_load(&key, &load, async || pending::<Result<i32, String>>().await).await.unwrap(), 1);
    let over = load.clone().grace(0);
    assert!(here.get_or_load(&key, &over, fails).await.is_err());
    // While another process loads it the others do not wait.
    let (begun, may_end) = (Notify::new(), Notify::new());
    let slow = load.clone().soft_timeout(LONG);
    let loading = here.get_or_load(&key, &slow, async || {
        begun.notify_one();
        may_end.notified().await;
        Ok::<_, String>(2)
    });
    let other = async {
        begun.notified().await;
        let other = there.get_or_load(&key, &load, async || Err::<i32, _>("it is not asked".to_owned())).await;
        may_end.notify_one();
        other
    };
    let (loaded, other) = tokio::join!(loading, other);
    assert_eq!((loaded.unwrap(), other.unwrap()), (2, 1));
    let hit = here.get(&key, Read::default()).await.unwrap().hit.unwrap();
    assert_eq!((hit.entry.json(), hit.entry.grace_seconds), ("2", 3600));
}

async fn whoever_waits_takes_what_has_expired_if_it_says_so(cache: &TieredCache) {
    let key = named("load:grace:waits");
    put_expired(cache, &key).await;
    let plain = Load::new(3600).timeout(LONG);
    let load = plain.clone().grace(3600);
    let (begun, may_end) = (Notify::new(), Notify::new());
    let first = cache.get_or_load(&key, &load, async || {
        begun.notify_one();
        may_end.notified().await;
        Ok::<_, Infallible>(2)
    });
    let others = async {
        begun.notified().await;
        let waits = cache.get_or_load(&key, &plain, async || Ok::<_, Infallible>(3));
        let takes = async {
            let taken = cache.get_or_load(&key, &load, async || Ok::<_, Infallible>(4)).await;
            may_end.notify_one();
            taken
        };
        tokio::join!(waits, takes)
    };
    let (first, (waits, takes)) = tokio::join!(first, others);
    assert_eq!((first.unwrap(), waits.unwrap(), takes.unwrap()), (2, 2, 1));
}

async fn what_was_removed_is_not_gone_on_with(here: &TieredCache, there: &TieredCache) {
    let key = named("load:grace:removed");
    put_expired(here, &key).await;
    there.delete(&key, "").await.unwrap();
    tokio::time::sleep(WINDOW).await;
    let failed = here.get_or_load(&key, &Load::new(60).grace(3600), async || Err::<i32, _>("no".to_owned())).await;
    assert!(matches!(failed, Err(LoadError::Failed(_))), "{failed:?}");
}

async fn what_is_deleted_meanwhile_stays_deleted(here: &TieredCache, there: &TieredCache) {
    let key = named("load:deleted");
    let load = Load::new(100).refresh_ahead(Duration::from_secs(1_000));
    here.get_or_load(&key, &load, async || Ok::<_, Infallible>(1)).await.unwrap();
    let loader = async || {
        there.delete(&key, "").await.unwrap();
        Ok::<_, Infallible>(1)
    };
    here.get_or_load(&key, &load, loader).await.unwrap();
    assert_eq!(stored(here, "load:deleted").await, None);
}

async fn what_is_put_meanwhile_stays(here: &TieredCache, there: &TieredCache) {
    let key = named("load:put");
    let load = Load::new(100).refresh_ahead(Duration::from_secs(1_000));
    here.get_or_load(&key, &load, async || Ok::<_, Infallible>(1)).await.unwrap();
    let loader = async || {
        there.put(&key, Put::new(Json::of(&2).unwrap(), 100)).await.unwrap();
        Ok::<_, Infallible>(1)
    };
    here.get_or_load(&key, &load, loader).await.unwrap();
    assert_eq!(stored(here, "load:put").await.as_deref(), Some("2"));
}

async fn what_is_stored_of_another_type_is_an_error(cache: &TieredCache) {
    let key = named("load:typed");
    cache.get_or_load(&key, &Load::new(60), async || Ok::<_, Infallible>("a text".to_owned())).await.unwrap();
    let other = cache.get_or_load(&key, &Load::new(60), async || Ok::<_, Infallible>(1)).await;
    assert!(matches!(other, Err(LoadError::Json(_))), "{other:?}");
}

async fn options_that_no_entry_may_have_are_refused(cache: &TieredCache) {
    let load = Load::new(0).tags(["two\nlines"]);
    let key = named("load:refused");
    let refused = cache.get_or_load(&key, &load, async || pending::<Result<i32, Infallible>>().await).await;
    assert!(matches!(refused, Err(LoadError::Refused(ref refusals)) if refusals.len() == 2));
}

async fn without_redis_it_is_loaded_and_not_kept() {
    let unhurried = |redis: bool| -> Config {
        let mut config = config(redis);
        // All of them ask within Δ.
        config.l1_config.coherence_window_ms = 60_000;
        config
    };
    let cache = TieredCache::open(Deployment::new("cache_control"), unhurried(false)).unwrap();
    let (key, loads) = (named("load:without"), Arc::new(AtomicUsize::new(0)));
    let loader = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(loads.fetch_add(1, Relaxed))
    };
    let load = Load::new(3600).timeout(LONG);
    let loaded = join_all((0..TASKS).map(|_| cache.get_or_load(&key, &load, async || loader().await))).await;
    assert!(loaded.into_iter().all(|loaded| matches!(loaded, Ok(0))));
    assert_eq!(stored(&cache, "load:without").await, None);
    let unfenced = load.unfenced();
    assert_eq!(cache.get_or_load(&key, &unfenced, async || loader().await).await.unwrap(), 1);
    let hit = cache.get(&key, Read::default()).await.unwrap().hit.unwrap();
    assert_eq!((hit.entry.json(), hit.entry.levels.has(Level::L3)), ("1", true));
}
