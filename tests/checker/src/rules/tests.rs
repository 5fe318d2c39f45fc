#![allow(clippy::unwrap_used)]
use super::*;
use crate::history::{Action, Found, Incident, Operation, Outcome, Patch, Put, Scope};

mod emptied;
mod fills;
mod grace;
mod undos;

const WINDOW: u64 = 1000;
const HOUR: Duration = Duration::from_secs(3600);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An operation from `start` to `end` milliseconds, in a process.
fn operation(start: u64, end: u64, process: &str, action: Action, outcome: Outcome) -> Operation {
    Operation { start: ms(start), end: ms(end), process: Some(process.to_owned()), action, outcome }
}

const DONE: Outcome = Outcome::Acknowledged { degraded: false, durable: true };
const DEGRADED: Outcome = Outcome::Acknowledged { degraded: true, durable: true };
const LOST: Outcome = Outcome::Unknown { status: 503, killed: false };
const KILLED: Outcome = Outcome::Unknown { status: 502, killed: true };

fn plain(value: u64) -> Put {
    Put { key: 0, value, ttl: HOUR, grace: Duration::ZERO, tags: vec![], levels: &[], loaded: None }
}

fn put(start: u64, end: u64, process: &str, value: u64) -> Operation {
    operation(start, end, process, Action::Put(plain(value)), DONE)
}

fn put_like(start: u64, end: u64, put: Put) -> Operation {
    operation(start, end, "a", Action::Put(put), DONE)
}

fn delete(start: u64, end: u64, process: &str) -> Operation {
    operation(start, end, process, Action::Delete { key: 0 }, DONE)
}

fn sweep(start: u64, end: u64, keys: &[KeyId]) -> Operation {
    let scope = Scope::Pattern { text: "*".to_owned(), keys: keys.to_vec() };
    operation(start, end, "i", Action::Invalidate { scope, levels: &[] }, DONE)
}

fn sweep_tag(start: u64, end: u64, tag: usize) -> Operation {
    operation(start, end, "i", Action::Invalidate { scope: Scope::Tag(tag), levels: &[] }, DONE)
}

fn with(mut operation: Operation, outcome: Outcome) -> Operation {
    operation.outcome = outcome;
    operation
}

fn fresh(mut operation: Operation) -> Operation {
    operation.action = Action::Get { key: 0, no_cache: true };
    operation
}

fn found(value: u64) -> Outcome {
    let level = "L1_MEMORY".to_owned();
    Outcome::Found(Found { value: Some(value), intact: true, level, expires_at_ms: 10_000_000, stale: false })
}

fn read(start: u64, process: &str, outcome: Outcome) -> Operation {
    operation(start, start + 10, process, Action::Get { key: 0, no_cache: false }, outcome)
}

fn judge(mut operations: Vec<Operation>) -> Vec<Violation> {
    operations.sort_by_key(|operation| operation.start);
    violations(&History {
        window: ms(WINDOW),
        keys: vec!["k".to_owned(), "other".to_owned()],
        operations,
        incidents: vec![],
    })
}

#[track_caller]
fn assert_fine(operations: Vec<Operation>) {
    let wrong = judge(operations);
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[track_caller]
fn assert_wrong(rule: Rule, operations: Vec<Operation>) -> Violation {
    let mut wrong = judge(operations);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].rule, rule);
    wrong.remove(0)
}

#[test]
fn an_old_value_may_be_read_for_the_window_and_no_longer() {
    let until = |start| vec![put(0, 10, "a", 1), put(20, 30, "a", 2), read(start, "b", found(1))];
    assert_fine(until(30 + WINDOW));
    let wrong = assert_wrong(Rule::Stale, until(30 + WINDOW + 3));
    assert_eq!((wrong.put, wrong.ignored, wrong.read, wrong.allowed), (Some(0), Some(1), 2, false));
    assert_fine(vec![put(0, 10, "a", 1), put(20, 30, "a", 2), read(5000, "b", found(2))]);
}

#[test]
fn a_read_that_asks_for_it_has_no_window() {
    assert_wrong(Rule::Stale, vec![put(0, 10, "a", 1), put(20, 30, "a", 2), fresh(read(31, "b", found(1)))]);
    assert_fine(vec![put(0, 10, "a", 1), put(20, 30, "a", 2), fresh(read(29, "b", found(1)))]);
}

#[test]
fn the_process_that_acknowledged_has_no_window() {
    assert_wrong(Rule::Stale, vec![put(0, 10, "a", 1), put(20, 30, "a", 2), read(31, "a", found(1))]);
    let mut unknown = put(20, 30, "a", 2);
    unknown.process = None;
    let mut reader = read(31, "a", found(1));
    reader.process = None;
    assert_fine(vec![put(0, 10, "a", 1), unknown, reader]);
}

#[test]
fn a_degraded_mutation_has_the_longer_bound() {
    let until = |read| vec![put(0, 10, "a", 1), with(put(20, 30, "a", 2), DEGRADED), read];
    assert_fine(until(read(11_000, "b", found(1))));
    assert_wrong(Rule::Stale, until(read(11_033, "b", found(1))));
    assert_fine(until(fresh(read(10_030, "b", found(1)))));
    assert_wrong(Rule::Stale, until(fresh(read(10_031, "b", found(1)))));
    assert_wrong(Rule::Stale, until(read(31, "a", found(1))));
}

#[test]
fn either_of_two_concurrent_puts_may_win() {
    assert_fine(vec![put(0, 30, "a", 1), put(20, 40, "b", 2), read(5000, "b", found(1))]);
}

#[test]
fn the_winner_of_two_concurrent_puts_is_the_same_for_everybody() {
    let both = || vec![put(0, 30, "a", 1), put(20, 40, "b", 2)];
    let read_by = |start, process, value| read(start, process, found(value));
    let also = |reads: Vec<Operation>| both().into_iter().chain(reads).collect::<Vec<_>>();
    let divided = assert_wrong(Rule::Divided, also(vec![read_by(5000, "a", 1), read_by(5010, "b", 2)]));
    assert_eq!((divided.put, divided.ignored, divided.read), (Some(1), Some(0), 3));
    assert_fine(also(vec![read_by(5000, "a", 2), read_by(5010, "b", 2)]));
    assert_fine(also(vec![read_by(500, "c", 1), read_by(5010, "d", 2)]));
    assert_fine(also(vec![read_by(5000, "a", 1), put(6000, 6010, "c", 3), read_by(8000, "b", 3)]));
    let unknown = with(put(25, 40, "b", 3), LOST);
    assert_fine(also(vec![unknown, read_by(5000, "a", 1), read_by(5010, "b", 2)]));
    let gone = |read| vec![put(0, 30, "a", 1), delete(20, 40, "b"), read_by(5000, "a", 1), read];
    assert_wrong(Rule::Divided, gone(read(5010, "b", Outcome::Absent)));
    let short = Put { ttl: ms(5005), ..plain(1) };
    let expired = vec![put_like(0, 30, short), delete(20, 40, "b"), read_by(4000, "a", 1)];
    assert_fine(expired.into_iter().chain([read(5000, "b", Outcome::Absent)]).collect());
}

#[test]
fn a_deleted_value_does_not_come_back() {
    let resurrected = vec![put(0, 10, "a", 1), delete(20, 30, "a"), read(2000, "b", found(1))];
    assert_wrong(Rule::Stale, resurrected);
    assert_fine(vec![put(0, 10, "a", 1), delete(20, 30, "a"), put(40, 50, "a", 2), read(2000, "b", found(2))]);
    assert_fine(vec![put(0, 10, "a", 1), with(delete(20, 30, "a"), LOST), read(9000, "b", found(1))]);
    assert_fine(vec![put(0, 10, "a", 1), with(delete(20, 30, "a"), Outcome::Refused(429)), read(9000, "b", found(1))]);
}

#[test]
fn an_invalidation_touches_every_match() {
    let tagged = || put_like(0, 10, Put { tags: vec![3], ..plain(1) });
    assert_wrong(Rule::Stale, vec![tagged(), sweep(20, 30, &[0, 1]), read(2000, "b", found(1))]);
    assert_wrong(Rule::Stale, vec![tagged(), sweep_tag(20, 30, 3), read(2000, "b", found(1))]);
    assert_fine(vec![tagged(), sweep(20, 30, &[1]), read(2000, "b", found(1))]);
    assert_fine(vec![tagged(), sweep_tag(20, 30, 4), read(2000, "b", found(1))]);
}

#[test]
fn an_invalidation_of_the_upper_levels_ends_nothing() {
    let mut upper = sweep(20, 30, &[0]);
    let Action::Invalidate { levels, .. } = &mut upper.action else { unreachable!() };
    *levels = &["L1_MEMORY", "L2_REDIS"];
    assert_fine(vec![put(0, 10, "a", 1), upper.clone(), read(2000, "b", found(1))]);
    assert_wrong(Rule::Vanished, vec![put(0, 10, "a", 1), upper, read(2000, "b", Outcome::Absent)]);
}

#[test]
fn a_put_of_unknown_end_may_happen_late() {
    let lost = || with(put(0, 10, "a", 1), LOST);
    assert_fine(vec![lost(), delete(20, 30, "a"), read(5000, "b", found(1))]);
    let late = vec![lost(), delete(35_001, 35_010, "a"), read(40_000, "b", found(1))];
    assert_wrong(Rule::Stale, late);
}

#[test]
fn a_put_of_unknown_end_that_was_seen_has_happened() {
    let lost = with(put(0, 10, "a", 1), LOST);
    let operations = vec![lost, read(20, "b", found(1)), delete(40, 50, "a"), read(5000, "b", found(1))];
    assert_wrong(Rule::Stale, operations);
}

#[test]
fn a_stored_value_stays() {
    assert_wrong(Rule::Vanished, vec![put(0, 10, "a", 1), read(2000, "b", Outcome::Absent)]);
    assert_fine(vec![put(0, 10, "a", 1), delete(20, 30, "a"), read(2000, "b", Outcome::Absent)]);
    assert_fine(vec![put(20, 30, "a", 1), delete(0, 21, "b"), read(2000, "b", Outcome::Absent)]);
    assert_wrong(Rule::Vanished, vec![delete(0, 10, "a"), put(20, 30, "a", 1), read(2000, "b", Outcome::Absent)]);
    assert_fine(vec![put(0, 10, "a", 1), with(delete(20, 30, "a"), LOST), read(2000, "b", Outcome::Absent)]);
    assert_wrong(
        Rule::Vanished,
        vec![put(0, 10, "a", 1), with(delete(20, 30, "a"), Outcome::Refused(400)), read(2000, "b", Outcome::Absent)],
    );
}

#[test]
fn a_stored_value_is_there_after_the_window() {
    assert_fine(vec![put(0, 10, "a", 1), read(500, "b", Outcome::Absent)]);
    assert_wrong(Rule::Vanished, vec![put(0, 10, "a", 1), read(500, "a", Outcome::Absent)]);
    assert_wrong(Rule::Vanished, vec![put(0, 10, "a", 1), fresh(read(500, "b", Outcome::Absent))]);
}

#[test]
fn a_value_that_expires_or_is_not_in_l3_may_go() {
    let short = Put { ttl: ms(1000), ..plain(1) };
    assert_fine(vec![put_like(0, 10, short.clone()), read(1500, "b", Outcome::Absent)]);
    let later = put_like(20, 30, Put { value: 2, ..short });
    assert_fine(vec![put(0, 10, "a", 1), later, read(2000, "b", Outcome::Absent)]);
    let elsewhere = Outcome::Acknowledged { degraded: false, durable: false };
    let upper = with(put_like(20, 30, Put { levels: &["L2_REDIS"], ..plain(2) }), elsewhere.clone());
    assert_fine(vec![put(0, 10, "a", 1), upper, read(2000, "b", Outcome::Absent)]);
    let undurable = with(put(0, 10, "a", 1), elsewhere);
    assert_fine(vec![undurable, read(2000, "b", Outcome::Absent)]);
    assert_wrong(
        Rule::Vanished,
        vec![put(0, 10, "a", 1), with(put(20, 30, "a", 2), LOST), read(2000, "b", Outcome::Absent)],
    );
}

#[test]
fn an_invalidation_touches_nothing_else() {
    assert_wrong(Rule::Vanished, vec![put(0, 10, "a", 1), sweep(20, 30, &[1]), read(2000, "b", Outcome::Absent)]);
    let tagged = |tag| put_like(0, 10, Put { tags: vec![tag], ..plain(1) });
    assert_wrong(Rule::Vanished, vec![tagged(3), sweep_tag(20, 30, 4), read(2000, "b", Outcome::Absent)]);
    assert_fine(vec![tagged(3), sweep_tag(20, 30, 3), read(2000, "b", Outcome::Absent)]);
    let retagged = put_like(12, 15, plain(2));
    let after = vec![tagged(3), retagged, sweep_tag(20, 30, 3), read(2000, "b", Outcome::Absent)];
    assert_wrong(Rule::Vanished, after);
}

#[test]
fn a_tag_may_be_that_of_a_concurrent_value() {
    let (untagged, tagged) = (put_like(0, 30, plain(1)), put_like(5, 25, Put { tags: vec![3], ..plain(2) }));
    assert_fine(vec![untagged, tagged, sweep_tag(40, 50, 3), read(2000, "b", Outcome::Absent)]);
}

#[test]
fn nothing_is_read_when_it_has_expired() {
    let short = || put_like(0, 10, Put { ttl: ms(1000), ..plain(1) });
    assert_fine(vec![short(), read(1000, "b", found(1))]);
    assert_wrong(Rule::Expired, vec![short(), read(1013, "b", found(1))]);
    let mut said = found(1);
    let Outcome::Found(Found { expires_at_ms, .. }) = &mut said else { unreachable!() };
    *expires_at_ms = 500;
    assert_fine(vec![put(0, 10, "a", 1), read(499, "b", said.clone())]);
    assert_wrong(Rule::Expired, vec![put(0, 10, "a", 1), read(500, "b", said)]);
}

#[test]
fn every_byte_comes_back() {
    let Outcome::Found(whole) = found(1) else { unreachable!() };
    let spoilt = |value, intact| Outcome::Found(Found { value, intact, ..whole.clone() });
    assert_wrong(Rule::Altered, vec![put(0, 10, "a", 1), read(20, "a", spoilt(Some(1), false))]);
    assert_wrong(Rule::Altered, vec![put(0, 10, "a", 1), read(20, "a", spoilt(None, false))]);
    assert_wrong(Rule::Altered, vec![put(0, 10, "a", 1), read(20, "a", found(7))]);
    let elsewhere = put_like(0, 10, Put { key: 1, ..plain(1) });
    assert_wrong(Rule::Altered, vec![elsewhere, read(20, "a", found(1))]);
    let refused = with(put(0, 10, "a", 1), Outcome::Refused(413));
    assert_wrong(Rule::Altered, vec![refused, read(20, "a", found(1))]);
}

#[test]
fn what_a_killed_process_left_behind_is_told_apart() {
    let promotion = || with(read(15, "c", Outcome::Absent), KILLED);
    let left = vec![put(0, 10, "a", 1), promotion(), delete(20, 30, "a"), read(5000, "b", found(1))];
    assert!(assert_wrong(Rule::Stale, left).allowed);
    let later =
        vec![put(0, 10, "a", 1), promotion(), delete(20, 30, "a"), delete(40, 50, "a"), read(5000, "b", found(1))];
    assert!(!assert_wrong(Rule::Stale, later).allowed, "a mutation after the kill is never missed");
    let elsewhere = vec![
        put(0, 10, "a", 1),
        operation(15, 25, "c", Action::Get { key: 1, no_cache: false }, KILLED),
        delete(20, 30, "a"),
        read(5000, "b", found(1)),
    ];
    assert!(!assert_wrong(Rule::Stale, elsewhere).allowed);
}

/// A history with something wrong for a while, during which L3 is well or not.
fn judge_with_incident(operations: Vec<Operation>, start: u64, end: u64, l3_well: bool) -> Vec<Violation> {
    let incidents = vec![Incident { start: ms(start), end: ms(end), what: String::new(), l3_well, empties: false }];
    violations(&History { window: ms(WINDOW), keys: vec!["k".to_owned()], operations, incidents })
}

/// One refusal every second.
fn refusals(process: &str, operation: impl Fn(u64, u64, &str) -> Operation, seconds: u64) -> Vec<Operation> {
    (0..=seconds).map(|second| with(operation(second * 1000, second * 1000 + 10, process), LOST)).collect()
}

#[test]
fn a_process_does_not_refuse_for_long_what_l3_can_answer() {
    let put_in = |start, end, process: &str| put(start, end, process, start);
    let invalidated = |start, end, process: &str| {
        let mut sweep = sweep(start, end, &[0]);
        sweep.process = Some(process.to_owned());
        sweep
    };
    for wrong in [
        assert_wrong(Rule::Unavailable, refusals("a", put_in, 7)),
        assert_wrong(Rule::Unavailable, refusals("a", delete, 7)),
        assert_wrong(Rule::Unavailable, refusals("i", invalidated, 7)),
        assert_wrong(Rule::Unavailable, refusals("a", |start, _, process| read(start, process, LOST), 7)),
    ] {
        assert_eq!((wrong.ignored, wrong.read), (Some(0), 5), "told once, when it has lasted for long enough");
    }
    assert_fine(refusals("a", put_in, 4));
    let answered = |at: u64| put(at, at + 10, "a", at);
    assert_fine(refusals("a", put_in, 7).into_iter().chain([answered(3500)]).collect());
    let elsewhere = |at: u64| put(at, at + 10, "b", at);
    assert_wrong(Rule::Unavailable, refusals("a", put_in, 7).into_iter().chain([elsewhere(3500)]).collect());
}

#[test]
fn what_is_not_in_l3_or_while_l3_is_ill_may_be_refused() {
    let upper = |start, end, process: &str| {
        let value = Put { levels: &["L1_MEMORY", "L2_REDIS"], ..plain(start) };
        operation(start, end, process, Action::Put(value), DONE)
    };
    assert_fine(refusals("a", upper, 9));
    let of_upper = |start, _, process: &str| read(start, process, LOST);
    let seen = refusals("a", of_upper, 9);
    assert_fine(seen.clone().into_iter().chain([upper(20, 30, "b")]).collect());
    assert!(judge_with_incident(seen.clone(), 3000, 4000, false).is_empty());
    assert_eq!(judge_with_incident(seen, 3000, 4000, true).len(), 1);
}

#[test]
fn a_deletion_of_nothing_has_the_longer_bound() {
    let nothing = |read| vec![put(0, 10, "a", 1), with(delete(20, 30, "a"), Outcome::NothingThere), read];
    assert_fine(nothing(read(11_000, "b", found(1))));
    assert_wrong(Rule::Stale, nothing(read(11_033, "b", found(1))));
}

#[test]
fn every_kind_of_degraded_mutation_is_seen_in_time_and_ever_after() {
    let again = || vec![put(0, 10, "a", 1)];
    for mutation in [put(20, 30, "a", 2), delete(20, 30, "a"), sweep(20, 30, &[0])] {
        let until = |read| again().into_iter().chain([with(mutation.clone(), DEGRADED), read]).collect::<Vec<_>>();
        assert_fine(until(read(11_000, "b", found(1))));
        for late in [11_033, 60_000, 3_000_000] {
            assert_wrong(Rule::Stale, until(read(late, "b", found(1))));
            assert_wrong(Rule::Stale, until(fresh(read(late, "b", found(1)))));
        }
    }
}

fn patch(start: u64, end: u64, ttl: Duration, add: &[usize], remove: &[usize]) -> Operation {
    let patch = Patch { key: 0, ttl, add: add.to_vec(), remove: remove.to_vec() };
    operation(start, end, "p", Action::Patch(patch), DONE)
}

fn found_until(value: u64, expires_at_ms: i64) -> Outcome {
    let Outcome::Found(found) = found(value) else { unreachable!() };
    Outcome::Found(Found { expires_at_ms, ..found })
}

#[test]
fn a_patch_ends_nothing_and_brings_nothing_back() {
    let changed = || vec![put(0, 10, "a", 1), patch(20, 30, HOUR, &[], &[])];
    assert!(judge([changed(), vec![read(3000, "b", found_until(1, 3_600_000))]].concat()).is_empty());
    let gone = [changed(), vec![delete(25, 35, "b"), read(3000, "c", found(1))]].concat();
    assert!(judge(gone).iter().any(|violation| violation.rule == Rule::Stale));
    let absent = [changed(), vec![read(3000, "c", Outcome::Absent)]].concat();
    assert!(judge(absent).iter().any(|violation| violation.rule == Rule::Vanished));
}

#[test]
fn the_life_of_a_patch_must_be_seen() {
    let two_hours = 2 * HOUR;
    let with = |outcome| judge(vec![put(0, 10, "a", 1), patch(20, 30, two_hours, &[], &[]), read(3000, "b", outcome)]);
    assert!(with(found_until(1, 7_200_000)).is_empty());
    assert_eq!(with(found_until(1, 3_600_000))[0].rule, Rule::Stale);
    let early = vec![put(0, 10, "a", 1), patch(20, 30, two_hours, &[], &[]), read(500, "b", found_until(1, 3_600_000))];
    assert!(judge(early).is_empty(), "within the window");
}

#[test]
fn tags_that_a_patch_may_have_changed_prove_nothing() {
    let tagged = Put { tags: vec![0], ..plain(1) };
    let until = found_until(1, 3_600_000);
    let lost = vec![put_like(0, 10, tagged.clone()), patch(20, 30, HOUR, &[], &[0]), sweep_tag(40, 50, 0)];
    assert!(judge([lost, vec![read(3000, "b", until.clone())]].concat()).is_empty());
    let kept = vec![put_like(0, 10, tagged), patch(20, 30, HOUR, &[1], &[]), sweep_tag(40, 50, 0)];
    assert_eq!(judge([kept, vec![read(3000, "b", until)]].concat())[0].rule, Rule::Stale);
    let gained = vec![put(0, 10, "a", 1), patch(20, 30, HOUR, &[1], &[]), sweep_tag(40, 50, 1)];
    assert!(judge([gained, vec![read(3000, "b", Outcome::Absent)]].concat()).is_empty());
}
