//! Slots that move from one server of a cluster to another, while what they hold is read and changed; and a server that is
//! lost among such moves, whose replica lacks what it was told last.

use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use futures_util::future::join3;
use strata_stack::Cluster;

use super::left;
use super::steps::pause;
use crate::client::Client;
use crate::history::Operation;
use crate::rig::{KEY_PREFIX, Rig};

/// How many slots move, one after another.
const MOVES: usize = 6;
/// The hash tags of what moves: the journal's, and those of entries.
const ENTRIES: u32 = 16;
/// Longest pause between two moves, and between two mutations.
const PAUSE_MS: u64 = 400;

/// Moves the slot of the journal, and of entries, and makes an end of values meanwhile; three times out of four
/// loses a server.
pub(super) async fn move_slots(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let rig = client.rig;
    let lost = (rng.u32(..4) > 0).then(|| rng.usize(1..MOVES));
    client.remark(lost.map_or_else(String::new, |number| format!("and a server lost before move {number}")));
    let mut operations = left::store(client, rng).await;
    operations.extend(left::read_everywhere(client, left::keys()).await);
    let moved = AtomicBool::new(false);
    let (mut moving, mut ending, mut reading) = (rng.fork(), rng.fork(), rng.fork());
    let move_all = async {
        let mut operations = Vec::new();
        for number in 0..MOVES {
            if lost == Some(number) {
                operations = lose_server(client, &mut moving).await;
            }
            let tag = if number % 3 == 0 { "j".to_owned() } else { entries(&mut moving) };
            let moved = cluster(rig).move_slot(slot(rig, &tag).await).await;
            moved.expect("a slot can be moved");
            pause(&mut moving, 0, PAUSE_MS).await;
        }
        moved.store(true, Ordering::SeqCst);
        operations
    };
    let end_all = async {
        let mut operations = Vec::new();
        while !moved.load(Ordering::SeqCst) {
            let function = if ending.u32(..4) == 0 { "invalidate" } else { "entries" };
            operations.extend(left::end(client, &rig.container(function, &mut ending), &mut ending).await);
            pause(&mut ending, 0, PAUSE_MS).await;
        }
        operations
    };
    let watched: Vec<_> = left::keys().collect();
    let watch_all = async {
        let mut operations = Vec::new();
        while !moved.load(Ordering::SeqCst) {
            operations.extend(left::watch(client, &watched, rig.promise, &mut reading).await);
            pause(&mut reading, 0, PAUSE_MS).await;
        }
        operations
    };
    let (tail, ended, read) = join3(move_all, end_all, watch_all).await;
    operations.extend(tail.into_iter().chain(ended).chain(read));
    operations
}

/// Makes an end of values, which the server in question is told and its replica is not, and kills the server. Most often
/// it is the one with the journal: as long as that tells of a mutation, nobody trusts the copies that come back.
async fn lose_server(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let (rig, tag) = (client.rig, if rng.u32(..4) > 0 { "j".to_owned() } else { entries(rng) });
    let slot = slot(rig, &tag).await;
    cluster(rig).sever(slot).await.expect("a server has a replica");
    let operations = left::end(client, &rig.container("entries", rng), rng).await;
    pause(rng, 0, PAUSE_MS).await;
    cluster(rig).lose(slot).await.expect("a replica takes its server's place");
    operations
}

/// The hash tag of some entries.
fn entries(rng: &mut Rng) -> String {
    format!("e{:x}", rng.u32(..ENTRIES))
}

async fn slot(rig: &Rig, tag: &str) -> u16 {
    cluster(rig).slot(&format!("{KEY_PREFIX}{{{tag}}}")).await.expect("the cluster runs")
}

fn cluster(rig: &Rig) -> &Cluster {
    rig.cluster.as_ref().expect("a stack with this fault has a cluster")
}
