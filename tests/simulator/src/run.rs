//! One run: clients and failures for a while, then quiet, then a last look at every key from every container.

use crate::{
    action::NAMES,
    explained::{Judged, judge},
    failing::fail,
    fleet::Fleet,
    leaks,
    mix::Mix,
    omitted::Omitted,
    weather::RECOVERY,
    world::World,
};
use fastrand::Rng;
use futures_util::future::{join_all, join3};
use std::{cell::Cell, collections::BTreeSet, fmt::Write, sync::Arc, time::Duration};
use strata_checker::{
    history::{Action, History, Operation, Outcome},
    rules::{DEGRADED_BOUND, Violation, violations},
};
use tokio::time::sleep;
use xxhash_rust::xxh3::Xxh3Default;

/// Without optimisation the cache's operations take several megabytes.
const STACK_BYTES: usize = 64 << 20;
/// How often everything is explained when nothing fails any more, and how many turns come before each time.
const EXPLANATIONS: usize = 6;
const TURNS: usize = 4;

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
    /// Reads that failed although everything had been well for long, by their places in the history.
    pub unwell: Vec<usize>,
    /// What is left although everything was removed.
    pub leaked: Vec<String>,
    /// What came of judging explanations.
    pub explained: Judged,
    /// How many clients there were, and how many turns each had.
    pub(crate) clients: usize,
    pub(crate) turns: usize,
    /// The faults there were.
    pub(crate) faults: Vec<(usize, usize)>,
    /// A hash of all that happened: the same for the same seed.
    pub digest: u64,
    /// How many commands and requests the servers were sent.
    pub messages: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.complaint().is_none()
    }

    /// What is wrong, in a few words.
    pub(crate) fn complaint(&self) -> Option<String> {
        let violated = self.violations.first().map(|violation| format!("{:?}", violation.rule));
        let unwell = || (!self.unwell.is_empty()).then(|| "unwell".to_owned());
        let misexplained = || (!self.explained.wrong.is_empty()).then(|| "misexplained".to_owned());
        let leaked = || (!self.leaked.is_empty()).then(|| "leaked".to_owned());
        violated.or_else(unwell).or_else(misexplained).or_else(leaked)
    }
}

/// Does what the seed says, in no time, in a thread of its own: what threads keep for themselves is as new as the world.
///
/// # Panics
/// When there is no memory for a thread, or when the simulator itself panics.
pub fn run(seed: u64) -> Verdict {
    run_without(seed, Omitted::default())
}

/// The same with something left out.
pub(crate) fn run_without(seed: u64, omitted: Omitted) -> Verdict {
    let simulated = move || {
        strata_cache::engines::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a thread can have a runtime").block_on(play(seed, omitted))
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(simulated);
    thread.expect("there is memory for a thread").join().expect("what panics is a cache, and that is caught")
}

async fn play(seed: u64, omitted: Omitted) -> Verdict {
    let mut rng = Rng::with_seed(seed);
    let mix = Mix::draw(&mut rng);
    let world = Arc::new(World::new(&mix, &mut rng));
    let fleet = Fleet::begin(Arc::clone(&world), mix, omitted, &mut rng);
    let is_over = Cell::new(false);
    let (clients, mut failing, upkeep) = (rng.fork(), rng.fork(), rng.fork());
    let load = async {
        let operations = work(&fleet, clients).await;
        is_over.set(true);
        operations
    };
    let troubles = (0..fleet.mix.troubles).map(|number| fail(&fleet, number, &is_over, failing.fork()));
    let (mut operations, failed, ()) = join3(load, join_all(troubles), keep_up(&fleet, &is_over, upkeep)).await;
    world.state().clears();
    operations.extend(settle(&fleet, &operations, rng.fork()).await);
    let looked_from = fleet.now();
    operations.extend(ask_in_quiet(&fleet, rng.fork()).await);
    operations.extend(last_look(&fleet, &operations).await);
    let leaked = if fleet.mix.looks_for_leaks { leaks::left(&fleet).await } else { Vec::new() };
    operations.sort_by_key(|operation| operation.start);
    let keys = NAMES.map(str::to_owned).to_vec();
    let (faults, incidents) = failed.into_iter().flatten().unzip();
    let history = History { window: fleet.mix.window, keys, operations, incidents };
    let is_unwell = |operation: &Operation| {
        operation.read().is_some()
            && operation.start >= looked_from
            && matches!(operation.outcome, Outcome::Unknown { .. })
    };
    let messages = world.state().done;
    Verdict {
        seed,
        mix: format!("{:?}", fleet.mix),
        violations: violations(&history).into_iter().filter(|violation| !violation.allowed).collect(),
        unwell: (0..history.operations.len()).filter(|place| is_unwell(&history.operations[*place])).collect(),
        leaked,
        explained: judge(&fleet.cases.borrow(), &history, fleet.mix.skew_ms),
        clients: fleet.mix.clients,
        turns: fleet.mix.operations,
        faults,
        digest: digest(&history, messages),
        messages,
        history,
    }
}

async fn work(fleet: &Fleet, mut rng: Rng) -> Vec<Operation> {
    let clients: Vec<_> = (0..fleet.mix.clients).map(|number| fleet.work(number, rng.fork())).collect();
    join_all(clients).await.into_iter().flatten().collect()
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

/// Does a few things, one after another, and has everything explained when they are over: what is said then is compared with
/// the read that follows.
async fn ask_in_quiet(fleet: &Fleet, mut rng: Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for _ in 0..EXPLANATIONS {
        for _ in 0..TURNS {
            let task = fleet.actions.borrow_mut().draw(&fleet.mix, &mut rng);
            let container = fleet.any(&mut rng);
            operations.extend(fleet.perform_task(&container, task, &mut rng).await);
        }
        sleep(fleet.mix.window.mul_f64(rng.f64() * 2.0)).await;
        operations.extend(fleet.explain_all().await);
    }
    operations
}

/// Reads the keys in every container: as they would be read, and why so, and then past L1.
async fn last_look(fleet: &Fleet, operations: &[Operation]) -> Vec<Operation> {
    let keys: BTreeSet<usize> = operations.iter().filter_map(|operation| Some(operation.put()?.key)).collect();
    let containers = fleet.containers().clone();
    let mut looked = Vec::new();
    for container in &containers {
        for &key in &keys {
            looked.push(fleet.explain(container, key).await);
            looked.push(fleet.perform(container, Action::Get { key, no_cache: true }).await);
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
