//! What one client does, and what it sees.

use crate::{
    action::{NAMES, Task},
    ask::{CLIENT, ask, looked_up, name, put_in, refused, remove, undo, wanted},
    container::{Broken, Container},
    explained::Case,
    fleet::Fleet,
};
use fastrand::Rng;
use futures_util::future::join_all;
use std::time::Duration;
use strata_cache::{Fill, Lease, Read, Warm};
use strata_checker::history::{self, Action, KeyId, Operation, Outcome};
use tokio::time::sleep;

/// For how long who is to load a value may take, in seconds.
const LEASE_SECONDS: u32 = 10;
/// For how long what is removed so can be undone, in seconds.
const UNDO_SECONDS: u32 = 600;
/// How often an undo that has to wait for others is asked for.
const UNDOS: usize = 3;
/// Before one turn in so many, everything is explained.
const TURNS_PER_EXPLANATION: usize = 100;

impl Fleet {
    /// What one client does, one operation after another, but for those that are left out.
    pub(crate) async fn work(&self, number: usize, mut rng: Rng) -> Vec<Operation> {
        let mut operations = Vec::new();
        for turn in 0..self.mix.operations {
            let mut rng = rng.fork();
            let task = self.actions.borrow_mut().draw(&self.mix, &mut rng);
            let container = self.any(&mut rng);
            let pause = Duration::from_millis(rng.u64(..=self.mix.think_ms));
            let explains = rng.usize(..TURNS_PER_EXPLANATION) == 0;
            if !self.omitted.turns.contains(&(number, turn)) {
                if explains {
                    operations.extend(self.explain_all().await);
                }
                operations.extend(self.perform_task(&container, task, &mut rng).await);
            }
            sleep(pause).await;
        }
        operations
    }

    pub(crate) async fn perform_task(&self, container: &Container, task: Task, rng: &mut Rng) -> Vec<Operation> {
        match task {
            Task::One(action) => vec![self.perform(container, action).await],
            Task::Many(actions) => self.do_many(container, actions).await,
            Task::Fill(put, load) => self.fill(container, &self.any(rng), put, load).await,
            Task::Undo(action, after) => self.take_back(container, action, after, rng).await,
            Task::Explain(key) => vec![self.explain(container, key).await],
            Task::Warm(keys) => {
                self.warm(container, &keys).await;
                Vec::new()
            }
        }
    }

    pub(crate) async fn perform(&self, container: &Container, action: Action) -> Operation {
        let (start, done) = self.within(container, ask(container, &action)).await;
        let outcome = done.unwrap_or_else(Broken::outcome);
        Operation { start, end: self.now(), process: Some(container.process()), action, outcome }
    }

    /// Asks why a key is answered as it is, and reads it at once.
    pub(crate) async fn explain(&self, container: &Container, key: KeyId) -> Operation {
        let both = async {
            let explained = container.cache.explain(&name(key)).await;
            let start = self.now();
            let read = container.cache.get(&name(key), Read::default()).await;
            (explained, start, read.map_or_else(|error| refused(&error), |lookup| looked_up(&lookup)))
        };
        let (asked, done) = self.within(container, both).await;
        let action = Action::Get { key, no_cache: false };
        let (end, process) = (self.now(), Some(container.process()));
        match done {
            Ok((explained, start, outcome)) => {
                let read = Operation { start, end, process, action, outcome };
                self.cases.borrow_mut().push(Case { asked, explained, read: read.clone() });
                read
            }
            Err(broken) => Operation { start: asked, end, process, action, outcome: broken.outcome() },
        }
    }

    /// Asks every container that is asked for anything why every key is answered as it is, and reads each key at once.
    pub(crate) async fn explain_all(&self) -> Vec<Operation> {
        let mut containers = self.containers().clone();
        containers.retain(|container| self.resting.get() != Some(container.number));
        let each = containers.iter().map(|container| async {
            let mut reads = Vec::new();
            for key in 0..NAMES.len() {
                reads.push(self.explain(container, key).await);
            }
            reads
        });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// Reads a key in one container; where it is missing and the lease is granted, loads the value for a while and puts it in
    /// another one.
    async fn fill(&self, first: &Container, second: &Container, put: history::Put, load: Duration) -> Vec<Operation> {
        let (key, process) = (name(put.key), Some(first.process()));
        let lease = Lease { seconds: LEASE_SECONDS, wait: Duration::ZERO, api_key: String::new() };
        let (start, done) = self.within(first, first.cache.get_or_lease(&key, Read::default(), &lease)).await;
        let (token, outcome) = match done {
            Ok(Ok((lookup, fill))) => {
                let token = match fill {
                    Some(Fill::Granted { token, .. }) => Some(token),
                    _ => None,
                };
                (token, looked_up(&lookup))
            }
            Ok(Err(error)) => (None, refused(&error)),
            Err(broken) => (None, broken.outcome()),
        };
        let end = self.now();
        let action = Action::Get { key: put.key, no_cache: false };
        let missed = Operation { start, end, process, action, outcome };
        let Some(token) = token else { return vec![missed] };
        sleep(load).await;
        let put = history::Put { loaded: Some(end), ..put };
        let filling = put_in(second, &key, wanted(&put).fill(token));
        let (start, done) = self.within(second, filling).await;
        let outcome = done.unwrap_or_else(Broken::outcome);
        let process = Some(second.process());
        vec![missed, Operation { start, end: self.now(), process, action: Action::Put(put), outcome }]
    }

    /// Makes an end of values, and undoes that after a while in some other containers.
    async fn take_back(&self, first: &Container, action: Action, after: Duration, rng: &mut Rng) -> Vec<Operation> {
        let (start, done) = self.within(first, remove(first, &action, UNDO_SECONDS)).await;
        let (outcome, id) = done.unwrap_or_else(|broken| (broken.outcome(), None));
        let removed = Operation { start, end: self.now(), process: Some(first.process()), action, outcome };
        let scope = removed.meant().expect("an end of values means some");
        let mut operations = vec![removed];
        let Some(id) = id else { return operations };
        for _ in 0..UNDOS {
            sleep(after).await;
            let container = self.any(rng);
            let action = Action::Undo { scope: scope.clone(), of: operations[0].start };
            let (start, done) = self.within(&container, undo(&container, &id)).await;
            let outcome = done.unwrap_or_else(Broken::outcome);
            let is_done = matches!(outcome, Outcome::Acknowledged { .. });
            let process = Some(container.process());
            operations.push(Operation { start, end: self.now(), process, action, outcome });
            if is_done {
                break;
            }
        }
        operations
    }

    async fn warm(&self, container: &Container, keys: &[KeyId]) {
        let mut warm = Warm::new(CLIENT);
        warm.keys = keys.iter().map(|key| name(*key)).collect();
        let _ = self.within(container, container.cache.warm(warm, None)).await;
    }
}
