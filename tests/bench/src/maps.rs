//! L1 beside caches within one process: the one it is built on, and those that others would take.

use crate::{
    pair::Pair,
    samples::{copy, entry, key},
};
use std::{hint::black_box, sync::Arc};
use strata_cache::{
    Clock, Key,
    config::L1Config,
    memory::{CachedEntry, Memory},
    stats::Counters,
};

/// Keys that are read and written in turns.
const KEYS: usize = 1000;
/// Entries that each cache may hold.
const CAPACITY: u64 = 10_000;

type Keys = std::iter::Cycle<std::vec::IntoIter<Key>>;

/// A cache that is compared with.
trait Map: Clone + 'static {
    const GET: &'static str;
    const INSERT: &'static str;

    fn read(&self, key: &Key) -> Option<Arc<CachedEntry>>;
    fn write(&self, key: Key, copy: Arc<CachedEntry>);
}

impl Map for mini_moka::sync::Cache<Key, Arc<CachedEntry>> {
    const GET: &'static str = "mini-moka get";
    const INSERT: &'static str = "mini-moka insert";

    fn read(&self, key: &Key) -> Option<Arc<CachedEntry>> {
        self.get(key)
    }

    fn write(&self, key: Key, copy: Arc<CachedEntry>) {
        self.insert(key, copy);
    }
}

impl Map for moka::sync::Cache<Key, Arc<CachedEntry>> {
    const GET: &'static str = "moka get";
    const INSERT: &'static str = "moka insert";

    fn read(&self, key: &Key) -> Option<Arc<CachedEntry>> {
        self.get(key)
    }

    fn write(&self, key: Key, copy: Arc<CachedEntry>) {
        self.insert(key, copy);
    }
}

impl Map for Arc<quick_cache::sync::Cache<Key, Arc<CachedEntry>>> {
    const GET: &'static str = "quick_cache get";
    const INSERT: &'static str = "quick_cache insert";

    fn read(&self, key: &Key) -> Option<Arc<CachedEntry>> {
        self.get(key)
    }

    fn write(&self, key: Key, copy: Arc<CachedEntry>) {
        self.insert(key, copy);
    }
}

/// L1 beside each of them.
pub fn all() -> impl Iterator<Item = Pair> {
    let mini_moka = pairs(mini_moka::sync::Cache::new(CAPACITY));
    let moka = pairs(moka::sync::Cache::new(CAPACITY));
    let quick_cache = pairs(Arc::new(quick_cache::sync::Cache::new(CAPACITY as usize)));
    mini_moka.into_iter().chain(moka).chain(quick_cache)
}

fn pairs<M: Map>(theirs: M) -> [Pair; 2] {
    let ours = Arc::new(Memory::new(&L1Config::default(), Clock::system(), Counters::default()));
    let entry = entry();
    for key in keys().take(KEYS) {
        ours.insert(key.clone(), copy(&entry));
        theirs.write(key, copy(&entry));
    }
    [get(Arc::clone(&ours), theirs.clone()), insert(ours, theirs)]
}

fn get<M: Map>(ours: Arc<Memory>, theirs: M) -> Pair {
    let (mut our_keys, mut their_keys) = (keys(), keys());
    Pair::new(
        "L1 get".to_owned(),
        M::GET,
        move || {
            black_box(ours.get(&next(&mut our_keys), 0));
        },
        move || {
            black_box(theirs.read(&next(&mut their_keys)));
        },
    )
}

fn insert<M: Map>(ours: Arc<Memory>, theirs: M) -> Pair {
    let (mut our_keys, mut their_keys) = (keys(), keys());
    let (our_entry, their_entry) = (entry(), entry());
    Pair::new(
        "L1 insert".to_owned(),
        M::INSERT,
        move || {
            black_box(ours.insert(next(&mut our_keys), copy(&our_entry)));
        },
        move || theirs.write(next(&mut their_keys), copy(&their_entry)),
    )
}

fn keys() -> Keys {
    (0..KEYS).map(key).collect::<Vec<_>>().into_iter().cycle()
}

fn next(keys: &mut Keys) -> Key {
    keys.next().expect("a cycle has no end")
}
