//! Reading through the library: what a hit costs more than a plain read, what a lease adds to a hit and to a miss, and a
//! thousand tasks that miss one key to one.

use crate::{
    corpus,
    report::{Row, Section, Unit},
    stats::{PREPARED_TURNS, in_turns, prepared_in_turns},
};
use futures_util::future::join_all;
use std::{convert::Infallible, error::Error, hint::black_box, time::Duration};
use strata_cache::settings::Settings;
use strata_cache::{Fill, Json, Key, Lease, Load, Put, Read, TieredCache};
use tokio::{
    runtime::{self, Runtime},
    time::sleep,
};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "loads";
/// How many tasks ask for one key at once.
const TASKS: usize = 1_000;
/// How long a load takes.
const LOAD_TIME: Duration = Duration::from_millis(50);
/// How often a missing key is loaded.
const LOADS: usize = 21;
/// How long a lease is, in seconds.
const LEASE: Lease = Lease::new(10);

/// Measures with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn measure() -> Result<Section, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let Settings { config, deployment, .. } = Settings::from_env()?;
    let cache = TieredCache::open(deployment, config)?;
    Ok(Section {
        title: "Reading through".into(),
        baseline: "a plain read of the same key; one task alone".into(),
        rows: vec![
            hit(&runtime, &cache)?,
            leased_hit(&runtime, &cache)?,
            leased_miss(&runtime, &cache),
            herd(&runtime, &cache),
        ],
    })
}

/// A hit in memory, as text, beside that of a plain read.
fn hit(runtime: &Runtime, cache: &TieredCache) -> Result<Row, Box<dyn Error>> {
    let (key, load) = (Key::new("loads:hit")?, Load::new(3600).tags(["customer", "active"]));
    let text = Json::new(corpus::record(1).to_string())?;
    let read = || runtime.block_on(cache.get_or_load_json(&key, &load, async || Ok::<_, Infallible>(text.clone())));
    read()?;
    let (strata, baseline) =
        in_turns(|| drop(black_box(read())), || drop(black_box(runtime.block_on(cache.get(&key, Read::default())))));
    let row = Row::new("get_or_load_json of what L1 has / get", Unit::Microseconds, strata);
    Ok(row.beside(baseline).aim("≤ 1.1×"))
}

/// A hit in memory by a read that would take the lease, beside one that would not.
fn leased_hit(runtime: &Runtime, cache: &TieredCache) -> Result<Row, Box<dyn Error>> {
    let key = Key::new("loads:leased")?;
    runtime.block_on(cache.put(&key, Put::new(Json::of(&corpus::record(1))?, 3600)))?;
    let leased = || runtime.block_on(cache.get_or_lease(&key, Read::default(), &LEASE));
    if leased()?.0.hit.is_none() {
        return Err("what was put is missing".into());
    }
    let (strata, baseline) =
        in_turns(|| drop(black_box(leased())), || drop(black_box(runtime.block_on(cache.get(&key, Read::default())))));
    Ok(Row::new("get_or_lease of what L1 has / get", Unit::Microseconds, strata).beside(baseline).aim("≤ 1.02×"))
}

/// A miss that takes the lease beside one that does not, each of a key that nobody has asked for.
fn leased_miss(runtime: &Runtime, cache: &TieredCache) -> Row {
    let mut next = 0;
    let keys = || {
        next += 1;
        ["leased", "plain"].map(|of| Key::new(format!("loads:{of}:{next}")).expect("a short text is a key"))
    };
    let leased = |key: &Key| {
        let missed = runtime.block_on(cache.get_or_lease(key, Read::default(), &LEASE));
        assert!(matches!(missed, Ok((_, Some(Fill::Granted { .. })))), "nobody else has it");
    };
    let plain = |key: &Key| {
        let missed = runtime.block_on(cache.get(key, Read::default()));
        assert!(missed.is_ok_and(|missed| missed.hit.is_none()), "nobody has put it");
    };
    let (strata, baseline) =
        prepared_in_turns(PREPARED_TURNS, keys, |[key, _]| leased(key), |[_, key]: &[Key; 2]| plain(key));
    Row::new("get_or_lease of what nobody has / get", Unit::Microseconds, strata).beside(baseline).aim("≤ 1.1×")
}

/// Many tasks that ask for a key that nobody has, beside one.
fn herd(runtime: &Runtime, cache: &TieredCache) -> Row {
    let load = Load::new(3600);
    let loaded = |key: &Key, tasks: usize| {
        let loader = || async {
            sleep(LOAD_TIME).await;
            Ok::<_, Infallible>(1)
        };
        let all = (0..tasks).map(|_| cache.get_or_load(key, &load, async || loader().await));
        let all = runtime.block_on(join_all(all));
        assert!(all.iter().all(|loaded| matches!(loaded, Ok(1))), "it is loaded");
    };
    let mut next = 0;
    let keys = || {
        next += 1;
        ["herd", "one"].map(|of| Key::new(format!("loads:{of}:{next}")).expect("a short text is a key"))
    };
    let (herd, one) =
        prepared_in_turns(LOADS, keys, |[key, _]| loaded(key, TASKS), |[_, key]: &[Key; 2]| loaded(key, 1));
    let what = format!("{TASKS} tasks on one cold key, whose load takes {} ms / one task", LOAD_TIME.as_millis());
    Row::new(what, Unit::Microseconds, herd).beside(one).aim("≤ 2×")
}
