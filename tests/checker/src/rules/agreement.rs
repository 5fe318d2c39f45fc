//! Whether reads agree: between mutations there is one newest value, whichever it is.

use std::collections::HashMap;

use super::key::KeyHistory;
use super::times::bound;
use super::{Rule, Violation};
use crate::history::{Found, Operation, Outcome};

/// A read at a time when nothing is under way, and everybody must know of all that was.
#[derive(Clone, Copy)]
struct Settled {
    read: usize,
    /// The PUT of what it returned; none where it found nothing.
    put: Option<usize>,
}

impl KeyHistory<'_> {
    /// The reads that contradict an earlier one with the same mutations before it.
    pub(super) fn divided(&self) -> Vec<Violation> {
        let mut first: HashMap<usize, Vec<Settled>> = HashMap::new();
        let mut wrong = Vec::new();
        for place in 0..self.history.operations.len() {
            let Some((mutations, read)) = self.settled(place) else { continue };
            let before = first.entry(mutations).or_default();
            if let Some(other) = before.iter().find(|other| self.contradict(**other, read)) {
                wrong.push(Violation {
                    rule: Rule::Divided,
                    key: self.key,
                    read: place,
                    put: read.put.or(other.put),
                    ignored: read.put.and(other.put),
                    allowed: !self.killed.is_empty(),
                });
            }
            if before.iter().all(|other| other.put != read.put) {
                before.push(read);
            }
        }
        wrong
    }

    /// The number of mutations before a read, when all of them are certain to be seen by it and there are no others.
    fn settled(&self, place: usize) -> Option<(usize, Settled)> {
        let read = &self.history.operations[place];
        let (key, no_cache) = read.read()?;
        if key != self.key {
            return None;
        }
        let put = match &read.outcome {
            // What is in its grace is there to some readers and not to others.
            Outcome::Found(Found { value: Some(value), stale: false, .. }) => Some(*self.puts.get(value)?),
            Outcome::Absent => None,
            _ => return None,
        };
        let before = self.mutations.iter().map(|&at| &self.history.operations[at]);
        let before: Vec<&Operation> = before.take_while(|mutation| mutation.start <= read.end).collect();
        // One whose end is not known may be seen by some for a long time before it is by all.
        let seen = |mutation: &&Operation| {
            mutation.is_acknowledged()
                && mutation.end + bound(self.history.window, mutation, read, no_cache) < read.start
        };
        before.iter().all(seen).then_some((before.len(), Settled { read: place, put }))
    }

    fn contradict(&self, one: Settled, other: Settled) -> bool {
        match (one.put, other.put) {
            (Some(one), Some(other)) => one != other,
            (Some(put), None) | (None, Some(put)) => self.must_stay(put, one) && self.must_stay(put, other),
            (None, None) => false,
        }
    }

    /// Whether a value that is the newest cannot be gone by the time of a read.
    fn must_stay(&self, put: usize, until: Settled) -> bool {
        let stored = &self.history.operations[put];
        let durable = matches!(stored.outcome, Outcome::Acknowledged { durable: true, .. });
        let read = &self.history.operations[until.read];
        durable && self.outlives(put, read) && !self.history.is_emptied(stored.start, read.end)
    }
}
