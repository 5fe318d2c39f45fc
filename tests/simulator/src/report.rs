//! What a run that went wrong looked like: a time line of what concerns the key, by container.

use crate::{action::NAMES, run::Verdict};
use std::{fmt::Write, time::Duration};
use strata_checker::history::{Action, Operation, Outcome, Scope};

/// How long before the read that is wrong the time line begins at least.
const BEFORE: Duration = Duration::from_secs(20);

/// The seed, what is wrong, and how it came.
pub fn describe(verdict: &Verdict) -> String {
    let mut text = format!("seed {} digest {:016x}\n{}\n", verdict.seed, verdict.digest, verdict.mix);
    for violation in &verdict.violations {
        let read = &verdict.history.operations[violation.read];
        let place = |place: Option<usize>| place.map(|place| line(&verdict.history.operations[place]));
        writeln!(
            text,
            "{:?}: {}\n  the value is of {:?}\n  which ignores   {:?}",
            violation.rule,
            line(read),
            place(violation.put),
            place(violation.ignored),
        )
        .expect("a string takes any text");
    }
    if let Some(violation) = verdict.violations.first() {
        let places = [Some(violation.read), violation.put, violation.ignored].into_iter().flatten();
        let operations = &verdict.history.operations;
        let from = places.map(|place| operations[place].start).min().unwrap_or_default().saturating_sub(BEFORE);
        let until = operations[violation.read].end;
        text += &time_line(verdict, violation.key, from, until);
    }
    for place in &verdict.unwell {
        text += &format!("failed although everything was well: {}\n", line(&verdict.history.operations[*place]));
    }
    for left in &verdict.leaked {
        text += &format!("left although everything was removed: {left}\n");
    }
    verdict.explained.wrong.iter().fold(text, |text, case| text + case)
}

fn time_line(verdict: &Verdict, key: usize, from: Duration, until: Duration) -> String {
    let within = |start: Duration, end: Duration| end >= from && start <= until;
    let concerns = |operation: &&Operation| {
        let reads = operation.read().is_some_and(|(read, _)| read == key);
        (reads || operation.may_change(key)) && within(operation.start, operation.end)
    };
    let operations = verdict.history.operations.iter().filter(concerns);
    let mut lines: Vec<(Duration, String)> = operations.map(|operation| (operation.start, line(operation))).collect();
    let incidents = verdict.history.incidents.iter().filter(|incident| within(incident.start, incident.end));
    lines.extend(incidents.map(|incident| {
        (incident.start, format!("{} … {} ======== {}", at(incident.start), at(incident.end), incident.what))
    }));
    lines.sort();
    lines.into_iter().fold(String::from("time line:\n"), |text, (_, line)| text + "  " + &line + "\n")
}

fn line(operation: &Operation) -> String {
    let name = |key: usize| NAMES[key];
    let asked = match &operation.action {
        Action::Get { key, no_cache: false } => format!("GET {}", name(*key)),
        Action::Get { key, no_cache: true } => format!("GET {} no-cache", name(*key)),
        Action::Put(put) => {
            let filled = put.loaded.map(|loaded| format!(" loaded at {}", at(loaded))).unwrap_or_default();
            let kept = if put.grace.is_zero() { String::new() } else { format!(" grace {:?}", put.grace) };
            format!("PUT {} = {} tags {:?} {:?}{kept}{filled}", name(put.key), put.value, put.tags, put.levels)
        }
        Action::Patch(patch) => {
            format!("PATCH {} {:?} +{:?} -{:?}", name(patch.key), patch.ttl, patch.add, patch.remove)
        }
        Action::Delete { key } => format!("DELETE {}", name(*key)),
        Action::Undo { of, .. } => format!("UNDO of what was sent at {}", at(*of).trim_start()),
        Action::GetStale { key, no_cache: false } => format!("GET {} max-stale", name(*key)),
        Action::GetStale { key, no_cache: true } => format!("GET {} no-cache, max-stale", name(*key)),
        Action::MakeStale { scope } => format!("MAKE STALE {scope}"),
        Action::Invalidate { scope: Scope::Pattern { text, .. }, levels } => format!("INVALIDATE {text} {levels:?}"),
        Action::Invalidate { scope: Scope::Keys(keys), levels } => {
            format!("INVALIDATE {:?} {levels:?}", keys.iter().map(|key| name(*key)).collect::<Vec<_>>())
        }
        Action::Invalidate { scope: Scope::Tag(tag), levels } => format!("INVALIDATE tag {tag} {levels:?}"),
    };
    let ended = match &operation.outcome {
        Outcome::Found(found) => format!("{:?} from {}", found.value, found.level),
        other => format!("{other:?}"),
    };
    let process = operation.process.as_deref().unwrap_or_default();
    format!("{} … {} {process:<6} {asked} → {ended}", at(operation.start), at(operation.end))
}

/// A time in seconds, to the millisecond.
fn at(time: Duration) -> String {
    format!("{:>9.3}", time.as_millis() as f64 / 1000.0)
}
