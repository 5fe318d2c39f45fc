//! A cache that was emptied, as by switching L3 off and on.

use super::*;

/// The cache was emptied from 100 to 200 ms.
fn judge_emptied(empties: bool, operations: Vec<Operation>) -> Vec<Rule> {
    let incidents = vec![Incident { start: ms(100), end: ms(200), what: String::new(), l3_well: false, empties }];
    let history = History { window: ms(WINDOW), keys: vec!["k".to_owned()], operations, incidents };
    violations(&history).iter().map(|violation| violation.rule).collect()
}

#[test]
fn what_was_stored_before_or_meanwhile_may_be_gone() {
    let gone = |put| vec![put, read(20_000, "b", Outcome::Absent)];
    for put in [put(0, 10, "a", 1), put(90, 110, "a", 1), put(150, 160, "a", 1)] {
        assert_eq!(judge_emptied(true, gone(put.clone())), []);
        assert_eq!(judge_emptied(false, gone(put)), [Rule::Vanished]);
    }
    assert_eq!(judge_emptied(true, gone(put(210, 220, "a", 1))), [Rule::Vanished]);
    let both = vec![put(0, 10, "a", 1), read(50, "a", found(1)), read(5000, "b", Outcome::Absent)];
    assert_eq!(judge_emptied(true, both), []);
}

#[test]
fn what_was_stored_before_does_not_come_back() {
    let back = |put, at| vec![put, read(at, "b", found(1))];
    assert_eq!(judge_emptied(true, back(put(0, 10, "a", 1), 20_000)), [Rule::Stale]);
    assert_eq!(judge_emptied(false, back(put(0, 10, "a", 1), 20_000)), []);
    // Others may learn of it late.
    assert_eq!(judge_emptied(true, back(put(0, 10, "a", 1), 5000)), []);
    assert_eq!(judge_emptied(true, back(put(150, 160, "a", 1), 20_000)), []);
}
