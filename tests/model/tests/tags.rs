//! What has a tag is found by it: every pair of what can happen to a key, with faults, and what breaks without each rule.

use stateright::{Checker, HasDiscoveries, Model};
use strata_model::tags::{
    ALL_FOUND, GAP, NOTHING_MISSED, NOTHING_TAKEN,
    Request::{self, *},
    Row, Rule, Scenario, TAGS_TRUE, Tags,
};

const X: Tags = Tags::X;
const Y: Tags = Tags::Y;

/// What can happen to a key whose value has the tag `X`, and lives for an age.
const ALL: [Request; 20] = [
    Put(X, 1),
    Put(X, 2),
    Put(Tags::XY, 1),
    Put(Y, 1),
    Put(Tags::NONE, 1),
    PutNoted(X),
    PutNoted(Tags::NONE),
    Patch(X),
    Patch(Tags::XY),
    Patch(Tags::NONE),
    Fill(X),
    Delete,
    Invalidate(X),
    InvalidateUndoably(X),
    MakeStale(X),
    Undo,
    Tidy,
    FormerPut(X),
    FormerPut(Tags::NONE),
    FormerInvalidate(X),
];

#[track_caller]
fn holds(scenario: Scenario) {
    let checker = scenario.clone().checker().threads(1).spawn_bfs().join();
    if let Some((property, path)) = checker.discoveries().into_iter().next() {
        panic!("{scenario:?}\n{property} is broken by\n{:#?}", path.into_actions());
    }
    assert!(checker.is_done(), "{scenario:?} was not visited as a whole");
}

#[track_caller]
fn needs(rule: Rule, scenario: Scenario, property: &'static str) {
    holds(scenario.clone());
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = scenario.clone().without(rule).checker().threads(1).finish_when(found).spawn_bfs().join();
    assert!(checker.discovery(property).is_some(), "{scenario:?}\nnothing breaks {property} without {rule:?}");
}

/// What may stand there at the start: a value of this release, one of the release before, or nothing.
fn starts() -> [Option<Row>; 3] {
    [Some(Row::value(GAP, GAP, X, 1, 1)), Some(Row::value(GAP, GAP, X, 1, 0)), None]
}

fn pairs() -> impl Iterator<Item = [Request; 2]> {
    ALL.iter().enumerate().flat_map(|(at, one)| ALL[at..].iter().map(|other| [*one, *other]))
}

/// Whether it is to be seen: nothing is undone or made stale while the release before runs.
fn is_sound(requests: &[Request]) -> bool {
    let has = |wanted: fn(&Request) -> bool| requests.iter().any(wanted);
    let is_new = |request: &Request| matches!(request, InvalidateUndoably(_) | MakeStale(_));
    !has(|request| matches!(request, FormerPut(_))) || !has(is_new)
}

#[test]
fn pairs_with_repetitions_and_a_kill() {
    for pair in pairs().filter(|pair| is_sound(pair)) {
        for first in starts() {
            holds(Scenario::new(&pair).over(first).with(2, 1));
        }
    }
}

#[test]
fn triples_without_faults() {
    for (at, one) in ALL.iter().enumerate() {
        for (next, other) in ALL.iter().enumerate().skip(at) {
            for third in &ALL[next..] {
                holds(Scenario::new(&[*one, *other, *third]));
            }
        }
    }
}

#[test]
fn an_undo_among_others() {
    for other in ALL.into_iter().filter(|other| is_sound(&[InvalidateUndoably(X), *other])) {
        holds(Scenario::new(&[InvalidateUndoably(X), Undo, other]).with(1, 1));
        holds(Scenario::new(&[InvalidateUndoably(X), Undo, Put(X, 2), other]));
    }
}

#[test]
fn a_soft_invalidation_among_others() {
    for other in ALL.into_iter().filter(|other| is_sound(&[MakeStale(X), *other])) {
        holds(Scenario::new(&[MakeStale(X), Put(X, 2), other]).with(1, 1));
    }
}

/// A9: what was dropped with a value is not there for the next one of the same name.
#[test]
fn a_put_that_was_refused_has_a_new_name() {
    needs(Rule::NewName, Scenario::new(&[Put(X, 1), Delete]).with(1, 0), ALL_FOUND);
}

/// A10: its answer was lost, and what has taken its place keeps its index rows.
#[test]
fn a_put_that_was_refused_looks_at_what_stands() {
    needs(Rule::StandingSpared, Scenario::new(&[Put(X, 1), Put(X, 1)]).with(1, 0), ALL_FOUND);
}

/// Its answer was lost, and a tombstone keeps what it wrote, to bring it back.
#[test]
fn a_patch_that_was_refused_looks_at_what_is_kept() {
    let scenario = Scenario::new(&[Patch(Tags::XY), InvalidateUndoably(X)]).with(1, 0);
    needs(Rule::StandingSpared, scenario, ALL_FOUND);
}

#[test]
fn what_keeps_its_tags_drops_nothing() {
    needs(Rule::KeptRowsStay, Scenario::new(&[Put(X, 1)]), ALL_FOUND);
}

#[test]
fn what_keeps_its_tags_replaces_exactly_what_was_seen() {
    needs(Rule::ExactlySeen, Scenario::new(&[Put(X, 1), Put(Y, 1)]), TAGS_TRUE);
}

/// The release before drops, when it is refused, what is named after its own version, though something keeps it.
#[test]
fn what_the_release_before_has_indexed_is_indexed_anew() {
    needs(Rule::NamedOnly, Scenario::new(&[FormerPut(X), Put(X, 1)]).with(1, 0), ALL_FOUND);
}

/// A7.
#[test]
fn index_rows_live_as_long_as_what_keeps_them() {
    needs(Rule::LongEnough, Scenario::new(&[Put(X, 2)]), ALL_FOUND);
}

/// To the release before an index row of a greater name than the version that stands is of a value on its way.
#[test]
fn names_are_below_versions() {
    let scenario = Scenario::new(&[Put(X, 1), FormerInvalidate(X)]).over(None);
    needs(Rule::NamesBelow, scenario, NOTHING_MISSED);
}

/// A tag that went comes back under the same name, while its index row is still to be dropped.
#[test]
fn other_tags_have_another_name() {
    needs(Rule::NameHasTags, Scenario::new(&[Patch(Tags::NONE), Patch(X)]), ALL_FOUND);
}

#[test]
fn index_rows_come_before_their_row() {
    needs(Rule::RowsFirst, Scenario::new(&[Put(Y, 1)]).with(0, 1), ALL_FOUND);
}

#[test]
fn index_rows_go_after_their_row() {
    needs(Rule::DropLast, Scenario::new(&[Put(Y, 1)]), ALL_FOUND);
}

/// A6.
#[test]
fn an_index_row_that_is_left_over_means_nothing() {
    needs(Rule::Named, Scenario::new(&[Put(Tags::NONE, 1), Invalidate(X)]), NOTHING_TAKEN);
}

/// A5: its value is on its way.
#[test]
fn an_index_row_goes_with_its_row_only() {
    needs(Rule::StrayRowsStay, Scenario::new(&[Put(X, 1), Invalidate(X)]), ALL_FOUND);
}

/// What comes back must be found by its tags.
#[test]
fn what_can_be_undone_keeps_its_index_rows() {
    needs(Rule::UndoableKeepsRows, Scenario::new(&[InvalidateUndoably(X), Undo]), ALL_FOUND);
}

/// What has expired by an invalidation is found by the next one.
#[test]
fn what_is_stale_keeps_its_index_rows() {
    needs(Rule::EndedKeepsName, Scenario::new(&[MakeStale(X)]), ALL_FOUND);
}

/// The row was read before.
#[test]
fn what_ends_a_life_replaces_exactly_what_was_seen() {
    needs(Rule::EndsExactly, Scenario::new(&[MakeStale(X), Put(Y, 1)]), NOTHING_TAKEN);
}
