//! One run: clients and failures for a while, then quiet, then a last look at every key from every container.

use crate::{action::NAMES, client::Fleet, container::Container, mix::Mix, weather::Fault, world::World};
use fastrand::Rng;
use futures_util::future::{join_all, join3};
use std::{cell::Cell, collections::BTreeSet, fmt::Write, sync::Arc, time::Duration};
use strata_checker::{
    history::{Action, History, Incident, Operation, Outcome},
    rules::{DEGRADED_BOUND, Violation, violations},
};
use strata_engines::redis::Refusal;
use tokio::time::sleep;
use xxhash_rust::xxh3::Xxh3Default;

/// How long something that is wrong lasts, in ms.
const LASTS_MS: [u64; 5] = [20, 300, 1500, 6000, 20_000];
/// Without optimisation the cache's operations take several megabytes.
const STACK_BYTES: usize = 64 << 20;
/// After everything is well again a container is, too, within so long: it leaves a level alone for a second, and asks it
/// when it is needed.
const RECOVERY: Duration = Duration::from_secs(5);

/// What came of one run.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What the seed drew, for a reader.
    pub mix: String,
    /// What the clients saw.
    pub history: History,
    /// What is wrong with it, and not explained.
    pub violations: Vec<Violation>,
    /// Operations that failed although everything had been well for long, by their places in the history.
    pub unwell: Vec<usize>,
    /// A hash of all that happened: the same for the same seed.
    pub digest: u64,
    /// How many commands and requests the servers were sent.
    pub messages: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.unwell.is_empty()
    }
}

/// Does what the seed says, in no time, in a thread of its own: what threads keep for themselves is as new as the world.
///
/// # Panics
/// When there is no memory for a thread, or when the simulator itself panics.
pub fn run(seed: u64) -> Verdict {
    let simulated = move || {
        strata_cache::engines::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a thread can have a runtime").block_on(play(seed))
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(simulated);
    thread.expect("there is memory for a thread").join().expect("what panics is a cache, and that is caught")
}

async fn play(seed: u64) -> Verdict {
    let mut rng = Rng::with_seed(seed);
    let mix = Mix::draw(&mut rng);
    let world = Arc::new(World::new(&mix, &mut rng));
    let fleet = Fleet::begin(Arc::clone(&world), mix, &mut rng);
    let is_over = Cell::new(false);
    let (clients, failing, upkeep) = (rng.fork(), rng.fork(), rng.fork());
    let load = async {
        let operations = work(&fleet, clients).await;
        is_over.set(true);
        operations
    };
    let (mut operations, incidents, ()) =
        join3(load, fail(&fleet, &is_over, failing), keep_up(&fleet, &is_over, upkeep)).await;
    world.state().weather.clears();
    operations.extend(settle(&fleet, &operations, rng.fork()).await);
    let looked_from = fleet.now();
    operations.extend(last_look(&fleet, &operations).await);
    operations.sort_by_key(|operation| operation.start);
    let keys = NAMES.map(str::to_owned).to_vec();
    let history = History { window: fleet.mix.window, keys, operations, incidents };
    let is_unwell =
        |operation: &Operation| operation.start >= looked_from && matches!(operation.outcome, Outcome::Unknown { .. });
    let unwell = (0..history.operations.len()).filter(|place| is_unwell(&history.operations[*place])).collect();
    let violations = violations(&history).into_iter().filter(|violation| !violation.allowed).collect();
    let messages = world.state().done;
    let digest = digest(&history, messages);
    Verdict { seed, mix: format!("{:?}", fleet.mix), history, violations, unwell, digest, messages }
}

async fn work(fleet: &Fleet, mut rng: Rng) -> Vec<Operation> {
    let clients: Vec<_> = (0..fleet.mix.clients).map(|_| fleet.work(rng.fork())).collect();
    join_all(clients).await.into_iter().flatten().collect()
}

/// Lets one thing after another fail.
async fn fail(fleet: &Fleet, is_over: &Cell<bool>, mut rng: Rng) -> Vec<Incident> {
    let mut incidents = Vec::new();
    while !fleet.mix.faults.is_empty() && !is_over.get() {
        sleep(Duration::from_millis(rng.u64(..=fleet.mix.calm_ms))).await;
        let fault = fleet.mix.faults[rng.usize(..fleet.mix.faults.len())];
        let most_ms = LASTS_MS[rng.usize(..LASTS_MS.len())];
        let lasts = Duration::from_millis(rng.u64(..=most_ms));
        let start = fleet.now();
        happen(fleet, fault, lasts, &mut rng).await;
        let what = format!("{fault:?}");
        incidents.push(Incident { start, end: fleet.now(), what, l3_well: fault.leaves_l3_well() });
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
        _ => {
            begin(fleet, fault, rng);
            sleep(lasts).await;
            let mut state = fleet.world.state();
            state.weather.clears();
            state.redis_mut().refuse(None);
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

/// Does what the warmer does: jobs, and maintenance.
async fn keep_up(fleet: &Fleet, is_over: &Cell<bool>, mut rng: Rng) {
    while !is_over.get() {
        sleep(Duration::from_millis(fleet.mix.upkeep_ms)).await;
        let container = fleet.any(&mut rng);
        let _turn = container.turn.acquire().await;
        let upkeep = async {
            let _ = container.cache.maintain(Duration::from_secs(1)).await;
            while let Ok(Some(_)) = container.cache.run_next(Duration::from_secs(1)).await {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(30), container.run(upkeep)).await;
    }
}

/// Reads now and then until every acknowledged mutation must be seen everywhere.
async fn settle(fleet: &Fleet, operations: &[Operation], mut rng: Rng) -> Vec<Operation> {
    let told = |operation: &Operation| match operation.outcome {
        Outcome::Acknowledged { degraded: true, .. } | Outcome::NothingThere => operation.end + DEGRADED_BOUND,
        _ => operation.end,
    };
    let last = operations.iter().map(told).max().unwrap_or_default();
    let until = (last + fleet.mix.window).max(fleet.now() + RECOVERY) + Duration::from_millis(10);
    let mut operations = Vec::new();
    while fleet.now() < until {
        let container = fleet.any(&mut rng);
        let action = Action::Get { key: rng.usize(..NAMES.len()), no_cache: rng.bool() };
        operations.push(fleet.perform(&container, action).await);
        sleep(Duration::from_millis(700)).await;
    }
    operations
}

/// Reads the keys in every container: as they would be read, and then past L1.
async fn last_look(fleet: &Fleet, operations: &[Operation]) -> Vec<Operation> {
    let keys: BTreeSet<usize> = operations.iter().filter_map(|operation| Some(operation.put()?.key)).collect();
    let containers = fleet.containers().clone();
    let mut looked = Vec::new();
    for container in &containers {
        for &key in &keys {
            for no_cache in [false, true] {
                looked.push(fleet.perform(container, Action::Get { key, no_cache }).await);
            }
        }
    }
    looked
}

fn digest(history: &History, messages: u64) -> u64 {
    let (mut hash, mut line) = (Xxh3Default::new(), String::new());
    for operation in &history.operations {
        line.clear();
        write!(line, "{operation:?}").expect("a string takes any text");
        hash.update(line.as_bytes());
    }
    hash.update(&messages.to_le_bytes());
    hash.digest()
}
