//! What a container knows of the journal, and which copies that lets it trust.

use crate::{
    scenario::{Register, Rule, Rules, Scenario},
    state::{Barrier, Event, Position, Record, Redis, SharedCopy, Version},
};

/// A container's knowledge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Knowledge {
    /// The newest record read.
    pub cursor: Position,
    /// The ledger holds every record after this position.
    pub reach: Position,
    /// Copies certified before this are not trusted.
    pub epoch: Position,
    /// The records known.
    pub ledger: Vec<Record>,
    /// The barriers that were open at the last sync.
    pub open: Vec<Barrier>,
    /// Nobody has read the notes since this server began: a job's barrier may be missing.
    pub unread: bool,
    /// Redis time of the last sync.
    pub tick: u8,
    /// What was older than 2T at the last sync.
    pub aged: Position,
}

/// What a sync tells L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Drop everything.
    pub clear: bool,
    /// Drop what these cover.
    pub records: Vec<Record>,
}

impl Knowledge {
    /// What a container knows after a sync, and what is new to it.
    pub fn learn(before: Option<&Knowledge>, redis: &Redis, tick: u8, rules: Rules) -> (Knowledge, News) {
        let follows = before.filter(|known| redis.journal.iter().any(|record| record.at == known.cursor));
        let epoch = redis.meta.map_or(0, |meta| meta.epoch);
        let (mut knowledge, records) = match follows {
            Some(known) => (known.clone(), redis.after(known.cursor)),
            None => Knowledge::reset(before, redis, epoch, rules),
        };
        let mut clear = follows.is_none();
        for record in &records {
            knowledge.cursor = knowledge.cursor.max(record.at);
            match record.event {
                Event::Epoch if record.at > knowledge.epoch => {
                    knowledge.epoch = record.at;
                    clear = true;
                }
                Event::Epoch => {}
                _ => {
                    if !rules.has(Rule::WholeLedger) {
                        knowledge.ledger.clear();
                    }
                    knowledge.ledger.push(*record);
                }
            }
        }
        if epoch > knowledge.epoch {
            knowledge.epoch = epoch;
            clear = true;
        }
        knowledge.open.clone_from(&redis.open);
        knowledge.unread = redis.meta.is_none_or(|meta| meta.notes.is_none()) && rules.has(Rule::EpochReadsNotes);
        (knowledge.tick, knowledge.aged) = (tick, redis.aged);
        knowledge.prune();
        (knowledge, News { clear, records })
    }

    /// Begins anew with the newest records: back through 2T, and one more, so that it is known how far they reach.
    fn reset(before: Option<&Knowledge>, redis: &Redis, epoch: Position, rules: Rules) -> (Knowledge, Vec<Record>) {
        let one_more = redis.journal.iter().rfind(|record| record.at <= redis.aged).map_or(0, |record| record.at);
        let records: Vec<_> = redis.journal.iter().filter(|record| record.at >= one_more).copied().collect();
        let oldest = records.first().map_or(epoch, |record| record.at);
        let newest = records.last().map_or(epoch, |record| record.at);
        let mut knowledge = Knowledge {
            cursor: newest,
            reach: oldest,
            epoch: before.map_or(0, |known| known.epoch),
            ledger: Vec::new(),
            open: Vec::new(),
            unread: false,
            tick: 0,
            aged: 0,
        };
        if rules.has(Rule::HistoryAtReset) {
            return (knowledge, records);
        }
        knowledge.reach = 0;
        (knowledge, Vec::new())
    }

    /// Forgets what is older than 2T.
    fn prune(&mut self) {
        let pruned = self.ledger.iter().map(|record| record.at).filter(|at| *at <= self.aged).max();
        self.reach = self.reach.max(pruned.unwrap_or(0));
        self.ledger.retain(|record| record.at > self.aged);
    }

    /// Whether a copy in L2 may be returned without asking L3.
    pub fn trusts(&self, scenario: &Scenario, copy: &SharedCopy) -> bool {
        if self.sweeps(copy.stamp) {
            return false;
        }
        scenario.register == Register::L2
            || !self.covers(scenario, copy.version, copy.stamp)
                && copy.stamp >= self.epoch
                && (copy.stamp >= self.reach || self.reach <= self.aged)
    }

    /// Whether a known record covers a copy.
    pub fn covers(&self, scenario: &Scenario, version: Version, stamp: Position) -> bool {
        self.ledger.iter().any(|record| scenario.covers(record, version, stamp))
    }

    /// Whether an invalidate, closed or open, covers a copy.
    pub fn sweeps(&self, stamp: Position) -> bool {
        self.ledger.iter().any(|record| record.event == Event::Invalidated && record.at > stamp)
            || self.open.iter().any(|barrier| barrier.at > stamp)
    }
}

impl Scenario {
    /// Whether a record covers a copy: it came after the stamp, and is not the copy's own put.
    pub fn covers(&self, record: &Record, version: Version, stamp: Position) -> bool {
        match record.event {
            Event::Epoch => false,
            Event::Invalidated => record.at > stamp,
            Event::Changed(changed) if self.register == Register::L2 && !self.rules.has(Rule::CoverByPosition) => {
                changed > version
            }
            Event::Changed(changed) => record.at > stamp && changed != version,
        }
    }
}

impl Redis {
    fn after(&self, cursor: Position) -> Vec<Record> {
        self.journal.iter().filter(|record| record.at > cursor).copied().collect()
    }
}
