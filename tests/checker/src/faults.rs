//! What fails while the clients work. Each fault happens, lasts for a while, and is over when its function returns.

mod aimed;
mod clock;
mod failover;
mod fault;
mod fills;
mod flood;
mod grace;
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
mod steps;
mod tags;
mod undos;

pub use fault::Fault;

use fastrand::Rng;
use nix::sys::signal::Signal;
use strata_stack::{ALL, L3Fault, PathFault, Refusal};

use crate::client::Client;
use crate::history::Operation;
use crate::rig::Rig;
use steps::{pause, signal};

impl Fault {
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
            Fault::LivesEnded => return grace::race_ends(client, rng).await,
            Fault::TagsRaced => return tags::race_others(client, rng).await,
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
