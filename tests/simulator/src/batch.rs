//! Reads and mutations of different keys in one request, as a batch of the API does them: side by side.

use crate::{
    ask::{CLIENT, deleted, looked_up, name, refused, stored, wanted},
    container::{Broken, Container},
    fleet::Fleet,
};
use futures_util::future::join;
use std::time::Duration;
use strata_cache::{Attempt, CacheError, Key, Lookup, Mutate, Mutated, Patience, Read};
use strata_checker::history::{Action, Operation, Outcome};
use tokio::time::Instant;

/// How much one answer to several reads may hold.
const MOST_BYTES: usize = 1 << 20;
/// When a batch begins no more, and when it gives up what it has begun.
const BEGINS: Duration = Duration::from_secs(20);
const ENDS: Duration = Duration::from_secs(25);

impl Fleet {
    /// Does what a batch says: gets, puts and deletes, each of another key.
    pub(crate) async fn do_many(&self, container: &Container, actions: Vec<Action>) -> Vec<Operation> {
        let keys: Vec<Key> = actions.iter().filter_map(read).collect();
        let mutations: Vec<Mutate> = actions.iter().filter_map(mutation).collect();
        let patience = Patience { begin_until: Instant::now() + BEGINS, end_until: Instant::now() + ENDS };
        let both = async {
            let reads = async {
                match &keys[..] {
                    [] => Vec::new(),
                    keys => container.cache.get_many(keys, Read::default(), MOST_BYTES).await,
                }
            };
            join(reads, container.cache.mutate_many(&mutations, patience)).await
        };
        let (start, done) = self.within(container, both).await;
        let outcomes = match done {
            Ok((reads, attempts)) => outcomes(&actions, reads, attempts),
            Err(broken) => actions.iter().map(|_| Broken::outcome(broken)).collect(),
        };
        let (end, process) = (self.now(), Some(container.process()));
        let ended = actions.into_iter().zip(outcomes);
        ended.map(|(action, outcome)| Operation { start, end, process: process.clone(), action, outcome }).collect()
    }
}

fn read(action: &Action) -> Option<Key> {
    match action {
        Action::Get { key, .. } => Some(name(*key)),
        _ => None,
    }
}

fn mutation(action: &Action) -> Option<Mutate> {
    match action {
        Action::Put(put) => Some(Mutate::Put(name(put.key), wanted(put))),
        Action::Delete { key } => Some(Mutate::Delete { key: name(*key), by: CLIENT.to_owned() }),
        _ => None,
    }
}

/// How each ended, in their order.
fn outcomes(
    actions: &[Action],
    reads: Vec<Option<Result<Lookup, CacheError>>>,
    attempts: Vec<Attempt>,
) -> Vec<Outcome> {
    let unknown = || Outcome::Unknown { status: 503, killed: false };
    let (mut reads, mut attempts) = (reads.into_iter(), attempts.into_iter());
    let outcome = |action: &Action| match action {
        Action::Get { .. } => match reads.next() {
            Some(Some(Ok(lookup))) => looked_up(&lookup),
            _ => unknown(),
        },
        _ => match attempts.next() {
            Some(Attempt::Ended(Ok(Mutated::Stored(done)))) => stored(&done),
            Some(Attempt::Ended(Ok(Mutated::Deleted(done)))) => deleted(&done),
            Some(Attempt::Ended(Err(error))) => refused(&error),
            Some(Attempt::NotBegun) => Outcome::Refused(0),
            Some(Attempt::Unanswered) | None => unknown(),
        },
    };
    actions.iter().map(outcome).collect()
}
