//! One run: clients and faults for a while, then quiet, then a last look at every key from every container.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use fastrand::Rng;
use futures_util::future::{join_all, join3};

use crate::client::{Client, Clock};
use crate::faults::Fault;
use crate::history::{Action, History, Incident, KeyId, Operation, Outcome};
use crate::keys::Keys;
use crate::rig::Rig;
use crate::rules::{DEGRADED_BOUND, Violation, violations};
use crate::warming::keep_warm;
use crate::workload::Workload;

/// How long they work.
const LOAD: Duration = Duration::from_millis(4000);
/// When the faults begin, at the earliest and the latest.
const FAULTS_FROM_MS: u64 = 300;
const FAULTS_TO_MS: u64 = 2000;
/// Longest pause of a client between two operations.
const THINK_MS: u64 = 25;
/// Longest time after which something is undone.
const UNDONE_AFTER_MS: u64 = 400;
/// How often somebody reads while nothing else happens.
const QUIET_READ: Duration = Duration::from_millis(60);

/// What came of one run.
#[derive(Debug)]
pub struct Verdict {
    /// The seed that the run was drawn from.
    pub seed: u64,
    /// What failed.
    pub faults: Vec<Fault>,
    /// What happened.
    pub history: History,
    /// Warm jobs that were accepted meanwhile.
    pub warm_jobs: usize,
    /// What is wrong with it.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// The violations that nothing explains.
    pub fn unexplained(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| !violation.allowed)
    }
}

/// A run in progress.
struct Run<'a> {
    rig: &'a Rig,
    workload: Workload,
    clock: Clock,
    seed: u64,
}

/// Does what the seed says, on a stack that may have been used before.
pub(crate) async fn run(rig: &Rig, seed: u64) -> Verdict {
    let mut rng = Rng::with_seed(seed);
    let faults = Fault::draw(&rig.faults, seed, &mut rng);
    // A stack may see the same seed again.
    let keys = Keys::under(&format!("run{seed}-{:x}:", fastrand::u32(..)));
    let run = Run { rig, workload: Workload::new(keys), clock: Clock::start(), seed };
    let rngs = (rng.fork(), rng.fork(), rng.fork());
    let (load, (incidents, injected), warm_jobs) =
        join3(run.load(rngs.0), run.fail(&faults, rngs.1), run.warm(rngs.2)).await;
    rig.heal().await;
    let mut operations: Vec<Operation> = load.into_iter().chain(injected).collect();
    operations.extend(run.quiet(run.settled(&operations), &mut rng).await);
    operations.extend(run.last_look(&put_keys(&operations)).await);
    operations.sort_by_key(|operation| operation.start);
    let history = History { window: rig.promise, keys: run.workload.keys.names, operations, incidents };
    Verdict { seed, faults, violations: violations(&history), history, warm_jobs }
}

impl Run<'_> {
    fn client(&self, number: usize) -> Client<'_> {
        let token = self.rig.token(&format!("{}-{number}", self.seed));
        Client { rig: self.rig, workload: &self.workload, clock: self.clock, token, remarks: Mutex::default() }
    }

    async fn load(&self, mut rng: Rng) -> Vec<Operation> {
        let clients = (0..self.rig.clients).map(|number| self.work(number, rng.fork()));
        join_all(clients).await.into_iter().flatten().collect()
    }

    /// What one client does until the time is up.
    async fn work(&self, number: usize, mut rng: Rng) -> Vec<Operation> {
        let client = self.client(number);
        let mut operations = Vec::new();
        while self.clock.now() < LOAD {
            if let Some((Action::Put(put), load)) = self.workload.fill(&mut rng) {
                let [first, second] = [0, 1].map(|_| self.rig.container("entries", &mut rng));
                operations.extend(client.fill([&first, &second], put, load).await);
                continue;
            }
            let actions = self.workload.request(&mut rng);
            let container = self.rig.container(Client::function(&actions[0]), &mut rng);
            if let [Action::Invalidate { .. } | Action::Delete { .. }] = &actions[..] {
                operations.extend(self.remove(&client, &container, actions[0].clone(), &mut rng).await);
                continue;
            }
            operations.extend(client.perform_all(&container, actions).await);
            tokio::time::sleep(Duration::from_millis(rng.u64(..THINK_MS))).await;
        }
        operations
    }

    /// Does what removes something, and where that can be undone, now and then undoes it a little later.
    async fn remove(&self, client: &Client<'_>, container: &str, action: Action, rng: &mut Rng) -> Vec<Operation> {
        let (removed, id) = client.perform_undoably(container, action).await;
        let Some(id) = id.filter(|_| rng.bool()) else { return vec![removed] };
        tokio::time::sleep(Duration::from_millis(rng.u64(..UNDONE_AFTER_MS))).await;
        let undone = client.undo(&removed, &id, rng).await;
        [removed].into_iter().chain(undone).collect()
    }

    /// Lets warm jobs run beside the clients; returns how many.
    async fn warm(&self, rng: Rng) -> usize {
        if !self.rig.warming {
            return 0;
        }
        keep_warm(&self.client(self.rig.clients + 1), LOAD, rng).await
    }

    /// Lets the faults happen, each at a time of its own.
    async fn fail(&self, faults: &[Fault], mut rng: Rng) -> (Vec<Incident>, Vec<Operation>) {
        let happenings = faults.iter().map(|fault| {
            let (client, mut rng) = (self.client(self.rig.clients), rng.fork());
            async move {
                tokio::time::sleep(Duration::from_millis(rng.u64(FAULTS_FROM_MS..FAULTS_TO_MS))).await;
                let start = self.clock.now();
                let operations = fault.happen(&client, &mut rng).await;
                let (end, l3_well) = (self.clock.now(), fault.leaves_l3_well());
                let what = format!("{fault:?} {}", client.remarks()).trim_end().to_owned();
                (Incident { start, end, what, l3_well, empties: false }, operations)
            }
        });
        let (incidents, operations): (_, Vec<_>) = join_all(happenings).await.into_iter().unzip();
        (incidents, operations.into_iter().flatten().collect())
    }

    /// When every acknowledged mutation must be seen everywhere.
    fn settled(&self, operations: &[Operation]) -> Duration {
        let told = |operation: &Operation| match operation.outcome {
            Outcome::Acknowledged { degraded: true, .. } => operation.end + DEGRADED_BOUND + self.rig.promise,
            _ => operation.end + self.rig.promise,
        };
        operations.iter().map(told).max().unwrap_or_default() + Duration::from_millis(10)
    }

    /// Reads now and then until a time has come.
    async fn quiet(&self, until: Duration, rng: &mut Rng) -> Vec<Operation> {
        let client = self.client(0);
        let mut operations = Vec::new();
        while self.clock.now() < until {
            let container = self.rig.container("entries", rng);
            operations.push(client.perform(&container, self.workload.read(rng)).await);
            tokio::time::sleep(QUIET_READ).await;
        }
        operations
    }

    /// Reads the keys in every container: as it would be read, and then past L1.
    async fn last_look(&self, keys: &BTreeSet<KeyId>) -> Vec<Operation> {
        let client = self.client(1);
        let mut operations = Vec::new();
        for container in Rig::containers("entries") {
            for &key in keys {
                for no_cache in [false, true] {
                    operations.push(client.perform(&container, Action::Get { key, no_cache }).await);
                }
            }
        }
        operations
    }
}

/// The keys that somebody has put.
fn put_keys(operations: &[Operation]) -> BTreeSet<KeyId> {
    operations.iter().filter_map(Operation::put).map(|put| put.key).collect()
}
