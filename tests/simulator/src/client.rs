//! What one client does, and what it sees.

use crate::{
    action::{Actions, NAMES, TAGS, Task},
    container::{Broken, Container},
    mix::Mix,
    world::{World, ZERO_MS},
};
use fastrand::Rng;
use std::{
    cell::RefCell,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use strata_cache::{
    CacheError, Fill, Hit, Invalidate, Json, Key, Keys, Lease, Level, Levels, Patch, Pattern, Put, Read, Selector, Warm,
};
use strata_checker::{
    history::{self, Action, Found, KeyId, Operation, Outcome, Scope},
    value,
};
use tokio::time::{sleep, timeout};

/// How long a client waits for an answer: as long as the gateway does.
const PATIENCE: Duration = Duration::from_secs(29);
/// How much one answer to several reads may hold.
const MOST_BYTES: usize = 1 << 20;
/// For how long who is to load a value may take, in seconds.
const LEASE_SECONDS: u32 = 10;

/// The containers, and the world they are in.
pub(crate) struct Fleet {
    pub(crate) world: Arc<World>,
    pub(crate) mix: Mix,
    pub(crate) actions: RefCell<Actions>,
    containers: Mutex<Vec<Arc<Container>>>,
}

impl Fleet {
    pub(crate) fn begin(world: Arc<World>, mix: Mix, rng: &mut Rng) -> Fleet {
        let begin = |number| {
            let ahead_ms = rng.i64(-mix.skew_ms..=mix.skew_ms);
            Arc::new(Container::begin(&world, &mix, number, 0, ahead_ms))
        };
        let containers = (0..mix.containers).map(begin).collect();
        Fleet { world, mix, actions: RefCell::default(), containers: Mutex::new(containers) }
    }

    pub(crate) fn containers(&self) -> MutexGuard<'_, Vec<Arc<Container>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn any(&self, rng: &mut Rng) -> Arc<Container> {
        let containers = self.containers();
        Arc::clone(&containers[rng.usize(..containers.len())])
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.world.now_ms()).unwrap_or_default())
    }

    /// What one client does, one operation after another.
    pub(crate) async fn work(&self, mut rng: Rng) -> Vec<Operation> {
        let mut operations = Vec::new();
        for _ in 0..self.mix.operations {
            let mut rng = rng.fork();
            let task = self.actions.borrow_mut().draw(&self.mix, &mut rng);
            let container = self.any(&mut rng);
            match task {
                Task::One(action) => operations.push(self.perform(&container, action).await),
                Task::Many(keys) => operations.extend(self.read_many(&container, &keys).await),
                Task::Fill(put, load) => operations.extend(self.fill(&container, &self.any(&mut rng), put, load).await),
                Task::Warm(keys) => self.warm(&container, &keys).await,
            }
            sleep(Duration::from_millis(rng.u64(..=self.mix.think_ms))).await;
        }
        operations
    }

    /// Does something in a container, when that has the time.
    async fn within<T>(&self, container: &Container, work: impl Future<Output = T>) -> (Duration, Result<T, Broken>) {
        let _turn = container.turn.acquire().await;
        let start = self.now();
        // Who is not answered in time gives up; what it has asked for goes no further.
        let done = timeout(PATIENCE, container.run(work)).await;
        (start, done.unwrap_or(Err(Broken::TooLate)))
    }

    pub(crate) async fn perform(&self, container: &Container, action: Action) -> Operation {
        let (start, done) = self.within(container, ask(container, &action)).await;
        let outcome = done.unwrap_or_else(Broken::outcome);
        Operation { start, end: self.now(), process: Some(container.process()), action, outcome }
    }

    async fn read_many(&self, container: &Container, keys: &[KeyId]) -> Vec<Operation> {
        let names: Vec<Key> = keys.iter().map(|key| name(*key)).collect();
        let (start, done) = self.within(container, container.cache.get_many(&names, Read::default(), MOST_BYTES)).await;
        let (end, process) = (self.now(), Some(container.process()));
        let outcome = |place: usize| match &done {
            Ok(found) => match found.get(place) {
                Some(Some(Ok(lookup))) => {
                    lookup.hit.as_ref().map_or(Outcome::Absent, |hit| Outcome::Found(found_by(hit)))
                }
                _ => Outcome::Unknown { status: 503, killed: false },
            },
            Err(broken) => broken.outcome(),
        };
        let operation = |(place, key): (usize, &KeyId)| Operation {
            start,
            end,
            process: process.clone(),
            action: Action::Get { key: *key, no_cache: false },
            outcome: outcome(place),
        };
        keys.iter().enumerate().map(operation).collect()
    }

    /// Reads a key in one container; where it is missing and the lease is granted, loads the value for a while and puts it in
    /// another one.
    async fn fill(&self, first: &Container, second: &Container, put: history::Put, load: Duration) -> Vec<Operation> {
        let (key, process) = (name(put.key), Some(first.process()));
        let lease = Lease { seconds: LEASE_SECONDS, wait: Duration::ZERO, api_key: String::new() };
        let (start, done) = self.within(first, first.cache.get_or_lease(&key, Read::default(), &lease)).await;
        let (token, outcome) = match done {
            Ok(Ok((lookup, fill))) => {
                let outcome = lookup.hit.as_ref().map_or(Outcome::Absent, |hit| Outcome::Found(found_by(hit)));
                let token = match fill {
                    Some(Fill::Granted { token, .. }) => Some(token),
                    _ => None,
                };
                (token, outcome)
            }
            Ok(Err(error)) => (None, refused(&error)),
            Err(broken) => (None, broken.outcome()),
        };
        let end = self.now();
        let action = Action::Get { key: put.key, no_cache: false };
        let missed = Operation { start, end, process, action, outcome };
        let Some(token) = token else { return vec![missed] };
        sleep(load).await;
        let put = history::Put { loaded: Some(end), ..put };
        let filling = stored(second.cache.put(&key, wanted(&put).fill(token)));
        let (start, done) = self.within(second, filling).await;
        let outcome = done.unwrap_or_else(Broken::outcome);
        let process = Some(second.process());
        vec![missed, Operation { start, end: self.now(), process, action: Action::Put(put), outcome }]
    }

    async fn warm(&self, container: &Container, keys: &[KeyId]) {
        let mut warm = Warm::new("client");
        warm.keys = keys.iter().map(|key| name(*key)).collect();
        let _ = self.within(container, container.cache.warm(warm, None)).await;
    }
}

impl Broken {
    fn outcome(self) -> Outcome {
        match self {
            Broken::Killed => Outcome::Unknown { status: 502, killed: true },
            Broken::Panicked => Outcome::Unknown { status: 500, killed: false },
            Broken::TooLate => Outcome::Unknown { status: 504, killed: false },
        }
    }
}

fn name(key: KeyId) -> Key {
    Key::new(NAMES[key]).expect("the names are keys")
}

fn tags(ids: &[usize]) -> Vec<Arc<str>> {
    ids.iter().map(|tag| TAGS[*tag].into()).collect()
}

fn levels(names: &[&str]) -> Levels {
    match names {
        [] => Levels::ALL,
        names => names.iter().filter_map(|name| Level::from_name(name)).collect(),
    }
}

fn wanted(put: &history::Put) -> Put {
    let seconds = u32::try_from(put.ttl.as_secs()).unwrap_or(u32::MAX);
    let value = Json::checked(value::text(put.value).into());
    let wanted = Put::new(value, seconds).tags(tags(&put.tags)).by("client");
    if put.levels.is_empty() { wanted } else { wanted.levels(levels(put.levels)) }
}

/// Asks the cache, and says how that ended as a client of the API would see it.
async fn ask(container: &Container, action: &Action) -> Outcome {
    let cache = &container.cache;
    match action {
        Action::Get { key, no_cache } => {
            match cache.get(&name(*key), Read { no_cache: *no_cache, ..Read::default() }).await {
                Ok(lookup) => lookup.hit.as_ref().map_or(Outcome::Absent, |hit| Outcome::Found(found_by(hit))),
                Err(error) => refused(&error),
            }
        }
        Action::Put(put) => stored(cache.put(&name(put.key), wanted(put))).await,
        Action::Patch(patch) => {
            let wanted = Patch {
                ttl_seconds: u32::try_from(patch.ttl.as_secs()).ok(),
                add_tags: tags(&patch.add),
                remove_tags: tags(&patch.remove),
                ..Patch::default()
            };
            match cache.patch(&name(patch.key), &wanted).await {
                Ok(Some(done)) => Outcome::Acknowledged { degraded: done.degraded, durable: false },
                Ok(None) => Outcome::Refused(404),
                Err(error) => refused(&error),
            }
        }
        Action::Delete { key } => match cache.delete(&name(*key), "client").await {
            Ok(done) if done.levels.is_empty() => Outcome::NothingThere,
            Ok(done) => Outcome::Acknowledged { degraded: done.degraded, durable: false },
            Err(error) => refused(&error),
        },
        Action::GetStale { .. } | Action::MakeStale { .. } | Action::Undo { .. } => unreachable!("nobody draws one"),
        Action::Invalidate { scope, levels: named } => {
            let selector = match scope {
                Scope::Pattern { text, .. } => Selector::Pattern(Pattern::new(text).expect("it is a pattern")),
                Scope::Keys(keys) => Selector::Keys(keys.iter().map(|key| name(*key)).collect::<Keys>()),
                Scope::Tag(tag) => Selector::Tags { any: tags(&[*tag]), within: None },
            };
            let request = Invalidate {
                selector,
                levels: levels(named),
                reason: None,
                by: None,
                account: None,
                dry_run: false,
                max_affected: None,
                stale_seconds: None,
                undo_seconds: None,
            };
            match cache.invalidate(&request).await {
                Ok(done) => Outcome::Acknowledged { degraded: done.degraded, durable: false },
                Err(error) => refused(&error),
            }
        }
    }
}

async fn stored(put: impl Future<Output = Result<strata_cache::Stored, CacheError>>) -> Outcome {
    match put.await {
        Ok(done) => Outcome::Acknowledged { degraded: done.degraded, durable: done.levels.has(Level::L3) },
        Err(error) => refused(&error),
    }
}

/// How an error looks from outside: one after which nothing can have happened, and one that leaves that open.
fn refused(error: &CacheError) -> Outcome {
    match error {
        CacheError::Unavailable { .. } | CacheError::Contended | CacheError::OutOfTime => {
            Outcome::Unknown { status: 503, killed: false }
        }
        CacheError::PreconditionFailed | CacheError::LeaseLost => Outcome::Refused(412),
        _ => Outcome::Refused(422),
    }
}

fn found_by(hit: &Hit) -> Found {
    let text = hit.entry.json();
    let number = value::number(text);
    Found {
        value: number,
        intact: number.is_some_and(|number| value::text(number) == text),
        level: hit.level.name().to_owned(),
        expires_at_ms: hit.entry.expires_at_ms - ZERO_MS,
        stale: hit.stale,
    }
}
