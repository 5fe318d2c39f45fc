//! What a request of the `entries` binary costs Redis, with rate limits and statistics as they are deployed: commands
//! and round trips, counted outside the function by a [`Tap`] and by the server itself.

use crate::{
    counters::Work,
    engines::{Engines, connect},
    event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::Summary,
    tap::{Tap, Traffic},
    whole::warm_up,
};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::{self, Runtime};

/// Requests of each kind; fewer than any limit allows in a minute.
const REQUESTS: u32 = 900;
/// Counts are given for so many requests.
const PER: f64 = 1000.0;
/// From one request to the next when an API key reads as often as its limit allows, 5,000 times a minute.
const AT_THE_LIMIT: Duration = Duration::from_millis(12);

/// Requests to one container, and what each answer must say: the level that it comes from, say.
struct Workload {
    name: &'static str,
    container: Running,
    events: Vec<String>,
    says: &'static str,
    pace: Duration,
    /// What 1,000 of them are meant to take in round trips.
    aim: &'static str,
}

/// What so many requests did to Redis.
struct Cost {
    traffic: Traffic,
    executed: u64,
}

struct Bench {
    runtime: Runtime,
    tap: Tap,
    redis: MultiplexedConnection,
}

/// Counts all kinds, one after the other.
///
/// # Errors
/// When a function fails, or an answer comes from another level.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let redis = runtime.block_on(connect(engines.redis_url()))?;
    let tap = Tap::start(engines.redis_url().trim_start_matches("redis://"))?;
    // An empty variable is one that is not set: the limits are the default ones.
    let entries = engines.functions()?.entries.with("REDIS_URL", tap.url()).with("RATE_LIMIT_READ", "");
    let mut bench = Bench { runtime, tap, redis };
    let baseline = bench.bare()?;
    let workloads = [
        reads_of_memory(&entries, "GET from L1, 83 a second", AT_THE_LIMIT),
        reads_of_memory(&entries, "GET from L1, as fast as it goes", Duration::ZERO),
        reads_of_redis(&entries),
        writes(&entries),
    ];
    let mut rows = Vec::new();
    for workload in workloads {
        let workload = workload?;
        rows.extend(workload.rows(&bench.cost(&workload)?, &baseline));
    }
    let [plain, leased] = [false, true].map(|is_leased| misses(&entries, is_leased));
    let (plain, leased) = (plain?, leased?);
    let cost = bench.cost(&plain)?;
    rows.extend(plain.rows(&cost, &baseline));
    let leases = leased.rows(&bench.cost(&leased)?, &cost).into();
    Ok(vec![
        Section {
            title: "What 1,000 requests cost Redis".into(),
            baseline: "1,000 bare GETs, one after the other".into(),
            rows,
        },
        Section {
            title: "What 1,000 misses with a lease cost Redis".into(),
            baseline: "the same misses without Fill-Lease".into(),
            rows: leases,
        },
    ])
}

/// A container that is asked for what nobody has; each has one header, which takes the lease or means nothing.
fn misses(entries: &Function, is_leased: bool) -> Result<Workload, Box<dyn Error>> {
    let (name, header, says, aim) = if is_leased {
        ("Miss with a lease", "Fill-Lease", "granted", "no further one: 1×")
    } else {
        ("Miss", "Not-Leased", "CACHE_KEY_NOT_FOUND", "one each, a lease each 50: ≤ 1,020")
    };
    let container = alone(entries, name).start()?;
    container.api.invoke(&event::put(event::KEY), 1)?;
    let missed = |number| event::with_header(&event::get(&format!("missing-{}", key(number))), header, "10");
    let events = (0..REQUESTS).map(missed).collect();
    Ok(Workload { name, container, events, says, pace: Duration::ZERO, aim })
}

/// A container that holds the one entry that is asked for. It syncs every Δ of 1 s, however much it is asked.
fn reads_of_memory(entries: &Function, name: &'static str, pace: Duration) -> Result<Workload, Box<dyn Error>> {
    let container = alone(entries, name).start()?;
    container.api.invoke(&event::put(event::KEY), 1)?;
    let get = event::get(event::KEY);
    warm_up(&container, &get)?;
    let events = vec![get; REQUESTS as usize];
    Ok(Workload {
        name,
        container,
        events,
        says: "L1_MEMORY",
        pace,
        aim: "a sync each Δ, a lease each 50 requests: ≤ 32",
    })
}

/// A container that has none of the entries it is asked for: each was put by another one, and is asked for once.
fn reads_of_redis(entries: &Function) -> Result<Workload, Box<dyn Error>> {
    let name = "GET from L2, each of another key";
    let entries = alone(entries, name);
    let other = entries.with("RATE_LIMITS", "off").start()?;
    for number in 0..=REQUESTS {
        other.api.invoke(&event::put(&key(number)), 1)?;
    }
    let container = entries.start()?;
    container.api.invoke(&event::get(&key(REQUESTS)), 1)?;
    let events = (0..REQUESTS).map(|number| event::get(&key(number))).collect();
    Ok(Workload {
        name,
        container,
        events,
        says: "L2_REDIS",
        pace: Duration::ZERO,
        aim: "one each, a lease each 50: ≤ 1,020",
    })
}

/// A container that stores new entries in all levels.
fn writes(entries: &Function) -> Result<Workload, Box<dyn Error>> {
    let name = "PUT to all levels, each of another key";
    let container = alone(entries, name).start()?;
    container.api.invoke(&event::put(event::KEY), 1)?;
    let events = (0..REQUESTS).map(|number| event::put(&format!("new-{}", key(number)))).collect();
    Ok(Workload {
        name,
        container,
        events,
        says: "L3_DATABASE",
        pace: Duration::ZERO,
        aim: "two each, a lease each 10: ≤ 2,100",
    })
}

/// The function with Redis keys of its own, so that no other's requests count against its limits.
fn alone(entries: &Function, name: &str) -> Function {
    entries.with("KEY_PREFIX", format!("{name}:"))
}

fn key(number: u32) -> String {
    format!("customer:{number}")
}

impl Bench {
    fn cost(&mut self, workload: &Workload) -> Result<Cost, Box<dyn Error>> {
        let (work, traffic) = (self.work()?, self.tap.traffic());
        for event in &workload.events {
            let due = Instant::now() + workload.pace;
            let (_, answer) = workload.container.api.invoke(event, 1)?;
            if !answer.contains(workload.says) {
                return Err(format!("{}: not {}: {answer}", workload.name, workload.says).into());
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let traffic = self.tap.traffic() - traffic;
        Ok(Cost { traffic, executed: self.work()?.since(work).executed })
    }

    /// The same number of GETs by the library's client.
    fn bare(&mut self) -> Result<Cost, Box<dyn Error>> {
        let mut bare = self.runtime.block_on(connect(&self.tap.url()))?;
        let (work, traffic) = (self.work()?, self.tap.traffic());
        for _ in 0..REQUESTS {
            self.runtime.block_on(bare.get::<_, Option<String>>(event::KEY))?;
        }
        let traffic = self.tap.traffic() - traffic;
        Ok(Cost { traffic, executed: self.work()?.since(work).executed })
    }

    fn work(&mut self) -> Result<Work, redis::RedisError> {
        self.runtime.block_on(Work::so_far(&mut self.redis))
    }
}

impl Workload {
    fn rows(&self, cost: &Cost, baseline: &Cost) -> [Row; 3] {
        let row = |what: &str, of: fn(&Cost) -> u64| {
            let what = format!("{}: {what}", self.name);
            Row::new(what, Unit::Count, per_thousand(of(cost))).beside(per_thousand(of(baseline)))
        };
        [
            row("round trips", |cost| cost.traffic.round_trips).aim(self.aim),
            row("commands sent", |cost| cost.traffic.commands),
            row("commands with those of scripts", |cost| cost.executed),
        ]
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_thousand(count: u64) -> Summary {
    Summary::single(count as f64 * PER / f64::from(REQUESTS))
}
