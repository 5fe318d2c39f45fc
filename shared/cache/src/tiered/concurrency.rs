//! Operations of one process at once, in thousands of orders.
//!
//! The cache is the real one, its locks are [shuttle](https://docs.rs/shuttle)'s: at each of them the test decides who goes
//! on. Redis and L3 are what they promise to be, steps that are taken one after another; an operation takes here the steps
//! that it takes with the real ones, without waiting. What is judged is what somebody could see.

use super::{TieredCache, sync::About, tests::source};
use crate::{
    Clock, Config, Deployment, Read, Selector,
    coherence::{Since, SyncReply},
    key::Key,
    level::{Level, Levels},
    open_invalidations::OpenInvalidations,
    pattern::Pattern,
    record::{Event, Record},
    selector::WrittenInvalidation,
    version::{Position, Version},
};
use shuttle::{
    Config as Schedules, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
    sync::Mutex,
    thread,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const NOW_MS: i64 = 1_700_000_000_000;
const NOW_US: u64 = 1_700_000_000_000_000;
/// Δ, in ms.
const WINDOW_MS: i64 = 100;
/// A sync that is further behind than so many records begins anew.
const MOST_RECORDS: usize = 3;
/// How many orders are tried of each kind.
const SCHEDULES: usize = 1_000;
/// How many changes from one thread to another matter at once.
const DEPTH: usize = 4;

/// Redis and L3, and what was acknowledged.
#[derive(Default)]
struct Shared {
    time_us: u64,
    journal: Vec<Record>,
    rows: BTreeMap<Key, Version>,
    taken: BTreeSet<Version>,
    /// By this process, which sees it at once.
    own: BTreeMap<Key, Version>,
    /// By others, and when.
    foreign: Vec<(Key, Version, i64)>,
    /// What others have invalidated, and left to a job that has not begun.
    open: Vec<(Position, String)>,
    hidden: Vec<(Key, Version, i64)>,
}

struct World {
    cache: TieredCache,
    clock: Clock,
    shared: Mutex<Shared>,
}

impl Shared {
    fn sync(&mut self, cursor: Option<Position>) -> SyncReply {
        self.time_us += 1;
        let newer = self.journal.iter().filter(|record| cursor.is_none_or(|cursor| record.at > cursor));
        let newer: Vec<Record> = newer.cloned().collect();
        let end = self.journal.last().map_or(at(0), |record| record.at);
        let gap = (cursor.is_none() || newer.len() > MOST_RECORDS).then_some(end);
        let records = if gap.is_some() { Vec::new() } else { newer };
        let notes_checked_ms = NOW_MS.unsigned_abs();
        let open = OpenInvalidations::read(self.open.iter().map(|(at, text)| (Some(*at), text.as_str())));
        let open = Some(open);
        SyncReply { epoch: at(0), gap, records, open, notes_checked_ms, ..SyncReply::at(NOW_US + self.time_us) }
    }

    fn append(&mut self, key: &Key, version: Version) {
        let at = at(self.journal.len());
        self.journal.push(Record { at, event: Event::Changed { key: key.clone(), version } });
    }

    /// A version of another container.
    fn foreign(&self) -> Version {
        let newest = self.taken.last().copied().unwrap_or_default();
        Version::at(newest.micros().max(NOW_US + self.time_us) + 1, 1)
    }

    /// Writes a row, or says which version is newer.
    fn write(&mut self, key: &Key, version: Version) -> Result<(), Version> {
        assert!(self.taken.insert(version), "two mutations have the same version");
        let row = self.rows.entry(key.clone()).or_default();
        if *row > version {
            return Err(*row);
        }
        *row = version;
        Ok(())
    }

    fn acknowledge(&mut self, key: &Key, version: Version) {
        let own = self.own.entry(key.clone()).or_default();
        *own = version.max(*own);
    }

    /// The least version that a read may return which starts now, at `now_ms`, and one that it may not.
    fn bounds(&self, key: &Key, now_ms: i64, read: Read) -> (Version, Version) {
        let is_late = |at_ms: i64| read.no_cache || now_ms - at_ms > WINDOW_MS;
        let newest = |of: &[(Key, Version, i64)]| {
            let late = of.iter().filter(|(other, _, at_ms)| other == key && is_late(*at_ms));
            late.map(|(_, version, _)| *version).max().unwrap_or_default()
        };
        let (foreign, hidden) = (newest(&self.foreign), newest(&self.hidden));
        let least = foreign.max(self.own.get(key).copied().unwrap_or_default());
        (if least > hidden { least } else { Version::ZERO }, hidden)
    }
}

fn at(number: usize) -> Position {
    Position { ms: NOW_MS.unsigned_abs(), seq: number as u64 }
}

fn key(number: usize) -> Key {
    Key::new(number.to_string()).expect("a number is a key")
}

impl World {
    fn new() -> World {
        let clock = Clock::manual(NOW_MS);
        let deployment = Deployment { clock: clock.clone(), ..Deployment::new("control") };
        let mut config = Config::default();
        config.l1_config.coherence_window_ms = WINDOW_MS.unsigned_abs();
        let cache = TieredCache::open(deployment, config).expect("the defaults go together");
        let shared = Shared { journal: vec![Record { at: at(0), event: Event::Epoch }], ..Shared::default() };
        World { cache, clock, shared: Mutex::new(shared) }
    }

    fn shared<T>(&self, step: impl FnOnce(&mut Shared) -> T) -> T {
        step(&mut self.shared.lock().expect("nobody panics within"))
    }

    fn row(&self, key: &Key) -> Version {
        self.shared(|shared| shared.rows.get(key).copied()).unwrap_or_default()
    }

    fn sync(&self) {
        self.then_sync(|_| {});
    }

    /// Does something in Redis, syncs after it, and takes in the reply when its turn comes.
    fn then_sync(&self, step: impl FnOnce(&mut Shared)) {
        let view = self.cache.view();
        let sent = view.send();
        let reply = self.shared(|shared| {
            step(shared);
            shared.sync(sent.cursor)
        });
        thread::yield_now();
        drop(view.learn(reply, &sent, About::default(), &[]).expect("nothing was forgotten"));
    }

    fn put(&self, key: &Key) {
        let mut floor = Version::ZERO;
        loop {
            let asked_ms = self.clock.steady_ms();
            self.sync();
            let (view, as_of) = (self.cache.view(), self.cache.as_of());
            let version = self.cache.version_above(floor, as_of);
            if let Err(newer) = self.shared(|shared| shared.write(key, version)) {
                floor = newer;
                continue;
            }
            self.then_sync(|shared| shared.append(key, version));
            let since = self.cache.knowledge().since(key, &[], as_of, version, None);
            view.forget(key, &mut view.path());
            if since == Since::Unchanged {
                view.fill(key, as_of, &source(version, as_of, Some(asked_ms)));
            }
            return self.shared(|shared| shared.acknowledge(key, version));
        }
    }

    /// A PUT that cannot reach Redis, which is told of it later.
    fn put_without_redis(&self, key: &Key) {
        let mut floor = Version::ZERO;
        loop {
            let (asked_ms, as_of) = (self.clock.steady_ms(), self.cache.as_of());
            floor = floor.max(self.row(key));
            let version = self.cache.version_without_redis(floor);
            if let Err(newer) = self.shared(|shared| shared.write(key, version)) {
                floor = newer;
                continue;
            }
            let view = self.cache.view();
            let own = self.cache.knowledge().overtake_fills(as_of);
            view.forget(key, &mut view.path());
            view.fill(key, own, &source(version, own, Some(asked_ms)));
            self.shared(|shared| shared.acknowledge(key, version));
            return self.shared(|shared| shared.append(key, version));
        }
    }

    /// A PUT of another container.
    fn put_elsewhere(&self, key: &Key) {
        self.shared(|shared| {
            let version = shared.foreign();
            shared.write(key, version).expect("it is the newest");
            shared.append(key, version);
            shared.foreign.push((key.clone(), version, self.clock.now_ms()));
        });
    }

    /// An invalidation of another container, which is acknowledged while all it means is still there.
    fn invalidate_elsewhere(&self, key: &Key) {
        self.shared(|shared| {
            let (at, version) = (at(shared.journal.len()), shared.foreign());
            let selector = Selector::Pattern(Pattern::new(key.as_str()).expect("a number is a pattern"));
            let written = WrittenInvalidation::new(version, &selector, Levels::ALL, None, None);
            let invalidation = written.clone().recorded_at(at).expect("it is of this release");
            shared.journal.push(Record { at, event: Event::Invalidated(Arc::new(invalidation)) });
            shared.open.push((at, written.to_json()));
            shared.hidden.push((key.clone(), version, self.clock.now_ms()));
            shared.taken.insert(version);
        });
    }

    fn get(&self, key: &Key, read: Read) {
        let (least, hidden) = self.shared(|shared| shared.bounds(key, self.clock.now_ms(), read));
        let view = self.cache.view();
        let found = view.get_from_memory(key, read, &mut view.path()).map(|hit| hit.entry.version);
        let found = found.unwrap_or_else(|| {
            self.sync();
            let held = self.cache.memory.get(key, self.clock.now_ms());
            let held = held.filter(|copy| view.confirm_or_drop(key, copy, None) == Some(true));
            held.map_or_else(|| self.load(key), |copy| copy.entry.version)
        });
        let is_gone =
            found == Version::ZERO && self.shared(|shared| shared.hidden.iter().any(|(gone, ..)| gone == key));
        assert!(found >= least || is_gone, "{found:?} is older than {least:?}");
        assert!(found == Version::ZERO || found > hidden, "{found:?} was invalidated by {hidden:?}");
    }

    fn load(&self, key: &Key) -> Version {
        let (as_of, read_at_ms) = (self.cache.as_of(), self.clock.steady_ms());
        let version = self.row(key);
        thread::yield_now();
        if self.cache.knowledge().masks(Level::L3, key, &[], version) {
            return Version::ZERO;
        }
        if version > Version::ZERO {
            self.cache.view().fill(key, as_of, &source(version, as_of, Some(read_at_ms)));
        }
        version
    }
}

/// Runs `before`, and all of `threads` in many orders; afterwards every key reads as it was written last.
fn in_many_orders(before: fn(&World), threads: &[fn(&World)]) {
    let threads: Arc<[fn(&World)]> = threads.into();
    let run = move || {
        fastrand::seed(1);
        let world = Arc::new(World::new());
        before(&world);
        let spawn = |work: &fn(&World)| {
            let (world, work) = (Arc::clone(&world), *work);
            thread::spawn(move || work(&world))
        };
        let threads: Vec<_> = threads.iter().map(spawn).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        world.clock.set(world.clock.now_ms() + WINDOW_MS + 1);
        (0..2).for_each(|number| world.get(&key(number), Read::default()));
    };
    under(RandomScheduler::new(SCHEDULES), run.clone());
    under(PctScheduler::new(DEPTH, SCHEDULES), run);
}

fn under(scheduler: impl Scheduler + 'static, run: impl Fn() + Send + Sync + 'static) {
    let mut schedules = Schedules::new();
    // What a debug build needs to open a cache.
    schedules.stack_size = 1 << 20;
    Runner::new(scheduler, schedules).run(run);
}

fn read(world: &World) {
    for _ in 0..3 {
        world.get(&key(0), Read::default());
    }
}

fn read_anew(world: &World) {
    world.get(&key(0), Read { no_cache: true, ..Read::default() });
}

fn write(world: &World) {
    world.put(&key(0));
    world.get(&key(0), Read::default());
}

fn write_without_redis(world: &World) {
    world.put_without_redis(&key(0));
    world.get(&key(0), Read::default());
}

fn write_elsewhere(world: &World) {
    [0, 1, 0].into_iter().for_each(|number| world.put_elsewhere(&key(number)));
}

fn pass_time(world: &World) {
    for _ in 0..4 {
        world.clock.set(world.clock.now_ms() + WINDOW_MS / 2 + 1);
        thread::yield_now();
    }
}

#[test]
fn own_mutations_are_seen_at_once() {
    in_many_orders(|_| {}, &[write, write, read, read]);
}

#[test]
fn own_mutations_without_redis_are_seen_at_once() {
    in_many_orders(|_| {}, &[write_without_redis, write_without_redis, read, write]);
}

#[test]
fn mutations_of_others_are_seen_within_the_window() {
    in_many_orders(|_| {}, &[write_elsewhere, read, read, pass_time, read_anew]);
}

#[test]
fn a_container_that_falls_behind_again_and_again_keeps_nothing_old() {
    let busy: fn(&World) = |world| {
        for number in [0, 1, 1, 1, 1, 0, 1, 1, 1] {
            world.put_elsewhere(&key(number));
        }
    };
    in_many_orders(|_| {}, &[busy, read, pass_time, write, |world| world.get(&key(1), Read::default())]);
}

#[test]
fn what_one_read_learns_does_not_vouch_for_a_copy_that_another_has_found_before() {
    let outdated: fn(&World) = |world| {
        world.put_elsewhere(&key(0));
        world.get(&key(0), Read::default());
        world.put_elsewhere(&key(0));
        world.clock.set(world.clock.now_ms() + WINDOW_MS + 1);
    };
    in_many_orders(outdated, &[read, read, read]);
}

#[test]
fn what_was_invalidated_is_not_found_again_by_a_late_reply() {
    let invalidate: fn(&World) = |world| {
        world.invalidate_elsewhere(&key(0));
        world.get(&key(0), Read { no_cache: true, ..Read::default() });
    };
    in_many_orders(|world| world.put_elsewhere(&key(0)), &[invalidate, read_anew, read_anew, read_anew]);
}
