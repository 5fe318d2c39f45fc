//! What fails, one thing after another, for as long as clients are at work.

use crate::{container::Container, fleet::Fleet, weather::Fault};
use fastrand::Rng;
use std::{cell::Cell, collections::BTreeSet, sync::Arc, time::Duration};
use strata_cache::config::{Assignment, Field};
use strata_checker::history::Incident;
use strata_engines::redis::Refusal;
use tokio::time::{sleep, timeout};

/// How long something that is wrong lasts, in ms.
const LASTS_MS: [u64; 5] = [20, 300, 1500, 6000, 20_000];
/// Commands of which one is forbidden where Redis denies something: what looks at copies, writes them, keeps their index,
/// the journal and what stands beside it, and scripts at all.
const DENIED: [&str; 13] = [
    "GETRANGE",
    "SET",
    "SETRANGE",
    "UNLINK",
    "ZADD",
    "ZREM",
    "ZRANGEBYLEX",
    "XADD",
    "XRANGE",
    "HSET",
    "HGETALL",
    "HINCRBY",
    "EVALSHA",
];
/// Pause between two attempts to switch a level, which may fail like anything else, and how long one may take.
const SWITCH_PAUSE: Duration = Duration::from_millis(500);
const SWITCH_TIME: Duration = Duration::from_secs(20);

/// Lets one thing after another fail, but for those that are left out, by its own number and theirs.
pub(crate) async fn fail(
    fleet: &Fleet,
    number: usize,
    is_over: &Cell<bool>,
    mut rng: Rng,
) -> Vec<((usize, usize), Incident)> {
    let mut incidents = Vec::new();
    for place in 0.. {
        if fleet.mix.faults.is_empty() || is_over.get() {
            break;
        }
        let mut rng = rng.fork();
        sleep(Duration::from_millis(rng.u64(..=fleet.mix.calm_ms))).await;
        let fault = fleet.mix.faults[rng.usize(..fleet.mix.faults.len())];
        let most_ms = LASTS_MS[rng.usize(..LASTS_MS.len())];
        let lasts = Duration::from_millis(rng.u64(..=most_ms));
        if fleet.omitted.faults.contains(&(number, place)) {
            continue;
        }
        let start = fleet.now();
        happen(fleet, fault, lasts, &mut rng).await;
        let (end, what) = (fleet.now(), format!("{fault:?}"));
        let (l3_well, empties) = (fault.leaves_l3_well(), fault == Fault::L3SwitchedOff);
        incidents.push(((number, place), Incident { start, end, what, l3_well, empties }));
    }
    incidents
}

async fn happen(fleet: &Fleet, fault: Fault, lasts: Duration, rng: &mut Rng) {
    match fault {
        Fault::Freeze => {
            let container = fleet.any(rng);
            container.freeze();
            sleep(lasts).await;
            container.thaw(fleet.mix.skew_ms == 0 && rng.bool());
        }
        Fault::Rest => {
            fleet.resting.set(Some(rng.usize(..fleet.mix.containers)));
            sleep(lasts).await;
            fleet.resting.set(None);
        }
        Fault::Kill => kill(fleet, rng),
        Fault::ClockSteps => {
            let container = fleet.any(rng);
            container.step_clock(rng.i64(-fleet.mix.skew_ms..=fleet.mix.skew_ms));
        }
        Fault::RedisRestartsEmpty | Fault::RedisLosesTail => {
            fleet.world.state().picture();
            sleep(lasts).await;
            let ahead_ms = if rng.bool() { 0 } else { rng.i64(-2000..=2000) };
            fleet.world.state().restart_redis(fault == Fault::RedisRestartsEmpty, ahead_ms);
        }
        Fault::JournalTrimmed => fleet.world.trim_journal(rng.usize(..5)),
        Fault::L2SwitchedOff | Fault::L3SwitchedOff => {
            let level = if fault == Fault::L2SwitchedOff { "l2_config.enabled" } else { "l3_config.enabled" };
            switch(fleet, level, false, rng).await;
            sleep(lasts).await;
            switch(fleet, level, true, rng).await;
        }
        _ => {
            begin(fleet, fault, rng);
            sleep(lasts).await;
            fleet.world.state().clears();
        }
    }
}

/// A container dies at whatever it was about, and another takes its place.
fn kill(fleet: &Fleet, rng: &mut Rng) {
    let mut containers = fleet.containers();
    let number = rng.usize(..containers.len());
    let dying = Arc::clone(&containers[number]);
    let ahead_ms = rng.i64(-fleet.mix.skew_ms..=fleet.mix.skew_ms);
    containers[number] = Arc::new(Container::begin(&fleet.world, &fleet.mix, number, dying.life + 1, ahead_ms));
    dying.kill();
}

/// Switches a level on or off for all, until that is done.
async fn switch(fleet: &Fleet, level: &str, on: bool, rng: &mut Rng) {
    let field = Field::find(level).expect("there is such a field");
    let change: [Assignment; 1] = [(field, on.into())];
    loop {
        let container = fleet.any(rng);
        let _turn = container.turn.acquire().await;
        let done = timeout(SWITCH_TIME, container.run(container.cache.configure(&change, "client", None))).await;
        if matches!(done, Ok(Ok(Ok(_)))) {
            return;
        }
        sleep(SWITCH_PAUSE).await;
    }
}

/// Begins what goes on for a while.
fn begin(fleet: &Fleet, fault: Fault, rng: &mut Rng) {
    let cut: BTreeSet<usize> = match rng.bool() {
        true => (0..fleet.mix.containers).collect(),
        false => [rng.usize(..fleet.mix.containers)].into(),
    };
    let mut state = fleet.world.state();
    let refusal = match fault {
        Fault::RedisFull => Some(Refusal::Full),
        Fault::RedisReadOnly => Some(Refusal::ReadOnly),
        Fault::RedisNoReplicas => Some(Refusal::NoReplicas),
        Fault::RedisLoading => Some(Refusal::Loading),
        Fault::RedisDenies => Some(Refusal::Denied(DENIED[rng.usize(..DENIED.len())])),
        _ => None,
    };
    if refusal.is_some() {
        state.redis_mut().refuse(refusal);
    }
    let (most, most_ms) = ([30, 300, 1000][rng.usize(..3)], [50, 400, 3000][rng.usize(..3)]);
    let (part, slow_ms) = (rng.u32(1..=most), rng.u64(1..=most_ms));
    let weather = &mut state.weather;
    match fault {
        Fault::RedisCut => weather.redis.cut = cut,
        Fault::RedisSlow => weather.redis.slow_ms = slow_ms,
        Fault::RedisLossy => weather.redis.lost = part,
        Fault::RedisBreaks => weather.redis.broken = part,
        Fault::RedisStalls => weather.redis.stalls_ms = slow_ms,
        Fault::L3Cut => weather.l3.cut = cut,
        Fault::L3Slow => weather.l3.slow_ms = slow_ms,
        Fault::L3Lossy => weather.l3.lost = part,
        Fault::L3Throttles => weather.throttled = part,
        Fault::L3Fails => weather.failing = part,
        Fault::L3Conflicts => weather.conflicting = part,
        _ => {}
    }
}
