//! What goes wrong. A freeze needs nothing here: a container that is not scheduled is frozen.

use crate::{
    scenario::SourceOfTruth,
    state::{Container, Event, Index, Redis, State, Who},
};

/// How many faults of each kind may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    /// A container is killed between two steps; what takes its place knows nothing.
    pub crash: u8,
    /// A container, or all of them, is cut off from Redis, perhaps between a command and its reply. Healing is free.
    pub cut: u8,
    /// Redis is flushed, or restarts empty.
    pub flush: u8,
    /// A replica that lags behind takes over.
    pub failover: u8,
    /// The copy is evicted from L2.
    pub evict: u8,
    /// The journal loses its oldest records, perhaps all of them.
    pub trim: u8,
    /// More records come than a sync reads, and the index may forget what it had.
    pub busy: u8,
    /// More than 2T passes with no operation under way.
    pub age: u8,
    /// There are more outage notes, of other keys, than can be put into the journal one by one.
    pub many: u8,
    /// There are more invalidations, of other keys, than a container keeps.
    pub forget: u8,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A container is killed.
    Crash(Who),
    /// A container is cut off from Redis.
    Cut(Who),
    /// All are.
    CutAll,
    /// A container reaches Redis again.
    Heal(Who),
    /// Redis is flushed.
    Flush,
    /// From here on nothing reaches the replica any more.
    Lag,
    /// The replica takes over.
    FailOver(Shards),
    /// The copy is evicted.
    Evict,
    /// All but the newest records are trimmed.
    Trim {
        /// Records that stay.
        keep: u8,
    },
    /// More records of other keys come than a sync reads.
    Busy {
        /// The index forgets what was before them.
        forgets: bool,
    },
    /// More than 2T passes.
    Age,
    /// The next sync of a container brings more invalidations than it keeps.
    Forget(Who),
}

/// What fails over: with a cluster, the journal and the copy may lie on different nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shards {
    /// All of Redis.
    All,
    /// The node of the journal.
    Journal,
    /// The node of the copy.
    Copy,
}

impl State {
    /// The faults that may happen now.
    pub fn faults(&self, source_of_truth: SourceOfTruth) -> Vec<Fault> {
        let mut faults = Vec::new();
        for who in Who::ALL {
            let container = &self.containers[who as usize];
            let may = [
                (self.budget.crash > 0 && container.operation.is_some(), Fault::Crash(who)),
                (self.budget.cut > 0 && !container.cut, Fault::Cut(who)),
                (container.cut, Fault::Heal(who)),
                (self.budget.forget > 0 && !container.flooded, Fault::Forget(who)),
            ];
            faults.extend(may.iter().filter(|(may, _)| *may).map(|(_, fault)| *fault));
        }
        faults.extend(self.faults_of_redis());
        let loses_the_source_of_truth = |fault: &Fault| matches!(fault, Fault::Flush | Fault::Lag | Fault::FailOver(_));
        faults.retain(|fault| source_of_truth == SourceOfTruth::L3 || !loses_the_source_of_truth(fault));
        faults
    }

    fn faults_of_redis(&self) -> Vec<Fault> {
        let (budget, redis) = (self.budget, &self.redis);
        let idle = self.containers.iter().all(|container| container.operation.is_none());
        let lags = self.replica.is_some();
        let records = redis.journal.len();
        let may = [
            (budget.cut > 0 && !self.containers.iter().any(|container| container.cut), Fault::CutAll),
            (budget.flush > 0, Fault::Flush),
            (budget.failover > 0 && !lags, Fault::Lag),
            (budget.failover > 0 && lags, Fault::FailOver(Shards::All)),
            (budget.failover > 0 && lags, Fault::FailOver(Shards::Journal)),
            (budget.failover > 0 && lags, Fault::FailOver(Shards::Copy)),
            (budget.evict > 0 && redis.copy.is_some(), Fault::Evict),
            (budget.trim > 0 && records > 0, Fault::Trim { keep: 0 }),
            (budget.trim > 0 && records > 1, Fault::Trim { keep: 1 }),
            (budget.busy > 0 && records > 0, Fault::Busy { forgets: false }),
            (budget.busy > 0 && records > 0, Fault::Busy { forgets: true }),
            (budget.age > 0 && idle, Fault::Age),
        ];
        may.iter().filter(|(may, _)| *may).map(|(_, fault)| *fault).collect()
    }

    /// A fault happens.
    pub fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::Crash(who) => self.crash(who),
            Fault::Cut(who) => {
                self.budget.cut -= 1;
                self.container(who).cut = true;
            }
            Fault::CutAll => {
                self.budget.cut -= 1;
                self.containers.iter_mut().for_each(|container| container.cut = true);
            }
            Fault::Heal(who) => self.container(who).cut = false,
            Fault::Flush => {
                self.budget.flush -= 1;
                let Redis { identity, aged, .. } = self.redis;
                let (journal, open) = (Vec::new(), Vec::new());
                self.redis =
                    Redis { identity, journal, meta: None, open, passed: Vec::new(), index: None, copy: None, aged };
            }
            Fault::Lag => self.replica = Some(Box::new(self.redis.clone())),
            Fault::FailOver(shards) => self.fail_over(shards),
            Fault::Evict => {
                self.budget.evict -= 1;
                self.redis.copy = None;
            }
            Fault::Trim { keep } => {
                self.budget.trim -= 1;
                let trimmed = self.redis.journal.len() - usize::from(keep);
                self.redis.journal.drain(..trimmed);
            }
            Fault::Busy { forgets } => {
                self.budget.busy -= 1;
                let at = self.next_tick();
                self.redis.journal.clear();
                self.redis.append(at, Event::Others);
                if forgets {
                    self.redis.index = Some(Index { floor: at, ..Index::default() });
                }
            }
            Fault::Forget(who) => {
                self.budget.forget -= 1;
                self.container(who).flooded = true;
            }
            Fault::Age => {
                self.budget.age -= 1;
                self.redis.aged = self.next_tick();
            }
        }
    }

    fn crash(&mut self, who: Who) {
        self.budget.crash -= 1;
        let container = self.container(who);
        let (script, cut) = (std::mem::take(&mut container.script), container.cut);
        *container = Container { script, cut, ..Container::default() };
    }

    fn fail_over(&mut self, shards: Shards) {
        self.budget.failover -= 1;
        let Some(replica) = self.replica.take() else { return };
        let redis = &mut self.redis;
        redis.identity += 1;
        if shards != Shards::Copy {
            (redis.journal, redis.meta, redis.open) = (replica.journal, replica.meta, replica.open);
            redis.index = replica.index;
        }
        if shards != Shards::Journal {
            redis.copy = replica.copy;
        }
    }
}
