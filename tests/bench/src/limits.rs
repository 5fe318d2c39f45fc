//! What rate limits and statistics add to a GET from L1: in the `entries` binary, and in the library alone.
//!
//! The limit is the largest there is, so that the bench may go as fast as it can: a lease is then of 10,000 requests. How
//! many round trips the leases of the default limits take is counted by [`round_trips`](crate::round_trips). Statistics
//! cannot be switched off, so what one count takes is measured alone.

use crate::{
    engines::Engines,
    event,
    level2::put,
    process::{Function, Running},
    report::{Row, Section, Unit},
    samples,
    stats::{Summary, in_turns, rounds, sides},
    whole::warm_up,
};
use std::{error::Error, hint::black_box, io};
use strata_cache::settings::Settings;
use strata_cache::{
    Class, Clock, Count, Key, Level, Read, TieredCache, config::L1Config, memory::Memory, stats::Counters,
};
use tokio::runtime::{self, Runtime};

/// The measurement's name among the program's arguments.
pub const NAME: &str = "limits";
/// Turns in which each container answers [`PER_TURN`] requests.
const TURNS: usize = 200;
const PER_TURN: usize = 100;
/// Reads after which L1 has taken a value, and what is compiled or connected late has been.
const BEFORE: usize = 100;
/// Requests of one API key, before another one goes on: less than its limit.
const OF_ONE_KEY: usize = 500_000;
/// What a limit may add.
const AIM: &str = "≤ 3 µs";

/// Measures both.
///
/// # Errors
/// When a function or an engine fails.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let mut sections = vec![in_the_function(&engines.functions()?.entries)?];
    sections.extend(engines.in_a_process(&[NAME.to_owned()])?);
    Ok(sections)
}

fn in_the_function(entries: &Function) -> io::Result<Section> {
    let (limited, free) = (warm(entries)?, warm(&entries.with("RATE_LIMITS", "off"))?);
    let get = event::get(event::KEY);
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        turns.push((limited.take_turn(&get, PER_TURN)?.cpu_us, free.take_turn(&get, PER_TURN)?.cpu_us));
    }
    Ok(Section {
        title: "Rate limits of a GET from L1, in the function".into(),
        baseline: "the same binary with RATE_LIMITS=off; statistics are in both".into(),
        rows: compared("Processor time of a GET", turns).into(),
    })
}

fn warm(entries: &Function) -> io::Result<Running> {
    let container = entries.start()?;
    container.api.invoke(&event::put(event::KEY), 1)?;
    warm_up(&container, &event::get(event::KEY))?;
    Ok(container)
}

/// A row of both sides, and one of what the first takes more.
fn compared(what: &str, turns: Vec<(f64, f64)>) -> [Row; 2] {
    let more = Summary::of_differences(&turns);
    let (limited, free) = sides(turns);
    [
        Row::new(what, Unit::Microseconds, limited).beside(free),
        Row::new(format!("{what}: added"), Unit::Microseconds, more).aim(AIM),
    ]
}

/// Measures the library with the settings in the environment, in a process of its own as a function would be.
///
/// # Errors
/// When Redis or DynamoDB cannot be used.
pub fn in_the_library() -> Result<Section, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let Settings { config, deployment, .. } = Settings::from_env()?;
    let key = Key::new(event::KEY)?;
    let cache = TieredCache::open(deployment, config)?;
    fill(&runtime, &cache, &key)?;
    let get = || {
        let read = cache.get(&key, Read::default());
        black_box(runtime.block_on(read).expect("L1 cannot fail"));
    };
    let api_keys: Vec<String> = (0..100).map(|number| format!("bench-{number}")).collect();
    let mut asked = 0;
    let limited_get = || {
        asked += 1;
        let standing = runtime.block_on(cache.admit(&api_keys[asked / OF_ONE_KEY], Class::Read));
        black_box(standing.expect("the limit is larger than what one key asks"));
        get();
    };
    let mut rows = Vec::from(compared("TieredCache::get, with admit", rounds(limited_get, get)));
    rows.extend([beside_memory(&key, get), one_count()]);
    Ok(Section {
        title: "Rate limits and statistics of a GET from L1, in the library".into(),
        baseline: "TieredCache::get without admit; of the last rows, as they say".into(),
        rows,
    })
}

/// Puts the entry, and reads it until L1 has it.
fn fill(runtime: &Runtime, cache: &TieredCache, key: &Key) -> Result<(), Box<dyn Error>> {
    runtime.block_on(cache.put(key, put()))?;
    for _ in 0..BEFORE {
        runtime.block_on(cache.get(key, Read::default()))?;
    }
    let hit = runtime.block_on(cache.get(key, Read::default()))?.hit;
    if hit.is_some_and(|hit| hit.level == Level::L1) { Ok(()) } else { Err("the value is not in L1".into()) }
}

fn beside_memory(key: &Key, get: impl FnMut()) -> Row {
    let memory = Memory::new(&L1Config::default(), Clock::system(), Counters::default());
    memory.insert(key.clone(), samples::copy(&samples::entry()));
    let (tiered, alone) = in_turns(get, || {
        black_box(memory.get(key, 0));
    });
    Row::new("TieredCache::get / its L1 alone", Unit::Microseconds, tiered).beside(alone)
}

fn one_count() -> Row {
    let counters = Counters::default();
    let (count, nothing) = in_turns(
        || black_box(&counters).add(Count::L1Hits, 1),
        || {
            black_box(&counters);
        },
    );
    Row::new("One count of the statistics / nothing", Unit::Microseconds, count).beside(nothing)
}
