//! What fails while the clients work. Each fault happens, lasts for a while, and is over when its function returns.

mod aimed;
mod clock;
mod failover;
mod fills;
mod flood;
mod invalidations;
mod journal;
mod left;
mod migration;
mod narrow;
mod outlived;
mod patches;
mod piled;
mod promotions;
mod refusal;
mod sick;
mod undos;

use std::ops::RangeInclusive;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use strata_stack::{ALL, L3Fault, PathFault, Refusal};

use crate::client::Client;
use crate::history::{Action, Operation};
use crate::rig::Rig;

/// How slow Redis is where it is slow, in hundredths of the time that containers wait for it, and at most.
const SLOW: RangeInclusive<u32> = 20..=80;
const MOST_SLOW: Duration = Duration::from_millis(600);

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
    /// Redis fails over to a replica that lacks the last writes, and is not promoted at once.
    ReplicaPromoted,
    /// The journal is trimmed to its newest records, or nothing, while a container rests.
    JournalTrimmed,
    /// The connections of all containers to Redis break, once.
    RedisReset,
    /// A container cannot reach Redis.
    OneCutOff,
    /// No container can reach Redis.
    AllCutOff,
    /// Redis does what a container says, but its answers do not come back.
    RepliesHeld,
    /// What a container says comes to Redis when the container has long given up.
    CommandsHeld,
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
    /// Writes into L3 take effect once more when they have been repeated, acknowledged, and undone by others.
    WritesLate,
    /// Values are on their way from L3 into L2 while they are deleted or replaced.
    PromotionsSlow,
    /// Values are read while an invalidation is about to remove them.
    InvalidationsSlow,
    /// Redis is full: it answers, and refuses to write.
    RedisFull,
    /// Redis lacks the replicas without which it refuses to write.
    RedisLacksReplicas,
    /// Redis is far away, and the way to it narrow.
    RedisNarrow,
    /// More records come into the journal than anybody reads at once.
    JournalBusy,
    /// The wall clock of a container is ahead, and set back.
    ClockSetBack,
    /// Slots of a cluster move to another server, and now and then one is lost meanwhile.
    SlotsMoved,
    /// L3 is slow for long, measured by what containers are told to wait for it.
    L3SlowForLong,
    /// L3 throttles and fails in part, for long.
    L3SickForLong,
    /// More mutations are made without Redis than are read at once of what they leave.
    ManyNotes,
    /// More invalidations are begun than are finished.
    ManyOpen,
    /// L3 is slow while what is missing is filled, and others make an end of it.
    FillsSlow,
    /// L3 is slow while values are changed by PATCH, and others make an end of them.
    PatchesSlow,
    /// Invalidations are undone while others make an end of what they have removed, and L3 is slow.
    UndosRaced,
    /// Copies of what has been replaced or removed are read when the journal's history says nothing of it any more.
    HistoryOutlived,
}

impl Fault {
    /// Every one there is.
    pub const ALL: [Fault; 36] = [
        Fault::HistoryOutlived,
        Fault::ContainersKilled,
        Fault::RedisFull,
        Fault::L3SlowForLong,
        Fault::RedisTailLost,
        Fault::JournalBusy,
        Fault::L3SickForLong,
        Fault::OneCutOff,
        Fault::RedisNarrow,
        Fault::RedisStopped,
        Fault::L3Failing,
        Fault::ManyNotes,
        Fault::RepliesHeld,
        Fault::ContainerStopped,
        Fault::RedisLacksReplicas,
        Fault::AllCutOff,
        Fault::L3Stopped,
        Fault::RedisFlushed,
        Fault::L3Throttling,
        Fault::CommandsHeld,
        Fault::RedisReset,
        Fault::ManyOpen,
        Fault::SlotsMoved,
        Fault::ClockSetBack,
        Fault::L3Slow,
        Fault::ReplicaPromoted,
        Fault::ContainerRests,
        Fault::JournalTrimmed,
        Fault::RedisSlow,
        Fault::WritesLate,
        Fault::RedisEmptied,
        Fault::PromotionsSlow,
        Fault::FillsSlow,
        Fault::PatchesSlow,
        Fault::UndosRaced,
        Fault::InvalidationsSlow,
    ];

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Fault> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name)
    }

    /// The faults of a run, one out of those given or two. Runs with seeds in a row begin with one after another.
    pub(crate) fn draw(of: &[Fault], seed: u64, rng: &mut Rng) -> Vec<Fault> {
        let first = usize::try_from(seed % of.len() as u64).expect("a small number");
        let second = rng.bool().then(|| of[rng.usize(..of.len())]).filter(|second| *second != of[first]);
        [of[first]].into_iter().chain(second).collect()
    }

    /// Whether L3 answers as ever while it lasts, and so does every process.
    pub(crate) fn leaves_l3_well(self) -> bool {
        !matches!(
            self,
            Fault::HistoryOutlived
                | Fault::ContainersKilled
                | Fault::ContainerStopped
                | Fault::L3Stopped
                | Fault::L3Throttling
                | Fault::L3Failing
                | Fault::L3Slow
                | Fault::L3SlowForLong
                | Fault::L3SickForLong
                | Fault::ManyOpen
                | Fault::WritesLate
                | Fault::FillsSlow
                | Fault::PatchesSlow
                | Fault::UndosRaced
                | Fault::InvalidationsSlow
        )
    }

    /// Whether it changes the configuration.
    pub(crate) fn configures(self) -> bool {
        matches!(self, Fault::L3SlowForLong | Fault::ManyOpen)
    }

    /// Whether it can only happen where L2 is a cluster.
    pub fn needs_cluster(self) -> bool {
        self == Fault::SlotsMoved
    }

    /// Whether it can happen there. Most have one server in their hands, or a container's way to it.
    pub fn allows_cluster(self) -> bool {
        self.needs_cluster()
            || matches!(
                self,
                Fault::ContainersKilled
                    | Fault::ContainerStopped
                    | Fault::ContainerRests
                    | Fault::L3Stopped
                    | Fault::L3Throttling
                    | Fault::L3Failing
                    | Fault::L3Slow
                    | Fault::WritesLate
                    | Fault::FillsSlow
                    | Fault::PatchesSlow
                    | Fault::UndosRaced
                    | Fault::InvalidationsSlow
            )
    }

    /// Whether it puts clocks on and back.
    pub(crate) fn sets_clocks(self) -> bool {
        self == Fault::ClockSetBack
    }

    /// Whether it needs that what is removed can be undone.
    pub(crate) fn undoes(self) -> bool {
        self == Fault::UndosRaced
    }

    /// Whether it needs invalidations that do not end in time.
    pub(crate) fn hurries_invalidations(self) -> bool {
        self == Fault::ManyOpen
    }

    /// Whether it leaves more behind than another run should have to do with.
    pub(crate) fn spoils_stack(self) -> bool {
        matches!(self, Fault::ManyOpen | Fault::SlotsMoved)
    }

    /// Makes it happen and ends it. Returns the operations that it took.
    pub(crate) async fn happen(self, client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
        let rig = client.rig;
        match self {
            Fault::RedisEmptied | Fault::RedisStopped | Fault::RedisFlushed => self.happen_to_redis(rig, rng).await,
            Fault::RedisTailLost => return failover::to_old_data(client, rng).await,
            Fault::ReplicaPromoted => return failover::to_replica(client, rng).await,
            Fault::JournalTrimmed => return journal::trim_while_one_rests(client, rng).await,
            Fault::RedisReset => rig.api.stack.redis_path(ALL).reset().await,
            Fault::OneCutOff => return aimed::mutate_cut_off(client, rng).await,
            Fault::RepliesHeld => fail_one_path(rig, PathFault::StallReplies, rng).await,
            Fault::CommandsHeld => fail_one_path(rig, PathFault::Stall, rng).await,
            Fault::RedisSlow => fail_one_path(rig, PathFault::Delay { ms: rng.u64(10..=150) }, rng).await,
            Fault::AllCutOff => fail_path(rig, ALL, PathFault::Cut, rng).await,
            Fault::ContainersKilled => return aimed::kill_in_mutations(client, rng).await,
            Fault::WritesLate => return aimed::delay_first_attempts(client, rng).await,
            Fault::PromotionsSlow => return promotions::race_ends(client, rng).await,
            Fault::FillsSlow => return fills::race_ends(client, rng).await,
            Fault::PatchesSlow => return patches::race_ends(client, rng).await,
            Fault::UndosRaced => return undos::race_ends(client, rng).await,
            Fault::InvalidationsSlow => return invalidations::race_reads(client, rng).await,
            Fault::RedisFull => return refusal::refuse_writes(client, Refusal::Full, rng).await,
            Fault::RedisLacksReplicas => return refusal::refuse_writes(client, Refusal::NoReplicas, rng).await,
            Fault::RedisNarrow => return narrow::work_far_away(client, rng).await,
            Fault::JournalBusy => return journal::fill_while_others_work(client, rng).await,
            Fault::SlotsMoved => return migration::move_slots(client, rng).await,
            Fault::ClockSetBack => return clock::set_back(client, rng).await,
            Fault::L3SlowForLong => return sick::slow_for_long(client, rng).await,
            Fault::L3SickForLong => return sick::sick_for_long(client, rng).await,
            Fault::ManyNotes => return piled::leave_notes(client, rng).await,
            Fault::ManyOpen => return piled::leave_open(client, rng).await,
            Fault::HistoryOutlived => return outlived::leave_copies(client, rng).await,
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

/// Does an operation in any container.
async fn perform(client: &Client<'_>, action: Action, rng: &mut Rng) -> Operation {
    let container = client.rig.container(Client::function(&action), rng);
    client.perform(&container, action).await
}

/// How slow Redis is for a container that does not give it up.
fn slowness(client: &Client<'_>, rng: &mut Rng) -> Duration {
    (client.rig.patience * rng.u32(SLOW) / 100).min(MOST_SLOW)
}

async fn pause(rng: &mut Rng, from_ms: u64, to_ms: u64) {
    tokio::time::sleep(Duration::from_millis(rng.u64(from_ms..=to_ms))).await;
}

async fn fail_one_path(rig: &Rig, fault: PathFault, rng: &mut Rng) {
    let function = if rng.u32(..4) == 0 { "invalidate" } else { "entries" };
    fail_path(rig, &rig.container(function, rng), fault, rng).await;
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
