//! Whether explanations are true: what they say of the read that follows them, and what they say has happened.

use crate::{action::NAMES, weather::RECOVERY, world::ZERO_MS};
use std::{fmt::Write, time::Duration};
use strata_cache::{Explained, Prediction, Reason, Verdict};
use strata_checker::{
    history::{Action, History, KeyId, Operation, Outcome, Scope},
    rules::{DEGRADED_BOUND, OPERATION_LIFE},
};

/// The journal has so much of the past; what is longer ago may be unknown.
const JOURNAL: Duration = Duration::from_secs(540);

/// A question, and the read that followed at once.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) asked: Duration,
    pub(crate) explained: Explained,
    pub(crate) read: Operation,
}

/// What came of judging explanations.
#[derive(Debug, Default)]
pub struct Judged {
    /// How many explanations there were.
    pub given: usize,
    /// How many were compared with the read that followed.
    pub compared: usize,
    /// Of how many the reason was compared with what happened.
    pub reasons: usize,
    /// Those that are not true, each in words.
    pub wrong: Vec<String>,
}

pub(crate) fn judge(cases: &[Case], history: &History, skew_ms: i64) -> Judged {
    let mut judged = Judged { given: cases.len(), ..Judged::default() };
    for case in cases {
        let Action::Get { key, .. } = case.read.action else { continue };
        let past = Past { history, key, case, skew: Duration::from_millis(skew_ms.unsigned_abs()) };
        let mut wrong = None;
        if past.is_calm() {
            judged.compared += 1;
            wrong = (!past.agrees()).then_some("the read says something else");
        }
        if let Some(reason) = case.explained.reason {
            judged.reasons += 1;
            wrong = wrong.or_else(|| (!past.is_true(reason)).then_some("that is not what happened"));
        }
        judged.wrong.extend(wrong.map(|wrong| past.describe(wrong)));
    }
    judged
}

/// What happened before, and to what.
struct Past<'a> {
    history: &'a History,
    key: KeyId,
    case: &'a Case,
    skew: Duration,
}

impl Past<'_> {
    /// Whatever changed the key, or may have, up to the end of the read.
    fn mutations(&self) -> impl Iterator<Item = &Operation> {
        let until = self.case.read.end;
        let is_one = move |operation: &&Operation| {
            operation.start <= until
                && operation.may_change(self.key)
                && !matches!(operation.outcome, Outcome::Refused(_))
        };
        self.history.operations.iter().filter(is_one)
    }

    /// Whether nothing came between the question and the read, and nothing was wrong with anything.
    fn is_calm(&self) -> bool {
        let (asked, end) = (self.case.asked, self.case.read.end);
        let is_over = |mutation: &Operation| effect_end(mutation) < asked;
        let mut incidents = self.history.incidents.iter();
        let expires = self.case.explained.levels.iter().filter_map(|level| level.copy.as_ref()?.expires_at_ms);
        let expires = expires.filter_map(|ms| u64::try_from(ms - ZERO_MS).ok()).map(Duration::from_millis);
        // Time that passes makes a copy too old to be returned unasked.
        let takes_time = end.as_millis() > asked.as_millis();
        let fails = incidents.any(|incident| incident.start <= end && incident.end + RECOVERY >= asked);
        let expires = expires.into_iter().any(|at| at + self.skew >= asked && at <= end + self.skew);
        let ages = takes_time && self.case.explained.verdict == Verdict::Stale;
        self.mutations().all(is_over) && !fails && !expires && !ages
    }

    /// Whether the read was answered as was said.
    fn agrees(&self) -> bool {
        match (self.case.explained.prediction, &self.case.read.outcome) {
            (Prediction::Found(_), outcome) => matches!(outcome, Outcome::Found(_)),
            (Prediction::Absent, outcome) => *outcome == Outcome::Absent,
            (Prediction::Unavailable, outcome) => matches!(outcome, Outcome::Unknown { .. }),
        }
    }

    /// Whether it may be what happened.
    fn is_true(&self, reason: Reason) -> bool {
        let is_invalidation = |of: &dyn Fn(&Scope) -> bool| {
            self.since_stored(|mutation| match &mutation.action {
                Action::Invalidate { scope, .. } | Action::MakeStale { scope } => of(scope),
                _ => false,
            })
        };
        let put_elsewhere = || self.mutations().any(|mutation| mutation.put().is_some_and(|put| !put.names_l3()));
        match reason {
            Reason::NeverStored => !self.mutations().any(|mutation| {
                mutation.put().is_some()
                    && mutation.is_acknowledged()
                    && mutation.start > self.known_since()
                    && mutation.end < self.case.asked
            }),
            Reason::Expired => self.mutations().any(|mutation| {
                let life = mutation.put().map(|put| put.ttl).or(mutation.patch().map(|patch| patch.ttl));
                life.is_some_and(|life| mutation.start + life <= self.case.read.end + self.skew)
            }),
            Reason::Deleted => self.since_stored(|mutation| matches!(mutation.action, Action::Delete { .. })),
            Reason::InvalidatedByPattern => is_invalidation(&|scope| matches!(scope, Scope::Pattern { .. })),
            Reason::InvalidatedByTag => is_invalidation(&|scope| matches!(scope, Scope::Tag(tag) if self.had(*tag))),
            Reason::InvalidatedByKey => is_invalidation(&|scope| matches!(scope, Scope::Keys(_))),
            Reason::HiddenByOpenInvalidation => is_invalidation(&|_| true),
            Reason::Overwritten => self
                .mutations()
                .any(|mutation| matches!(mutation.action, Action::Put(_) | Action::Patch(_) | Action::Undo { .. })),
            Reason::UnconfirmedCopy | Reason::JournalGap => self.case.explained.verdict == Verdict::Stale,
            Reason::LevelUnavailable => self.had_incident(""),
            Reason::LevelDisabled => self.had_incident("SwitchedOff"),
            Reason::OtherLevels | Reason::EvictedHere => put_elsewhere(),
            Reason::Unknown => !self.is_plain(),
        }
    }

    /// Since when it is known what was stored, by what the explanation says.
    fn known_since(&self) -> Duration {
        let ms = self.case.explained.known_since_ms.map(|ms| ms - ZERO_MS).unwrap_or_default();
        Duration::from_millis(u64::try_from(ms).unwrap_or_default())
    }

    /// Whether something like that happened, and no value was stored for certain since. What is said of a stale copy is what
    /// came after that, whatever was stored later.
    fn since_stored(&self, is_it: impl Fn(&Operation) -> bool) -> bool {
        let is_of_copy = self.case.explained.verdict == Verdict::Stale;
        let is_stored_since = |mutation: &Operation| {
            self.mutations().any(|put| {
                put.put().is_some()
                    && put.is_acknowledged()
                    && put.start > effect_end(mutation)
                    && put.end < self.case.asked
            })
        };
        self.mutations().any(|mutation| is_it(mutation) && (is_of_copy || !is_stored_since(mutation)))
    }

    /// Whether a value of the key may have had a tag.
    fn had(&self, tag: usize) -> bool {
        self.mutations().any(|mutation| {
            mutation.put().is_some_and(|put| put.tags.contains(&tag))
                || mutation.patch().is_some_and(|patch| patch.add.contains(&tag))
        })
    }

    fn had_incident(&self, what: &str) -> bool {
        let mut incidents = self.history.incidents.iter();
        incidents.any(|incident| incident.start <= self.case.read.end && incident.what.contains(what))
    }

    /// Whether all that happened to the key went well, by what the journal remembers.
    fn is_plain(&self) -> bool {
        let is_plain = |mutation: &Operation| {
            let is_upper = match &mutation.action {
                Action::Put(put) => !put.names_l3(),
                Action::Invalidate { levels, .. } => !levels.is_empty(),
                Action::Undo { .. } => true,
                _ => false,
            };
            matches!(mutation.outcome, Outcome::Acknowledged { degraded: false, .. } | Outcome::NothingThere)
                && !is_upper
        };
        let is_young = self.case.read.end < JOURNAL;
        is_young && !self.is_changed_meanwhile() && !self.had_incident("") && self.mutations().all(is_plain)
    }

    /// Whether anything that may change the key was under way, also what was refused in the end: L3 may have it before the
    /// journal does.
    fn is_changed_meanwhile(&self) -> bool {
        let (asked, end) = (self.case.asked, self.case.read.end);
        let is_meanwhile = |operation: &Operation| operation.start <= end && operation.end >= asked;
        self.history.operations.iter().any(|operation| operation.may_change(self.key) && is_meanwhile(operation))
    }

    fn describe(&self, wrong: &str) -> String {
        let Case { asked, explained, read } = self.case;
        let mut text = format!(
            "explanation of {} at {asked:?} by {:?}: {wrong}\n  {:?} {:?} {:?}\n  {:?}\n  the read {:?} … {:?}: {:?}\n",
            NAMES[self.key],
            read.process,
            explained.verdict,
            explained.reason,
            explained.prediction,
            explained.cause,
            read.start,
            read.end,
            read.outcome
        );
        for level in &explained.levels {
            writeln!(text, "  {level:?}").expect("a string takes any text");
        }
        for mutation in self.mutations() {
            let Operation { start, end, action, outcome, .. } = mutation;
            writeln!(text, "  {start:?} … {end:?} {action:?} → {outcome:?}").expect("a string takes any text");
        }
        text
    }
}

/// When a mutation must have taken effect, if it ever does: one that Redis could not be told of takes away, when it is,
/// what only Redis was told of in the meantime.
fn effect_end(mutation: &Operation) -> Duration {
    match mutation.outcome {
        Outcome::Acknowledged { degraded: false, .. } => mutation.end,
        Outcome::Acknowledged { .. } | Outcome::NothingThere => mutation.end + DEGRADED_BOUND,
        _ => mutation.start + OPERATION_LIFE,
    }
}
