//! How runs are shown: counts of many, and the history behind a violation.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use crate::history::{Action, History, Operation, Outcome, Scope};
use crate::rules::{Rule, Violation};
use crate::run::Verdict;

/// Most operations shown of one violation; more do not help anybody.
const MOST_SHOWN: usize = 60;
/// How long before a violation begins what happens to the key is shown as well: it may be the cause.
const BEFORE: Duration = Duration::from_secs(1);

/// What many runs add up to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs.
    pub runs: usize,
    /// Violations that nothing explains.
    pub unexplained: usize,
    /// Copies that a killed process may have left behind, see [`Violation::allowed`].
    pub allowed: usize,
    /// Warm jobs that ran beside the clients.
    pub warm_jobs: usize,
    operations: BTreeMap<String, usize>,
    faults: BTreeMap<String, usize>,
    found: Vec<String>,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, verdict: Verdict) {
        self.runs += 1;
        self.warm_jobs += verdict.warm_jobs;
        let unexplained = verdict.unexplained().count();
        self.unexplained += unexplained;
        self.allowed += verdict.violations.len() - unexplained;
        for operation in &verdict.history.operations {
            *self.operations.entry(kind(operation)).or_default() += 1;
        }
        for fault in &verdict.faults {
            *self.faults.entry(format!("{fault:?}")).or_default() += 1;
        }
        if !verdict.violations.is_empty() {
            self.found.push(describe(&verdict));
        }
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# History checker\n\n{} runs, **{} violations**, {} copies that a killed process may have left \
             behind. {} warm jobs ran beside the clients.\n",
            self.runs, self.unexplained, self.allowed, self.warm_jobs
        );
        table(&mut page, "Operations", &self.operations);
        table(&mut page, "Faults", &self.faults);
        for found in &self.found {
            let _ = write!(page, "\n```text\n{found}```\n");
        }
        page
    }
}

fn table(page: &mut String, title: &str, counts: &BTreeMap<String, usize>) {
    let _ = write!(page, "\n| {title} | |\n|---|---:|\n");
    for (name, count) in counts {
        let _ = writeln!(page, "| {name} | {count} |");
    }
}

/// What was done and how it ended, for counting.
fn kind(operation: &Operation) -> String {
    let done = match &operation.action {
        Action::Get { no_cache: false, .. } => "GET",
        Action::GetStale { .. } => "GET, max-stale",
        Action::Get { no_cache: true, .. } => "GET, no-cache",
        Action::Put(_) => "PUT",
        Action::Patch(_) => "PATCH",
        Action::Delete { .. } => "DELETE",
        Action::Invalidate { scope: Scope::Pattern { .. }, .. } => "invalidate, pattern",
        Action::Invalidate { scope: Scope::Keys(_), .. } => "invalidate, keys",
        Action::Invalidate { scope: Scope::Tag(_), .. } => "invalidate, tag",
        Action::MakeStale { .. } => "make stale",
        Action::Undo { .. } => "undo",
    };
    match &operation.outcome {
        Outcome::Found(found) => format!("{done}: {}", found.level),
        outcome => format!("{done}: {outcome}"),
    }
}

/// The violations of a run, each with the operations that explain it.
pub fn describe(verdict: &Verdict) -> String {
    let history = &verdict.history;
    let mut text = format!("seed {}, window {} ms, {:?}\n", verdict.seed, history.window.as_millis(), verdict.faults);
    for (violation, reads) in grouped(&verdict.violations) {
        let _ = write!(text, "\n{}", Shown { history, violation });
        if reads > 1 {
            let _ = writeln!(text, "     and {} more reads of the same", reads - 1);
        }
    }
    text
}

/// The first of the violations with the same cause, in order, and how many reads it has spoilt.
fn grouped(violations: &[Violation]) -> Vec<(&Violation, usize)> {
    let mut groups: Vec<(&Violation, usize)> = Vec::new();
    for violation in violations {
        let cause = |other: &Violation| (other.rule, other.key, other.put, other.ignored, other.allowed);
        match groups.iter_mut().find(|(first, _)| cause(first) == cause(violation)) {
            Some((_, reads)) => *reads += 1,
            None => groups.push((violation, 1)),
        }
    }
    groups
}

/// One violation.
struct Shown<'a> {
    history: &'a History,
    violation: &'a Violation,
}

impl Shown<'_> {
    /// From when on operations matter.
    fn from(&self) -> Duration {
        let marked = [Some(self.violation.read), self.violation.put, self.violation.ignored];
        let starts = marked.into_iter().flatten().map(|place| self.history.operations[place].start);
        starts.min().unwrap_or_default().saturating_sub(BEFORE)
    }

    /// The operations that matter, not too many of them.
    fn places(&self) -> Vec<usize> {
        let mut places = if self.violation.rule == Rule::Unavailable { self.of_process() } else { self.of_key() };
        if let Some(surplus) = places.len().checked_sub(MOST_SHOWN) {
            places.drain(MOST_SHOWN / 2..MOST_SHOWN / 2 + surplus);
        }
        places
    }

    /// What the process did that refused everything.
    fn of_process(&self) -> Vec<usize> {
        let operations = &self.history.operations;
        let last = &operations[self.violation.read];
        let from = self.from();
        let same = |&place: &usize| operations[place].process == last.process && operations[place].end >= from;
        (0..=self.violation.read).filter(same).collect()
    }

    /// What changed the key since the value was put, and what read the value.
    fn of_key(&self) -> Vec<usize> {
        let operations = &self.history.operations;
        let (from, to) = (self.from(), operations[self.violation.read].end);
        let value = |place: usize| match (&operations[place].outcome, operations[place].put()) {
            (Outcome::Found(found), _) => found.value,
            (_, put) => put.map(|put| put.value),
        };
        let returned = value(self.violation.read);
        let places = (0..operations.len()).filter(|&place| {
            let operation = &operations[place];
            let reads = operation.read().is_some_and(|(key, _)| key == self.violation.key);
            let told = reads && (operation.was_killed() || returned.is_some() && value(place) == returned);
            operation.end >= from && operation.start <= to && (told || operation.may_change(self.violation.key))
                || place == self.violation.read
        });
        places.collect()
    }

    fn mark(&self, place: usize) -> &'static str {
        match Some(place) {
            _ if place == self.violation.read => "READ",
            at if at == self.violation.put => "PUT ",
            at if at == self.violation.ignored => "LOST",
            _ => "    ",
        }
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let allowed = if self.violation.allowed { " (a copy left behind by a killed process)" } else { "" };
        writeln!(f, "{:?}: {}{allowed}", self.violation.rule, self.history.keys[self.violation.key])?;
        for incident in &self.history.incidents {
            writeln!(f, "     {} {}", Times(incident.start, incident.end), incident.what)?;
        }
        for place in self.places() {
            let operation = &self.history.operations[place];
            let process = operation.process.as_deref().unwrap_or("?");
            let times = Times(operation.start, operation.end);
            writeln!(f, "{} {times} {process:<14} {operation}", self.mark(place))?;
        }
        Ok(())
    }
}

/// A stretch of time in milliseconds.
struct Times(Duration, Duration);

impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ms = |at: Duration| at.as_secs_f64() * 1000.0;
        write!(f, "{:>9.1} – {:>9.1}", ms(self.0), ms(self.1))
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Get { no_cache: false, .. } => f.write_str("GET")?,
            Action::Get { no_cache: true, .. } => f.write_str("GET no-cache")?,
            Action::GetStale { no_cache: false, .. } => f.write_str("GET max-stale")?,
            Action::GetStale { no_cache: true, .. } => f.write_str("GET no-cache, max-stale")?,
            Action::Put(put) => {
                write!(f, "PUT #{} ttl {} s tags {:?}", put.value, put.ttl.as_secs(), put.tags)?;
                write_levels(f, put.levels)?;
            }
            Action::Patch(patch) => {
                write!(f, "PATCH ttl {} s, tags +{:?} -{:?}", patch.ttl.as_secs(), patch.add, patch.remove)?;
            }
            Action::Delete { .. } => f.write_str("DELETE")?,
            Action::Invalidate { scope, levels } => {
                write!(f, "INVALIDATE {scope}")?;
                write_levels(f, levels)?;
            }
            Action::MakeStale { scope } => write!(f, "MAKE STALE {scope}")?,
            Action::Undo { scope, of } => write!(f, "UNDO {scope} of {:.1}", of.as_secs_f64() * 1000.0)?,
        }
        write!(f, " → {}", self.outcome)
    }
}

fn write_levels(f: &mut Formatter<'_>, levels: &[&str]) -> fmt::Result {
    if levels.is_empty() { Ok(()) } else { write!(f, " {levels:?}") }
}

impl Display for Scope {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Pattern { text, .. } => f.write_str(text),
            Scope::Keys(keys) => write!(f, "keys {keys:?}"),
            Scope::Tag(tag) => write!(f, "tag {tag}"),
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Acknowledged { degraded: false, .. } => f.write_str("ok"),
            Outcome::Acknowledged { degraded: true, .. } => f.write_str("ok, degraded"),
            Outcome::Found(found) => {
                let value = found.value.map_or_else(|| "something else".to_owned(), |value| format!("#{value}"));
                let spoilt = if found.intact { "" } else { " altered" };
                write!(f, "{value}{spoilt} from {}, expires at {} ms", found.level, found.expires_at_ms)
            }
            Outcome::Absent | Outcome::NothingThere => f.write_str("404"),
            Outcome::Refused(status) => write!(f, "{status}"),
            Outcome::Unknown { status, killed: false } => write!(f, "{status}"),
            Outcome::Unknown { status, killed: true } => write!(f, "{status}, killed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Found, KeyId, Put};
    use crate::rules::violations;

    const HOUR: Duration = Duration::from_secs(3600);

    fn operation(start: u64, key: KeyId, value: Option<u64>, action: Action) -> Operation {
        let (start, end) = (Duration::from_millis(start), Duration::from_millis(start + 5));
        let found = Found { value, intact: true, level: "L2_REDIS".to_owned(), expires_at_ms: 1_000_000, stale: false };
        let outcome = match action {
            Action::Get { .. } | Action::GetStale { .. } => Outcome::Found(found),
            _ => Outcome::Acknowledged { degraded: false, durable: true },
        };
        let process = Some(format!("entries-{key}.0"));
        Operation { start, end, process, action, outcome }
    }

    fn put(key: KeyId, value: u64) -> Action {
        Action::Put(Put { key, value, ttl: HOUR, grace: Duration::ZERO, tags: vec![], levels: &[], loaded: None })
    }

    #[test]
    fn a_violation_shows_what_happened_to_its_key() {
        let operations = vec![
            operation(0, 0, None, put(0, 1)),
            operation(10, 0, None, put(1, 2)),
            operation(20, 0, None, Action::Delete { key: 0 }),
            operation(3000, 0, Some(1), Action::Get { key: 0, no_cache: true }),
        ];
        let keys = vec!["k".to_owned(), "other".to_owned()];
        let history = History { window: Duration::ZERO, keys, operations, incidents: vec![] };
        let violations = violations(&history);
        let text = describe(&Verdict { seed: 7, faults: vec![], history, violations, warm_jobs: 0 });
        assert!(text.starts_with("seed 7, window 0 ms"), "{text}");
        let marked: Vec<&str> = text.lines().filter_map(|line| line.get(..4)).collect();
        assert!(["PUT ", "LOST", "READ"].iter().all(|mark| marked.contains(mark)), "{text}");
        assert!(!text.contains("#2"), "{text}");
    }
}
