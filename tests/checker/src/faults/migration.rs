//! Slots that move from one server of a cluster to another, while what they hold is read and changed.

use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use futures_util::future::join3;

use super::{left, pause};
use crate::client::Client;
use crate::history::Operation;
use crate::rig::KEY_PREFIX;

/// How many slots move, one after another.
const MOVES: usize = 6;
/// The hash tags of what moves: the journal's, and those of entries.
const ENTRIES: u32 = 16;
/// Longest pause between two moves, and between two mutations.
const PAUSE_MS: u64 = 400;

/// Moves the slot of the journal, and of entries, and makes an end of values meanwhile.
pub(super) async fn move_slots(client: &Client<'_>, rng: &mut Rng) -> Vec<Operation> {
    let rig = client.rig;
    let cluster = rig.cluster.as_ref().expect("a stack with this fault has a cluster");
    let mut operations = left::store(client, rng).await;
    operations.extend(left::read_everywhere(client, left::keys()).await);
    let moved = AtomicBool::new(false);
    let (mut moving, mut ending, mut reading) = (rng.fork(), rng.fork(), rng.fork());
    let move_all = async {
        for number in 0..MOVES {
            let tag = if number % 3 == 0 { "j".to_owned() } else { format!("e{:x}", moving.u32(..ENTRIES)) };
            let slot = cluster.slot(&format!("{KEY_PREFIX}{{{tag}}}")).await.expect("the cluster runs");
            cluster.move_slot(slot).await.expect("a slot can be moved");
            pause(&mut moving, 0, PAUSE_MS).await;
        }
        moved.store(true, Ordering::SeqCst);
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
    let ((), ended, read) = join3(move_all, end_all, watch_all).await;
    operations.extend(ended.into_iter().chain(read));
    operations
}
