//! A stack under test, and what the checker itself has done to its containers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use strata_it::Api;
use strata_stack::{ALL, Claims, Cluster, L3Fault, Options, RedisEngine};

use crate::faults::Fault;

/// Containers of each function.
const CONTAINERS: usize = 4;
/// The functions of every stack, those of one with warm jobs, and that of one whose configuration changes.
const FUNCTIONS: [&str; 3] = ["authorizer", "entries", "invalidate"];
const WARMING: [&str; 2] = ["warm", "warmer"];
const CONFIGURING: &str = "config";
/// Clients of a run, if it is not said how many.
const CLIENTS: usize = 6;
/// In front of the names of everything in Redis.
pub(crate) const KEY_PREFIX: &str = "checker:";
/// The `l2_config.timeout_ms` that a deployment has if it says nothing.
const PATIENCE: Duration = Duration::from_millis(100);
/// The variable that names the planted mistake to make.
pub const PLANTED: &str = "STRATA_PLANTED";
/// How long a command to Redis may take; it may be frozen.
const REDIS_TIMEOUT: Duration = Duration::from_secs(4);
/// The `l3_config.timeout_ms` of every stack, which is the default.
pub(crate) const L3_TIMEOUT_MS: u64 = 1000;
/// How much longer than the window it takes until every container must know of a configuration.
pub(crate) const FOLLOWED: Duration = Duration::from_millis(100);
/// How long an invalidation removes before the rest becomes a job, in milliseconds, where that is to happen.
const HURRY_MS: &str = "400";
/// How often a change of the configuration is asked for, and how long between.
const CONFIGURE_TRIES: usize = 20;
const CONFIGURE_PAUSE: Duration = Duration::from_millis(300);

/// What to run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Δ, as the stack is told.
    pub window: Duration,
    /// Δ, as it is judged by; a shorter one than it is told is a promise that the stack breaks.
    pub promise: Duration,
    /// How long the containers wait for Redis.
    pub patience: Duration,
    /// Clients at work at once.
    pub clients: usize,
    /// The folder of the functions' binaries; none for those of the running program's build.
    pub binaries: Option<PathBuf>,
    /// The mistake that binaries with planted ones are to make.
    pub planted: Option<String>,
    /// What may fail; at least one. L2 is a cluster when one of them [needs that](Fault::needs_cluster), and then all of
    /// them must [allow it](Fault::allows_cluster).
    pub faults: Vec<Fault>,
    /// Whether warm jobs run beside the clients.
    pub warming: bool,
}

impl Setup {
    /// The binaries of this build with a window, and all faults of one Redis server.
    pub fn keeping(window: Duration) -> Self {
        Self {
            window,
            promise: window,
            patience: PATIENCE,
            clients: CLIENTS,
            binaries: None,
            planted: None,
            faults: Fault::ALL.into_iter().filter(|fault| !fault.needs_cluster()).collect(),
            warming: true,
        }
    }
}

/// Servers of a cluster that take writes; each has a replica.
const PRIMARIES: usize = 3;

/// A running stack.
pub(crate) struct Rig {
    pub(crate) api: Api,
    /// The cluster that L2 is; none where it is one server.
    pub(crate) cluster: Option<Cluster>,
    /// Δ, as it is judged by.
    pub(crate) promise: Duration,
    /// How long the containers wait for Redis.
    pub(crate) patience: Duration,
    /// Clients at work at once.
    pub(crate) clients: usize,
    pub(crate) faults: Vec<Fault>,
    pub(crate) warming: bool,
    /// How often each container's process was killed, twice each: before, and when it was gone.
    lives: BTreeMap<String, AtomicU32>,
    /// The container that gets no requests.
    resting: Mutex<Option<String>>,
    /// How long the containers wait for L3.
    l3_timeout_ms: AtomicU64,
}

/// The configuration of a stack: where undos are to happen, whatever is removed can be undone.
fn config(setup: &Setup) -> String {
    let undo_seconds = if setup.faults.iter().any(|fault| fault.undoes()) { 600 } else { 0 };
    let timeout_ms = setup.patience.as_millis();
    format!(r#"{{"l2_config":{{"timeout_ms":{timeout_ms}}},"l3_config":{{"undo_seconds":{undo_seconds}}}}}"#)
}

impl Rig {
    pub(crate) async fn start(setup: &Setup) -> Self {
        let window_ms = u64::try_from(setup.window.as_millis()).expect("a window of less than ages");
        let warming = WARMING.iter().filter(|_| setup.warming);
        let configuring = setup.faults.iter().any(|fault| fault.configures()).then_some(&CONFIGURING);
        let options = Options::default()
            .functions(FUNCTIONS.iter().chain(warming).chain(configuring).copied())
            .containers(CONTAINERS)
            .coherence_window_ms(window_ms)
            .env("KEY_PREFIX", KEY_PREFIX)
            .env("CACHE_CONFIG", config(setup))
            // A client may ask as fast as it can: what it sees is judged, not how much.
            .env("RATE_LIMITS", "off");
        let any = |has: fn(Fault) -> bool| setup.faults.iter().any(|&fault| has(fault));
        let options = options.clocks(any(Fault::sets_clocks));
        let options =
            if any(Fault::hurries_invalidations) { options.env("INVALIDATE_BUDGET_MS", HURRY_MS) } else { options };
        let options = match &setup.binaries {
            Some(folder) => options.binaries(folder),
            None => options,
        };
        let options = match &setup.planted {
            Some(mistake) => options.env(PLANTED, mistake),
            None => options,
        };
        let cluster = if any(Fault::needs_cluster) {
            // The one engine that moves a slot at once.
            Some(Cluster::start(&RedisEngine::Valkey, PRIMARIES).await.expect("a cluster starts"))
        } else {
            None
        };
        let options = match &cluster {
            Some(cluster) => options.redis(RedisEngine::Url(cluster.url())),
            None => options,
        };
        let api = Api::with(options).await;
        let lives = api.stack.containers().into_iter().map(|container| (container.name, AtomicU32::new(0)));
        Self {
            promise: setup.promise,
            patience: setup.patience,
            clients: setup.clients,
            faults: setup.faults.clone(),
            warming: setup.warming,
            lives: lives.collect(),
            resting: Mutex::default(),
            l3_timeout_ms: AtomicU64::new(L3_TIMEOUT_MS),
            cluster,
            api,
        }
    }

    /// A container of the function, but not the one that rests.
    pub(crate) fn container(&self, function: &str, rng: &mut Rng) -> String {
        let resting = self.resting().clone();
        let number = rng.usize(1..=CONTAINERS);
        let name = |number| format!("{function}-{number}");
        if resting.is_some_and(|resting| resting == name(number)) {
            return name(number % CONTAINERS + 1);
        }
        name(number)
    }

    /// All containers of the function.
    pub(crate) fn containers(function: &str) -> impl Iterator<Item = String> {
        (1..=CONTAINERS).map(move |number| format!("{function}-{number}"))
    }

    /// The process that a container has now; another one after a kill.
    pub(crate) fn process(&self, container: &str) -> String {
        format!("{container}.{}", self.life(container).load(Ordering::SeqCst))
    }

    /// Sends no requests to the container, so that it stays frozen; none ends the rest.
    pub(crate) fn rest(&self, container: Option<String>) {
        *self.resting() = container;
    }

    pub(crate) async fn kill(&self, container: &str) {
        self.life(container).fetch_add(1, Ordering::SeqCst);
        self.api.stack.kill(container).await;
        self.life(container).fetch_add(1, Ordering::SeqCst);
    }

    /// The process id of a container, or of none while it has no process.
    pub(crate) fn pid(&self, container: &str) -> Option<u32> {
        self.api.stack.containers().into_iter().find(|found| found.name == container)?.pid
    }

    /// A token whose bearer has the rate limits for itself.
    pub(crate) fn token(&self, api_key: &str) -> String {
        self.api.stack.token(Claims::default().api_key(api_key))
    }

    /// Says one command to Redis, past the faults of the containers' ways to it. Whether it was done.
    pub(crate) async fn redis(&self, words: &[&str]) -> bool {
        let said = async {
            let client = redis::Client::open(self.api.stack.redis().url())?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd(words[0]).arg(&words[1..]).query_async::<redis::Value>(&mut connection).await
        };
        matches!(tokio::time::timeout(REDIS_TIMEOUT, said).await, Ok(Ok(_)))
    }

    /// Gives L3 so long in all containers, as soon as they hear of it. Whether it was taken.
    pub(crate) async fn set_l3_timeout(&self, timeout_ms: u64) -> bool {
        let body = format!(r#"{{"l3_config":{{"timeout_ms":{timeout_ms}}}}}"#);
        for _ in 0..CONFIGURE_TRIES {
            if self.api.request("PUT", "/config").body(body.clone()).send().await.status == 200 {
                self.l3_timeout_ms.store(timeout_ms, Ordering::SeqCst);
                return true;
            }
            tokio::time::sleep(CONFIGURE_PAUSE).await;
        }
        false
    }

    /// Puts the clock of a container ahead, or sets it right with 0.
    pub(crate) fn put_clock(&self, container: &str, ahead_ms: i64) {
        self.api.stack.put_clock(container, ahead_ms).expect("the stack has its own folder");
    }

    /// Ends everything that is wrong.
    pub(crate) async fn heal(&self) {
        self.rest(None);
        let stack = &self.api.stack;
        if self.cluster.is_none() {
            stack.redis().resume();
            stack.redis().start().await.expect("Redis starts again");
            stack.redis().accept_writes().await.expect("Redis runs");
            stack.redis_path(ALL).restore().await;
        }
        stack.l3().set(L3Fault::Ok).await;
        if self.l3_timeout_ms.load(Ordering::SeqCst) != L3_TIMEOUT_MS {
            assert!(self.set_l3_timeout(L3_TIMEOUT_MS).await, "the configuration can be changed back");
        }
    }

    fn life(&self, container: &str) -> &AtomicU32 {
        self.lives.get(container).expect("the containers of a stack stay the same")
    }

    fn resting(&self) -> MutexGuard<'_, Option<String>> {
        self.resting.lock().expect("nothing panics while it holds the name")
    }
}
