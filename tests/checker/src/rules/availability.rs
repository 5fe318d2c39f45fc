//! Whether a process goes on answering what L3 alone can answer, while L3 is well.
//!
//! One refusal says nothing: a busy machine may keep L3 from answering in time, after which a container leaves it alone
//! for a second. A process that refuses everything for several times as long has another reason.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Rule, Violation};
use crate::history::{Action, History, KeyId, Operation, Outcome, Scope};

/// For how long a process may refuse everything: several timeouts of L3, and the pauses after them.
const LONGEST: Duration = Duration::from_secs(5);
/// How many refusals there must be at least.
const FEWEST: usize = 4;

/// Refusals in a row of one process.
#[derive(Default)]
struct Stretch {
    first: Option<usize>,
    refusals: usize,
    told: bool,
}

/// One violation for every stretch of refusals that is too long.
pub(super) fn refused(history: &History) -> Vec<Violation> {
    let elsewhere = keys_put_elsewhere(history);
    let mut stretches: HashMap<&str, Stretch> = HashMap::new();
    let mut wrong = Vec::new();
    for (place, operation) in history.operations.iter().enumerate() {
        let Some(process) = operation.process.as_deref() else { continue };
        let stretch = stretches.entry(process).or_default();
        if !is_well(history, operation) {
            *stretch = Stretch::default();
            continue;
        }
        if !answerable(operation, &elsewhere) {
            continue;
        }
        if !matches!(operation.outcome, Outcome::Unknown { killed: false, .. }) {
            *stretch = Stretch::default();
            continue;
        }
        let first = *stretch.first.get_or_insert(place);
        stretch.refusals += 1;
        let long = operation.end.saturating_sub(history.operations[first].start) >= LONGEST;
        if long && stretch.refusals >= FEWEST && !stretch.told {
            stretch.told = true;
            let key = key_of(operation);
            let ignored = Some(first);
            wrong.push(Violation { rule: Rule::Unavailable, key, read: place, put: None, ignored, allowed: false });
        }
    }
    wrong
}

/// Whether L3 was well for as long as the operation took.
fn is_well(history: &History, operation: &Operation) -> bool {
    let ill = |start, end| start <= operation.end && operation.start <= end;
    !history.incidents.iter().any(|incident| !incident.l3_well && ill(incident.start, incident.end))
}

/// The keys for which some PUT left out L3.
fn keys_put_elsewhere(history: &History) -> HashSet<KeyId> {
    let puts = history.operations.iter().filter_map(Operation::put);
    puts.filter(|put| !put.names_l3()).map(|put| put.key).collect()
}

/// Whether L3 alone can answer.
fn answerable(operation: &Operation, elsewhere: &HashSet<KeyId>) -> bool {
    let of = match &operation.action {
        Action::Get { key, .. } | Action::GetStale { key, .. } => Some(key),
        Action::Patch(patch) => Some(&patch.key),
        _ => None,
    };
    operation.needs_l3_only() && !of.is_some_and(|key| elsewhere.contains(key))
}

/// A key that the operation means; the first of the run where it is not known.
fn key_of(operation: &Operation) -> KeyId {
    match &operation.action {
        Action::Get { key, .. } | Action::GetStale { key, .. } | Action::Delete { key } => *key,
        Action::Put(put) => put.key,
        Action::Patch(patch) => patch.key,
        Action::Invalidate { scope, .. } | Action::MakeStale { scope } | Action::Undo { scope, .. } => match scope {
            Scope::Pattern { keys, .. } | Scope::Keys(keys) => keys.first().copied().unwrap_or_default(),
            Scope::Tag(_) => 0,
        },
    }
}
