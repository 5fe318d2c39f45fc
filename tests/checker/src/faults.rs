//! What fails while the clients work. Each fault happens, lasts for a while, and is over when its function returns.

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use strata_stack::{ALL, L3Fault, PathFault};

use crate::client::Client;
use crate::history::Operation;
use crate::rig::{KEY_PREFIX, Rig};

/// How often a container is killed in the midst of a mutation.
const KILLS: usize = 4;
/// The time a mutation takes, about: one of its moments is when the container dies.
const MUTATION_MS: u64 = 25;
/// How often some requests to L3 are late.
const LATE_SPELLS: usize = 12;
/// By how much: longer than one attempt waits, and not longer than anybody should mind.
const LATE_MS: RangeInclusive<u64> = 350..=1500;

/// Something that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Redis is killed, and starts again without its data.
    RedisEmptied,
    /// Redis stops answering for a while (SIGSTOP).
    RedisStopped,
    /// FLUSHALL.
    RedisFlushed,
    /// Redis fails over to data that lack the last writes: it is killed, and starts again, another server by its
    /// identity, with what it had a while before.
    RedisTailLost,
    /// The journal is trimmed to nothing.
    JournalTrimmed,
    /// The connections of all containers to Redis break, once.
    RedisReset,
    /// A container cannot reach Redis.
    OneCutOff,
    /// No container can reach Redis.
    AllCutOff,
    /// Redis does what a container says, but its answers do not come back.
    RepliesHeld,
    /// The commands of a container reach Redis late.
    RedisSlow,
    /// Containers are killed in the midst of mutations.
    ContainersKilled,
    /// A container stops in the midst of whatever it does (SIGSTOP), and goes on later.
    ContainerStopped,
    /// A container gets no requests, thus stays frozen.
    ContainerRests,
    /// L3 refuses connections.
    L3Stopped,
    /// L3 says that it is asked too much.
    L3Throttling,
    /// L3 fails now and then.
    L3Failing,
    /// Requests to L3 take effect a little late.
    L3Slow,
    /// Some requests to L3 take effect so late that nobody waits for them any more: their repetition overtakes them.
    L3Late,
}

impl Fault {
    /// Every one there is.
    pub const ALL: [Fault; 18] = [
        Fault::RedisEmptied,
        Fault::ContainersKilled,
        Fault::L3Slow,
        Fault::RedisTailLost,
        Fault::OneCutOff,
        Fault::ContainerRests,
        Fault::RedisStopped,
        Fault::L3Failing,
        Fault::JournalTrimmed,
        Fault::RepliesHeld,
        Fault::ContainerStopped,
        Fault::AllCutOff,
        Fault::L3Stopped,
        Fault::RedisFlushed,
        Fault::RedisSlow,
        Fault::L3Throttling,
        Fault::L3Late,
        Fault::RedisReset,
    ];

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Fault> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name)
    }

    /// The faults of a run, one or two out of those given. Runs with seeds in a row begin with one after another.
    pub(crate) fn draw(of: &[Fault], seed: u64, rng: &mut Rng) -> Vec<Fault> {
        let first = usize::try_from(seed % of.len() as u64).expect("a small number");
        let second = rng.bool().then(|| of[rng.usize(..of.len())]);
        [of[first]].into_iter().chain(second).collect()
    }

    /// Makes it happen and ends it. Returns the operations that it took.
    pub(crate) async fn happen(self, client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
        let rig = client.rig;
        match self {
            Fault::RedisEmptied | Fault::RedisStopped | Fault::RedisFlushed => self.happen_to_redis(rig, rng).await,
            Fault::RedisTailLost => lose_tail(rig, rng).await,
            Fault::JournalTrimmed => {
                rig.redis(&["XTRIM", &format!("{KEY_PREFIX}{{j}}journal"), "MAXLEN", "0"]).await;
            }
            Fault::RedisReset => rig.api.stack.redis_path(ALL).reset().await,
            Fault::OneCutOff | Fault::RepliesHeld | Fault::RedisSlow => {
                let path_fault = match self {
                    Fault::OneCutOff => PathFault::Cut,
                    Fault::RepliesHeld => PathFault::StallReplies,
                    _ => PathFault::Delay { ms: rng.u64(10..=150) },
                };
                let function = if rng.u32(..4) == 0 { "invalidate" } else { "entries" };
                fail_path(rig, &rig.container(function, rng), path_fault, rng).await;
            }
            Fault::AllCutOff => fail_path(rig, ALL, PathFault::Cut, rng).await,
            Fault::ContainersKilled => return kill_in_mutations(client, rng).await,
            Fault::ContainerStopped => stop_container(rig, rng).await,
            Fault::ContainerRests => {
                rig.rest(Some(rig.container("entries", rng)));
                pause(rng, 1500, 3500).await;
                rig.rest(None);
            }
            Fault::L3Stopped => fail_l3(rig, L3Fault::Stopped, rng).await,
            Fault::L3Throttling => fail_l3(rig, L3Fault::Throttling, rng).await,
            Fault::L3Failing => fail_l3(rig, L3Fault::Failing { k: 1, of: rng.u64(2..=4) }, rng).await,
            Fault::L3Slow => fail_l3(rig, L3Fault::Slow { ms: rng.u64(20..=250) }, rng).await,
            Fault::L3Late => delay_some_of_l3(rig, rng).await,
        }
        Vec::new()
    }

    async fn happen_to_redis(self, rig: &Rig, rng: &mut Rng) {
        let redis = rig.api.stack.redis();
        match self {
            Fault::RedisEmptied => {
                redis.kill().expect("the server is the stack's own");
                pause(rng, 0, 1000).await;
                redis.start().await.expect("Redis starts again");
            }
            Fault::RedisStopped => {
                redis.pause();
                pause(rng, 100, 3000).await;
                redis.resume();
            }
            _ => {
                rig.redis(&["FLUSHALL"]).await;
            }
        }
    }
}

async fn pause(rng: &mut Rng, from_ms: u64, to_ms: u64) {
    tokio::time::sleep(Duration::from_millis(rng.u64(from_ms..=to_ms))).await;
}

/// Saves the data, lets some more be written, and comes back with what was saved.
async fn lose_tail(rig: &Rig, rng: &mut Rng) {
    let redis = rig.api.stack.redis();
    rig.redis(&["SAVE"]).await;
    pause(rng, 100, 1500).await;
    if let Some(pid) = redis.pid() {
        signal(pid, Signal::SIGKILL);
    }
    pause(rng, 50, 500).await;
    redis.start().await.expect("Redis starts again");
}

async fn fail_path(rig: &Rig, container: &str, fault: PathFault, rng: &mut Rng) {
    let path = rig.api.stack.redis_path(container);
    path.set(fault).await;
    pause(rng, 100, 2500).await;
    path.restore().await;
}

async fn fail_l3(rig: &Rig, fault: L3Fault, rng: &mut Rng) {
    let l3 = rig.api.stack.l3();
    l3.set(fault).await;
    pause(rng, 300, 2000).await;
    l3.set(L3Fault::Ok).await;
}

async fn delay_some_of_l3(rig: &Rig, rng: &mut Rng) {
    let l3 = rig.api.stack.l3();
    for _ in 0..LATE_SPELLS {
        l3.set(L3Fault::Slow { ms: rng.u64(LATE_MS) }).await;
        pause(rng, 20, 120).await;
        l3.set(L3Fault::Ok).await;
        pause(rng, 50, 250).await;
    }
}

async fn kill_in_mutations(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let mut operations = Vec::new();
    for _ in 0..KILLS {
        let action = client.workload.mutation(rng);
        let container = client.rig.container(Client::function(&action), rng);
        let moment = Duration::from_millis(rng.u64(..MUTATION_MS));
        let killing = async {
            tokio::time::sleep(moment).await;
            client.rig.kill(&container).await;
        };
        let (operation, ()) = tokio::join!(client.perform(&container, action), killing);
        operations.push(operation);
        pause(rng, 0, 300).await;
    }
    operations
}

async fn stop_container(rig: &Rig, rng: &mut Rng) {
    let function = if rng.u32(..4) == 0 { "invalidate" } else { "entries" };
    let Some(pid) = rig.pid(&rig.container(function, rng)) else { return };
    signal(pid, Signal::SIGSTOP);
    pause(rng, 200, 3000).await;
    signal(pid, Signal::SIGCONT);
}

fn signal(pid: u32, what: Signal) {
    let pid = i32::try_from(pid).expect("process ids are small");
    // A process that is gone needs no signal.
    let _ = kill(Pid::from_raw(pid), what);
}
