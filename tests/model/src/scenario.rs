//! What a run of the model starts with, and which rules of the protocol it keeps.

use crate::{
    faults::Budget,
    history::{Floor, History},
    knowledge::Knowledge,
    rule::{Rule, Rules},
    session::Session,
    state::{
        Container, Content, Database, Event, GAP, Index, Meta, OwnCopy, Record, Redis, Row, SharedCopy, State, Version,
    },
};

/// The level that decides which value is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceOfTruth {
    /// DynamoDB.
    L3,
    /// Redis, where L3 is switched off.
    L2,
}

/// What a container can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Reads the key.
    Get,
    /// Puts a value into every level.
    Put,
    /// Puts a value into L1 and L2 only.
    PutAbove,
    /// Says something else of the value that stands in L3, without sending it.
    Patch,
    /// Misses the key, loads its value, and puts it into every level unless something has touched the key meanwhile.
    Fill,
    /// Deletes the key.
    Delete,
    /// Invalidates a pattern that matches the key, in every level.
    Invalidate,
    /// Invalidates in L1 and L2 only.
    InvalidateAbove,
    /// Invalidates in every level more than one request has time for: acknowledged first, removed after.
    InvalidateAsJob,
    /// Invalidates in every level, so that it can be undone.
    InvalidateUndoably,
    /// Undoes the first invalidation that can be undone.
    Undo,
}

impl Request {
    /// Whether it is one of the invalidates.
    pub fn invalidates(self) -> bool {
        matches!(
            self,
            Request::Invalidate | Request::InvalidateAbove | Request::InvalidateAsJob | Request::InvalidateUndoably
        )
    }

    /// Whether it changes what there is, and does not only bring it here.
    pub fn changes(self) -> bool {
        !matches!(self, Request::Get | Request::Fill | Request::Undo)
    }
}

/// What a run starts with.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Which level decides.
    pub source_of_truth: SourceOfTruth,
    /// The rules in force.
    pub rules: Rules,
    /// What A, B and the new container are asked for, in this order.
    pub scripts: [Vec<Request>; 3],
    /// What may go wrong.
    pub budget: Budget,
    /// Whether the value that stands in the source of truth at the start has copies above it, in the L1 of A and B as
    /// well.
    pub warm: bool,
    /// What stands in L3 at the start instead of a value, if there is none.
    pub instead: Option<Option<Content>>,
    /// Whether somebody asks A and sends what they have seen with reads of any container.
    pub session: bool,
}

/// The version that stands at the start.
pub const FIRST: Version = 2 * GAP;

impl Scenario {
    /// A run with a value in every level at the start, no requests and no faults.
    pub fn new(source_of_truth: SourceOfTruth) -> Scenario {
        let scripts = [Vec::new(), Vec::new(), Vec::new()];
        Scenario {
            source_of_truth,
            rules: Rules::default(),
            scripts,
            budget: Budget::default(),
            warm: true,
            instead: None,
            session: false,
        }
    }

    /// Asks A, B and the new container for these.
    #[must_use]
    pub fn ask(mut self, a: &[Request], b: &[Request], new: &[Request]) -> Scenario {
        self.scripts = [a.to_vec(), b.to_vec(), new.to_vec()];
        self
    }

    /// Lets these faults happen.
    #[must_use]
    pub fn with(mut self, budget: Budget) -> Scenario {
        self.budget = budget;
        self
    }

    /// Has somebody ask A, and send what they have seen with reads of any container.
    #[must_use]
    pub fn in_session(mut self) -> Scenario {
        self.session = true;
        self
    }

    /// Takes a rule away.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Scenario {
        self.rules = Rules { without: Some(rule) };
        self
    }

    /// Starts with the value in the source of truth only.
    #[must_use]
    pub fn cold(mut self) -> Scenario {
        self.warm = false;
        self
    }

    /// Starts without a value: with nothing in L3, or with that.
    #[must_use]
    pub fn without_value(mut self, row: Option<Content>) -> Scenario {
        (self.warm, self.instead) = (false, Some(row));
        self
    }

    /// Whether anybody fills.
    pub fn fills(&self) -> bool {
        self.scripts.iter().flatten().any(|request| *request == Request::Fill)
    }

    /// The state that it starts in: the epoch, the first value's PUT, and its record.
    pub fn start(&self) -> State {
        let journal =
            vec![Record { at: GAP, event: Event::Epoch }, Record { at: 3 * GAP, event: Event::Changed(FIRST) }];
        let with_l3 = self.source_of_truth == SourceOfTruth::L3;
        let copy = Some(SharedCopy { version: FIRST, as_of: GAP, gone: false }).filter(|_| self.warm || !with_l3);
        let content = self.instead.unwrap_or(Some(Content::Value)).filter(|_| with_l3);
        let row = content.map(|content| Row { version: FIRST, content });
        let database = Database { row, ..Database::default() };
        let mut history = History::default();
        if self.instead.is_none() {
            let outdated = history.put(FIRST, with_l3);
            history.acknowledge(outdated, false);
        }
        let meta = Some(Meta { identity: 0, epoch: GAP, notes: Some(history.acknowledged), covered: 0, undone: 0 });
        let index = Index { floor: GAP, last: 3 * GAP, latest: FIRST, greatest: FIRST, swept: 0 };
        let redis = Redis {
            identity: 0,
            journal,
            meta,
            open: Vec::new(),
            passed: Vec::new(),
            index: Some(index),
            copy,
            aged: 0,
        };
        let containers = [
            self.warm(&redis, history.acknowledged, 0),
            self.warm(&redis, history.acknowledged, 1),
            Container { script: self.scripts[2].clone(), ..Container::default() },
        ];
        let session = Session::default();
        State { tick: 3 * GAP, redis, replica: None, database, containers, budget: self.budget, history, session }
    }

    fn warm(&self, redis: &Redis, acknowledged: Floor, index: usize) -> Container {
        // It has read the journal since the epoch began.
        let empty = Some(Index { floor: GAP, ..Index::default() });
        let before = Redis { journal: redis.journal[..1].to_vec(), index: empty, ..redis.clone() };
        let (began, _) = Knowledge::learn(None, &before, self.source_of_truth, GAP, Rules::default());
        let (knowledge, _) = Knowledge::learn(Some(&began), redis, self.source_of_truth, 3 * GAP, Rules::default());
        let memory = OwnCopy { version: FIRST, as_of: GAP, read: Floor::default(), unswept: 3 * GAP, doubt: None };
        Container {
            script: self.scripts[index].clone(),
            knowledge: Some(knowledge),
            memory: Some(memory).filter(|_| self.warm),
            synced: acknowledged,
            ..Container::default()
        }
    }
}
