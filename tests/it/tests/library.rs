//! The cache as a library in a process that serves many requests at once, some of which nobody waits for to the end:
//! threads, real engines, and rules for what each operation may see.
//!
//! The SDK finds DynamoDB by the environment, so the operations run in a process of their own.

mod deployments;
mod examples;
mod load;
mod notes;
mod read_through;
mod sliding;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use strata_cache::config::RedisUrl;
use strata_cache::{
    Attempt, CacheError, Clock, Config, Deployment, Invalidate, Json, Key, Level, Levels, Lookup, Mutate, Mutated,
    Patience, Pattern, Put, Read, TieredCache, Version,
};
use strata_it::stack::{Options, Stack};

const TASKS: usize = 8;
const OPERATIONS: usize = 120;
/// Δ.
const WINDOW: Duration = Duration::from_millis(200);
/// Keys that are put, keys that are put without L3, and keys that are deleted and invalidated as well.
const KEPT: [&str; 2] = ["kept:1", "kept:2"];
const SHARED: [&str; 2] = ["shared:1", "shared:2"];
const GONE: [&str; 2] = ["gone:1", "gone:2"];
/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(60);
/// By then what was sent to DynamoDB has arrived.
const ON_ITS_WAY: Duration = Duration::from_millis(50);
pub const REDIS_URL: &str = "LIBRARY_REDIS_URL";

#[tokio::test]
async fn many_operations_at_once_see_what_was_acknowledged() {
    let stack = Stack::start(Options::default().functions([""; 0])).await.unwrap();
    run(&stack, "library::operations").await;
}

/// Runs a test of this binary in a process of its own, with the engines of the stack.
pub async fn run(stack: &Stack, test: &str) {
    run_with(stack, test, []).await;
}

/// The same with variables that go before the stack's.
pub async fn run_with<const N: usize>(stack: &Stack, test: &str, variables: [(&str, String); N]) {
    let mut process = tokio::process::Command::new(std::env::current_exe().unwrap());
    process
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(REDIS_URL, stack.redis().url())
        .env("AWS_ENDPOINT_URL_DYNAMODB", stack.l3().endpoint())
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .envs(variables);
    let output = process.output().await.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "the test above starts it, with engines"]
async fn operations() {
    let process =
        Arc::new(Process { here: cache(), there: cache(), done: Mutex::default(), values: AtomicU64::new(1) });
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let process = Arc::clone(&process);
            tokio::spawn(async move { process.work(fastrand::Rng::with_seed(number as u64)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let done = process.done.lock().unwrap().clone();
    judge(&done);
    tokio::time::sleep(WINDOW * 2).await;
    process.agrees(&done).await;
    process.settles_what_was_abandoned().await;
    read_through::reads(&process.here).await;
    deployments::are_told_apart(&process.here, config).await;
    process.keeps_to_its_time().await;
}

fn cache() -> TieredCache {
    open(true, Clock::system())
}

/// What stands in the cache.
async fn stored(cache: &TieredCache, key: &str) -> Option<String> {
    let read = Read { no_cache: true, ..Read::default() };
    cache.get(&named(key), read).await.unwrap().hit.map(|hit| hit.entry.json().to_owned())
}

fn open(redis: bool, clock: Clock) -> TieredCache {
    TieredCache::open(Deployment { clock, ..Deployment::new("cache_control") }, config(redis)).unwrap()
}

fn config(redis: bool) -> Config {
    let mut config = Config::default();
    config.l1_config.coherence_window_ms = WINDOW.as_millis().try_into().unwrap();
    config.l2_config.redis_url = RedisUrl::new(std::env::var(REDIS_URL).unwrap());
    config.l2_config.enabled = redis;
    config.l2_config.timeout_ms = 10_000;
    config.l3_config.timeout_ms = 10_000;
    config
}

struct Process {
    /// Every mutation goes through this one.
    here: TieredCache,
    /// Another container's.
    there: TieredCache,
    done: Mutex<Vec<Done>>,
    values: AtomicU64,
}

/// An operation and what came of it.
#[derive(Debug, Clone)]
struct Done {
    key: &'static str,
    what: What,
    began: Instant,
    ended: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Put(Version),
    /// It, or an invalidation, is acknowledged.
    Deleted,
    /// It may have happened.
    Abandoned,
    Read {
        found: Option<Version>,
        here: bool,
    },
}

impl Process {
    async fn work(&self, mut rng: fastrand::Rng) {
        for _ in 0..OPERATIONS {
            if rng.u8(..8) == 0 {
                self.many(&mut rng).await;
                continue;
            }
            let key = [KEPT, SHARED, GONE][rng.usize(..3)][rng.usize(..2)];
            let (ends, is_shared) = (GONE.contains(&key), SHARED.contains(&key));
            // What is put without L3 may be lost with the copy of an operation that nobody waits for.
            let waits = is_shared || rng.u8(..8) > 0;
            let polls = if waits { usize::MAX } else { rng.usize(1..20) };
            let levels = levels_of(key);
            let began = Instant::now();
            let operation = async {
                match rng.u8(..10) {
                    0..=3 => self.put(key, levels).await,
                    4 if ends => self.here.delete(&named(key), "").await.map(|_| What::Deleted),
                    5 if ends => self.invalidate(key).await,
                    6..=7 => read(&self.there, key).await.map(|found| What::Read { found, here: false }),
                    _ => read(&self.here, key).await.map(|found| What::Read { found, here: true }),
                }
            };
            let what = match at_most(polls, operation).await {
                Some(Ok(what)) => what,
                // Others kept changing the key.
                Some(Err(CacheError::Contended)) | None => What::Abandoned,
                Some(Err(error)) => panic!("{error:?}"),
            };
            self.done.lock().unwrap().push(Done { key, what, began, ended: Instant::now() });
        }
    }

    /// Reads all keys at once, or changes them all at once.
    async fn many(&self, rng: &mut fastrand::Rng) {
        let keys: Vec<&'static str> = all_keys().collect();
        let (began, here) = (Instant::now(), rng.bool());
        let whats: Vec<What> = if rng.bool() {
            let cache = if here { &self.here } else { &self.there };
            let named: Vec<Key> = keys.iter().map(|key| named(key)).collect();
            let found = cache.get_many(&named, Read::default(), usize::MAX).await;
            let version = |found: Lookup| found.hit.map(|hit| hit.entry.version);
            let found = found.into_iter().map(|found| version(found.expect("there is room").unwrap()));
            found.map(|found| What::Read { found, here }).collect()
        } else {
            let mutate = |key: &&str| match GONE.contains(key) && rng.bool() {
                true => Mutate::Delete { key: named(key), by: String::new() },
                false => Mutate::Put(named(key), self.value(levels_of(key))),
            };
            let mutations: Vec<Mutate> = keys.iter().map(mutate).collect();
            self.here.mutate_many(&mutations, patience(LONG, LONG)).await.into_iter().map(what).collect()
        };
        let ended = Instant::now();
        let done = |(key, what): (&'static str, What)| Done { key, what, began, ended };
        self.done.lock().unwrap().extend(keys.into_iter().zip(whats).map(done));
    }

    /// What there is no time for is not begun; what is given up is what L3 has then, in every container.
    async fn keeps_to_its_time(&self) {
        let keys = ["late:1", "late:2", "late:3"];
        let puts: Vec<Mutate> = keys.map(|key| Mutate::Put(named(key), self.value(Levels::ALL))).into();
        let attempts = self.here.mutate_many(&puts, patience(Duration::ZERO, LONG)).await;
        assert!(attempts.iter().all(|attempt| matches!(attempt, Attempt::NotBegun)), "{attempts:?}");
        for key in keys {
            assert_eq!(read_anew(&self.there, key).await, None);
        }
        let (register, mut unanswered) = (open(false, Clock::system()), 0);
        for _ in 0..10 {
            let attempts = self.here.mutate_many(&puts, patience(LONG, Duration::ZERO)).await;
            unanswered += attempts.iter().filter(|attempt| matches!(attempt, Attempt::Unanswered)).count();
            tokio::time::sleep(ON_ITS_WAY).await;
            for key in keys {
                assert_eq!(read_anew(&self.here, key).await, read_anew(&register, key).await);
            }
        }
        assert!(unanswered > 0, "time has to be up for some");
    }

    async fn put(&self, key: &str, levels: Levels) -> Result<What, CacheError> {
        let stored = self.here.put(&named(key), self.value(levels)).await?;
        assert!(!stored.degraded, "Redis was there all the time");
        Ok(What::Put(stored.entry.version))
    }

    /// A value that nothing else has.
    fn value(&self, levels: Levels) -> Put {
        let value = Json::of(&self.values.fetch_add(1, Ordering::Relaxed)).unwrap();
        Put::new(value, 3600).tags(["all"]).levels(levels)
    }

    async fn invalidate(&self, key: &str) -> Result<What, CacheError> {
        let request = Invalidate::new(Pattern::new(key).unwrap());
        self.here.invalidate(&request).await.map(|_| What::Deleted)
    }

    /// Wherever a PUT is given up: what is read is what L3 has, and no copy of before.
    async fn settles_what_was_abandoned(&self) {
        let key = "abandoned";
        let register = open(false, Clock::system());
        let mut abandoned = 0;
        // A PUT takes three to five.
        for polls in [1, 2, 3, 4, 5].repeat(6) {
            self.put(key, Levels::ALL).await.unwrap();
            abandoned += usize::from(at_most(polls, self.put(key, Levels::ALL)).await.is_none());
            tokio::time::sleep(ON_ITS_WAY).await;
            let (seen, stands) = (read_anew(&self.here, key).await, read_anew(&register, key).await);
            assert_eq!(seen, stands, "given up after {polls} polls");
        }
        assert!(abandoned > 5, "{abandoned}");
    }

    /// In the end all agree: on what was put last, or what somebody who did not wait for it has put after that.
    async fn agrees(&self, done: &[Done]) {
        let fresh = cache();
        for key in all_keys() {
            let mut found = Vec::new();
            for cache in [&self.here, &self.there, &fresh] {
                found.push(read(cache, key).await.unwrap());
                found.push(read_anew(cache, key).await);
            }
            assert!(found.iter().all(|version| *version == found[0]), "{key}: {found:?}");
            let acknowledged = puts(done, key).map(|(version, _)| version).max();
            let now = Instant::now();
            let is_gone = found[0].is_none() && (GONE.contains(&key) || is_replaced(done, key, now, now));
            assert!(is_gone || found[0] >= acknowledged, "{key}: {found:?} before {acknowledged:?}");
        }
    }
}

/// Goes on with `future` at most so often; nobody waits for it any more then.
async fn at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (std::pin::pin!(future), polls);
    std::future::poll_fn(|context| match left.checked_sub(1) {
        Some(rest) => {
            left = rest;
            future.as_mut().poll(context).map(Some)
        }
        None => Poll::Ready(None),
    })
    .await
}

fn all_keys() -> impl Iterator<Item = &'static str> {
    [KEPT, SHARED, GONE].into_iter().flatten()
}

/// Whether a value that is kept without L3 may be missing within that time: the one before is gone before the new one is
/// there, and for good when its PUT gives up because others kept changing the key.
fn is_replaced(done: &[Done], key: &str, began: Instant, ended: Instant) -> bool {
    let put = puts(done, key).map(|(_, put)| put).filter(|put| put.ended < began).max_by_key(|put| put.began);
    let is_replaced = |other: &Done| match other.what {
        What::Put(_) => other.began <= ended && began <= other.ended,
        What::Abandoned => other.began <= ended && put.is_some_and(|put| put.began <= other.ended),
        _ => false,
    };
    SHARED.contains(&key) && done.iter().any(|other| other.key == key && is_replaced(other))
}

/// The levels that a key's values are put into.
fn levels_of(key: &str) -> Levels {
    if SHARED.contains(&key) { Levels::ALL.without(Level::L3) } else { Levels::ALL }
}

fn patience(begin: Duration, end: Duration) -> Patience {
    let now = tokio::time::Instant::now();
    Patience { begin_until: now + begin, end_until: now + end }
}

/// What came of one mutation of many.
fn what(attempt: Attempt) -> What {
    match attempt {
        Attempt::Ended(Ok(Mutated::Stored(stored))) => What::Put(stored.entry.version),
        Attempt::Ended(Ok(Mutated::Deleted(_))) => What::Deleted,
        Attempt::Ended(Err(CacheError::Contended)) => What::Abandoned,
        other => panic!("{other:?}"),
    }
}

pub fn named(key: &str) -> Key {
    Key::new(key).unwrap()
}

async fn read(cache: &TieredCache, key: &str) -> Result<Option<Version>, CacheError> {
    Ok(cache.get(&named(key), Read::default()).await?.hit.map(|hit| hit.entry.version))
}

async fn read_anew(cache: &TieredCache, key: &str) -> Option<Version> {
    let found = cache.get(&named(key), Read { no_cache: true, ..Read::default() }).await.unwrap();
    found.hit.map(|hit| hit.entry.version)
}

fn puts<'a>(done: &'a [Done], key: &'a str) -> impl Iterator<Item = (Version, &'a Done)> {
    done.iter().filter(move |done| done.key == key).filter_map(|done| match done.what {
        What::Put(version) => Some((version, done)),
        _ => None,
    })
}

fn judge(done: &[Done]) {
    let mut taken = BTreeMap::new();
    for key in all_keys() {
        for (version, put) in puts(done, key) {
            let other = taken.insert(version, put);
            assert!(other.is_none(), "two PUTs have one version: {put:?}, {other:?}");
            let sooner =
                puts(done, key).filter(|(_, other)| other.ended < put.began).max_by_key(|(version, _)| *version);
            assert!(sooner.is_none_or(|(sooner, _)| sooner < version), "{put:?} lost against {sooner:?}");
        }
        done.iter().filter(|done| done.key == key).for_each(|read| judge_read(done, read));
    }
    let ended = |what: fn(&What) -> bool| done.iter().filter(|done| what(&done.what)).count();
    eprintln!(
        "{} puts, {} ends, {} abandoned, {} reads that found something",
        taken.len(),
        ended(|what| *what == What::Deleted),
        ended(|what| *what == What::Abandoned),
        ended(|what| matches!(what, What::Read { found: Some(_), .. })),
    );
}

/// A read sees every mutation that was acknowledged before it began; in another container, Δ before.
fn judge_read(done: &[Done], read: &Done) {
    let What::Read { found, here } = read.what else { return };
    let known = if here { Duration::ZERO } else { WINDOW + Duration::from_millis(2) };
    let is_known = |other: &Done| other.ended + known < read.began;
    let newest = puts(done, read.key).filter(|(_, put)| is_known(put)).map(|(version, _)| version).max();
    if found.is_none() && is_replaced(done, read.key, read.began, read.ended) {
        return;
    }
    if !GONE.contains(&read.key) {
        assert!(found >= newest, "{read:?} is older than {newest:?}");
    } else if let Some(found) = found {
        let put = puts(done, read.key).find(|(version, _)| *version == found);
        let end = done.iter().find(|end| {
            let after = put.is_some_and(|(_, put)| put.ended < end.began);
            end.key == read.key && end.what == What::Deleted && is_known(end) && after
        });
        assert!(end.is_none(), "{read:?} found {put:?}, which {end:?} has ended");
    }
}
