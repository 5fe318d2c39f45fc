//! What a history says of one key.

use std::collections::HashMap;
use std::time::Duration;

use super::times::{bound, has_expired, is_in_grace};
use super::{DEGRADED_BOUND, OPERATION_LIFE, Rule, Violation};
use crate::history::{Action, Found, History, KeyId, Operation, Outcome, Put, Scope};

/// Two ends of lives that are farther apart are not the same.
const LIVES_APART: Duration = Duration::from_secs(600);

/// The operations that concern one key.
pub(super) struct KeyHistory<'a> {
    pub(super) history: &'a History,
    pub(super) key: KeyId,
    /// Those that change it, or may.
    pub(super) mutations: Vec<usize>,
    /// The PUT of each value.
    pub(super) puts: HashMap<u64, usize>,
    /// When a value was first seen.
    first_seen: HashMap<u64, Duration>,
    /// The reads and PUTs during which their process was killed: they may leave a copy in L2.
    pub(super) killed: Vec<usize>,
}

impl<'a> KeyHistory<'a> {
    pub(super) fn new(history: &'a History, key: KeyId) -> Self {
        let mut this = Self {
            history,
            key,
            mutations: Vec::new(),
            puts: HashMap::new(),
            first_seen: HashMap::new(),
            killed: Vec::new(),
        };
        for (place, operation) in history.operations.iter().enumerate() {
            this.take(place, operation);
        }
        this
    }

    fn take(&mut self, place: usize, operation: &Operation) {
        if operation.may_change(self.key) && !matches!(operation.outcome, Outcome::Refused(_)) {
            self.mutations.push(place);
        }
        let concerned = match &operation.action {
            Action::Put(put) if put.key == self.key => {
                self.puts.insert(put.value, place);
                true
            }
            Action::Get { key, .. } | Action::GetStale { key, .. } => *key == self.key,
            Action::Patch(patch) => patch.key == self.key,
            _ => false,
        };
        if concerned && operation.was_killed() {
            self.killed.push(place);
        }
        if concerned && let Outcome::Found(Found { value: Some(value), .. }) = &operation.outcome {
            let first = self.first_seen.entry(*value).or_insert(operation.end);
            *first = operation.end.min(*first);
        }
    }

    pub(super) fn violations(&self) -> Vec<Violation> {
        let reads = self.history.operations.iter().enumerate();
        reads.filter_map(|(place, operation)| self.judge(place, operation)).collect()
    }

    fn judge(&self, place: usize, read: &Operation) -> Option<Violation> {
        let (key, no_cache) = read.read()?;
        if key != self.key {
            return None;
        }
        match &read.outcome {
            Outcome::Found(found) => self.judge_value(place, read, no_cache, found),
            Outcome::Absent => self.judge_absence(place, read, no_cache),
            _ => None,
        }
    }

    fn judge_value(&self, place: usize, read: &Operation, no_cache: bool, found: &Found) -> Option<Violation> {
        let wrong =
            |rule, put, ignored, allowed| Some(Violation { rule, key: self.key, read: place, put, ignored, allowed });
        let put = found.value.and_then(|value| self.puts.get(&value)).copied();
        let Some((at, stored)) = put.map(|at| (at, &self.history.operations[at])) else {
            return wrong(Rule::Altered, None, None, false);
        };
        let details = stored.put().expect("only PUTs are kept as such");
        if !found.intact || matches!(stored.outcome, Outcome::Refused(_)) {
            return wrong(Rule::Altered, put, None, false);
        }
        let takes_stale = matches!(read.action, Action::GetStale { .. });
        let is_over = match found.stale {
            true => !takes_stale || !is_in_grace(read, found, self.latest_end(at), details.grace),
            false => has_expired(read, found, self.latest_end(at)),
        };
        if is_over {
            return wrong(Rule::Expired, put, None, false);
        }
        if self.is_from_before_an_emptying(self.effect_end(at), read) {
            return wrong(Rule::Stale, put, None, false);
        }
        if let Some(patch) = self.unseen_patch(at, read, no_cache, found).filter(|_| !found.stale) {
            return wrong(Rule::Stale, put, Some(patch), self.may_be_left_over(patch));
        }
        // What has a grace stays in that, where L3 has it.
        let may_stay = found.stale && !details.grace.is_zero() && details.names_l3();
        let is_heeded =
            |place: &usize| may_stay && matches!(self.history.operations[*place].action, Action::MakeStale { .. });
        let ignored: Vec<usize> = self.ignored(at, details, read, no_cache).filter(|place| !is_heeded(place)).collect();
        let last = *ignored.iter().max_by_key(|&&mutation| self.history.operations[mutation].start)?;
        let allowed = ignored.iter().all(|&mutation| self.may_be_left_over(mutation));
        wrong(Rule::Stale, put, Some(last), allowed)
    }

    /// Whether the cache was emptied after something was stored, and so long before a read that it must know.
    fn is_from_before_an_emptying(&self, stored_by: Duration, read: &Operation) -> bool {
        let known_after = DEGRADED_BOUND + self.history.window;
        self.history
            .incidents
            .iter()
            .any(|incident| incident.empties && stored_by < incident.start && incident.end + known_after < read.start)
    }

    /// The mutations that made an end of a value before a read that returned it.
    fn ignored<'b>(
        &'b self,
        at: usize,
        put: &'b Put,
        read: &'b Operation,
        no_cache: bool,
    ) -> impl Iterator<Item = usize> + 'b {
        // What was loaded at a miss is as old as that, whenever it was stored.
        let stored_by = put.loaded.unwrap_or_else(|| self.effect_end(at));
        self.mutations.iter().copied().filter(move |&place| {
            let mutation = &self.history.operations[place];
            place != at
                && mutation.is_acknowledged()
                && mutation.ends(self.key, &put.tags)
                && !self.may_have_lost_its_tag(at, mutation)
                && !self.may_be_undone(mutation, read)
                && stored_by < mutation.start
                && mutation.end + bound(self.history.window, mutation, read, no_cache) < read.start
        })
    }

    /// The PATCHes of the key that may have taken effect after a PUT and before `until`.
    fn patches(&self, at: usize, until: Duration) -> impl Iterator<Item = usize> {
        let from = self.history.operations[at].start;
        let operations = &self.history.operations;
        let patches = self.mutations.iter().copied().filter(|&place| operations[place].patch().is_some());
        patches.filter(move |&place| self.effect_end(place) >= from && operations[place].start <= until)
    }

    /// Whether a PATCH may have taken the tag from the value of a PUT that an invalidation means.
    fn may_have_lost_its_tag(&self, at: usize, invalidation: &Operation) -> bool {
        let (Action::Invalidate { scope: Scope::Tag(tag), .. } | Action::MakeStale { scope: Scope::Tag(tag) }) =
            &invalidation.action
        else {
            return false;
        };
        let patches = self.patches(at, invalidation.end).filter_map(|place| self.history.operations[place].patch());
        patches.into_iter().any(|patch| patch.remove.contains(tag))
    }

    /// Whether a read may see that a mutation was undone. What else has ended the value is judged by itself.
    fn may_be_undone(&self, mutation: &Operation, read: &Operation) -> bool {
        let undoes = |place: &usize| {
            let operation = &self.history.operations[*place];
            matches!(operation.action, Action::Undo { of, .. } if of == mutation.start) && operation.start <= read.end
        };
        self.mutations.iter().any(undoes)
    }

    /// When the life of a value ends at the latest, if it was stored for certain.
    fn latest_end(&self, at: usize) -> Option<Duration> {
        let stored = &self.history.operations[at];
        let put = stored.put().filter(|_| stored.is_acknowledged())?;
        let patched = self
            .patches(at, Duration::MAX)
            .filter_map(|place| self.history.operations[place].patch().map(|patch| self.effect_end(place) + patch.ttl));
        patched.chain([stored.end + put.ttl]).max()
    }

    /// Whether a value cannot expire before the end of a read.
    pub(super) fn outlives(&self, at: usize, read: &Operation) -> bool {
        let stored = &self.history.operations[at];
        let patches = self.patches(at, read.end).map(|place| &self.history.operations[place]);
        let mut lives = patches.filter_map(|patch| Some(patch.start + patch.patch()?.ttl));
        stored.put().is_some_and(|put| outlives(stored, put, read)) && lives.all(|end| end > read.end)
    }

    /// The PATCH of whose life a read must tell, and does not: the only one that can have been of the value, and known
    /// for long enough. Lives differ by hours, so that clocks do not matter.
    fn unseen_patch(&self, at: usize, read: &Operation, no_cache: bool, found: &Found) -> Option<usize> {
        let others = |place: usize| place != at && self.history.operations[place].put().is_some();
        if self.since(at, read).any(others) {
            return None;
        }
        let mut patches = self.patches(at, read.end);
        let (Some(place), None) = (patches.next(), patches.next()) else { return None };
        let operation = &self.history.operations[place];
        let known = operation.is_acknowledged()
            && self.effect_end(at) < operation.start
            && operation.end + bound(self.history.window, operation, read, no_cache) < read.start;
        let end = operation.patch().filter(|_| known)?.ttl + operation.start;
        let said = Duration::from_millis(found.expires_at_ms.try_into().unwrap_or_default());
        (said.abs_diff(end) > LIVES_APART).then_some(place)
    }

    /// Whether a process was killed that wrote a copy of the key, or might have, while the mutation was under way.
    fn may_be_left_over(&self, mutation: usize) -> bool {
        let mutation = &self.history.operations[mutation];
        self.killed.iter().any(|&killed| self.history.operations[killed].overlaps(mutation))
    }

    fn judge_absence(&self, place: usize, read: &Operation, no_cache: bool) -> Option<Violation> {
        let missing = self.mutations.iter().copied().rev().find(|&at| self.should_be_there(at, read, no_cache))?;
        Some(Violation {
            rule: Rule::Vanished,
            key: self.key,
            read: place,
            put: Some(missing),
            ignored: None,
            allowed: false,
        })
    }

    /// Whether this is a PUT that a read must find, or a later one in its place.
    fn should_be_there(&self, at: usize, read: &Operation, no_cache: bool) -> bool {
        let stored = &self.history.operations[at];
        if stored.put().is_none() {
            return false;
        }
        matches!(stored.outcome, Outcome::Acknowledged { durable: true, .. })
            && stored.end + bound(self.history.window, stored, read, no_cache) < read.start
            && self.outlives(at, read)
            && !self.history.is_emptied(stored.start, read.end)
            && self
                .since(at, read)
                .all(|later| self.leaves_a_value(later, at, read) || self.is_taken_back(later, at, (read, no_cache)))
    }

    /// Whether a mutation that made an end of a value has been undone by the time of a read, and nothing else has touched
    /// the key since the value was stored.
    fn is_taken_back(&self, mutation: usize, at: usize, (read, no_cache): (&Operation, bool)) -> bool {
        let operations = &self.history.operations;
        let removed = &operations[mutation];
        let undoes = |place: usize| matches!(operations[place].action, Action::Undo { of, .. } if of == removed.start);
        let is_done = |undo: &Operation| {
            undo.is_acknowledged() && undo.end + bound(self.history.window, undo, read, no_cache) < read.start
        };
        removed.is_acknowledged()
            && self.effect_end(at) < removed.start
            && self.since(at, read).any(|place| undoes(place) && is_done(&operations[place]))
            && self.since(at, read).all(|place| place == mutation || undoes(place))
    }

    /// The mutations that may have taken effect after a PUT and before the end of a read.
    fn since<'b>(&'b self, at: usize, read: &'b Operation) -> impl Iterator<Item = usize> + 'b {
        let from = self.history.operations[at].start;
        self.mutations.iter().copied().filter(move |&place| {
            place != at && self.effect_end(place) >= from && self.history.operations[place].start <= read.end
        })
    }

    /// Whether there is a value after this mutation: the one of the PUT at `at`, or its own.
    fn leaves_a_value(&self, mutation: usize, at: usize, read: &Operation) -> bool {
        let operation = &self.history.operations[mutation];
        match &operation.action {
            Action::Put(put) => put.names_l3() && outlives(operation, put, read),
            Action::Patch(patch) => operation.start + patch.ttl > read.end,
            // Any value that may be there at the time must lack the tag.
            _ => !self.since(at, read).chain([at]).any(|place| {
                let operations = &self.history.operations;
                let put = operations[place].put().map(|put| &put.tags);
                let tags = put.or(operations[place].patch().map(|patch| &patch.add));
                tags.is_some_and(|tags| operation.ends(self.key, tags))
            }),
        }
    }

    /// When a mutation must have taken effect, if it ever does.
    ///
    /// One whose end is not known has at the latest when its operation cannot live any longer; a PUT, when somebody
    /// has read the value.
    fn effect_end(&self, place: usize) -> Duration {
        let operation = &self.history.operations[place];
        if operation.is_acknowledged() {
            return operation.end;
        }
        let latest = operation.start + OPERATION_LIFE;
        let seen = operation.put().and_then(|put| self.first_seen.get(&put.value));
        seen.map_or(latest, |&seen| latest.min(seen.max(operation.end)))
    }
}

/// Whether a value cannot expire before the end of a read, by its PUT alone.
fn outlives(stored: &Operation, put: &Put, read: &Operation) -> bool {
    stored.start + put.ttl > read.end
}
