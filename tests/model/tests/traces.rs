//! Schedules that broke earlier versions of the protocol. Each is reachable in a small scenario: that holds with all
//! rules, and breaks without the one that the trace is about. The numbers are those of the table in the crate's doc.

use crate::check::{NO_FAULTS, holds, needs};
use stateright::Model;
use strata_model::{
    faults::Budget,
    properties::{Action, NEVER_LOST, NEVER_RESURRECTED, NEVER_STALE},
    rule::Rule,
    scenario::{FIRST, Request::*, Scenario, SourceOfTruth},
    state::{State, Who},
    turn::Luck,
};

/// A value in every level.
fn warm() -> Scenario {
    Scenario::new(SourceOfTruth::L3)
}

/// A value in L3 only: a GET promotes it.
fn cold() -> Scenario {
    warm().cold()
}

/// A value in L2, which is the source of truth.
fn without_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L2)
}

#[test]
fn t01_a_new_container_at_the_head_without_recent_changes() {
    needs(Rule::IndexAsked, warm().ask(&[Delete], &[Put], &[Get]), NEVER_RESURRECTED);
    let budget = Budget { trim: 1, evict: 1, ..NO_FAULTS };
    needs(Rule::IndexAsked, cold().ask(&[Delete], &[], &[Get]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn t02_two_puts_and_different_winners() {
    for scenario in [warm(), without_l3()] {
        needs(Rule::SourceOfTruthFirst, scenario.ask(&[Put], &[Put], &[Get]), NEVER_STALE);
    }
}

#[test]
fn t03_a_late_copy_after_the_tombstone() {
    let budget = Budget { age: 1, ..NO_FAULTS };
    needs(Rule::CheckAndUndo, warm().ask(&[Put], &[Delete], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn t04_a_slow_invalidate_and_a_newer_put() {
    let budget = Budget { evict: 1, ..NO_FAULTS };
    needs(Rule::RemovalByVersion, warm().ask(&[Invalidate], &[Put], &[]).with(budget), NEVER_LOST);
}

#[test]
fn t05_a_put_that_lands_after_the_scan() {
    let budget = Budget { age: 1, ..NO_FAULTS };
    needs(Rule::CheckAndUndo, warm().ask(&[Put], &[Invalidate], &[]).with(budget), NEVER_RESURRECTED);
    let budget = Budget { crash: 1, ..NO_FAULTS };
    holds(warm().ask(&[Put], &[Invalidate], &[Get]).with(budget));
    holds(without_l3().ask(&[Put], &[Invalidate], &[Get]).with(budget));
}

#[test]
fn t06_a_slow_promotion_and_an_invalidate() {
    needs(Rule::OpenInvalidation, cold().ask(&[Invalidate], &[Get], &[]), NEVER_RESURRECTED);
    let budget = Budget { age: 1, ..NO_FAULTS };
    needs(Rule::CheckAndUndo, cold().ask(&[Invalidate], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn t07_a_slow_promotion_and_a_delete() {
    let budget = Budget { age: 1, evict: 1, ..NO_FAULTS };
    needs(Rule::CheckAndUndo, cold().ask(&[Delete], &[Get], &[]).with(budget), NEVER_RESURRECTED);
    needs(Rule::CheckAndUndo, cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
}

#[test]
fn t08_a_stamp_that_includes_what_was_not_read() {
    needs(Rule::AsOfBeforeRead, cold().ask(&[Delete], &[Get], &[]), NEVER_RESURRECTED);
    needs(Rule::SourceOfTruthFirst, cold().ask(&[Delete], &[Get], &[]), NEVER_RESURRECTED);
}

#[test]
fn t09_a_newer_put_does_not_hide_an_older_delete() {
    let budget = Budget { age: 1, ..NO_FAULTS };
    needs(Rule::EveryChangeKept, warm().ask(&[Put], &[Delete], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn t10_a_writer_killed_between_any_two_steps() {
    let budget = Budget { crash: 1, ..NO_FAULTS };
    for writer in [Put, PutAbove, Delete, Invalidate, InvalidateAbove] {
        for other in [Put, Delete, Invalidate] {
            holds(cold().ask(&[writer], &[other, Get], &[Get]).with(budget));
        }
    }
}

#[test]
fn t11_a_put_above_l3_while_an_older_one_is_on_its_way() {
    needs(Rule::SourceOfTruthFirst, warm().ask(&[PutAbove], &[Put], &[Get]), NEVER_STALE);
}

/// The value of L3 is not refused for ever: the next GET promotes it, and the one after is answered by L1.
#[test]
fn t12_an_invalidate_of_l1_and_l2_and_l3_again() {
    holds(warm().ask(&[InvalidateAbove], &[Get], &[Get]));
    let scenario = warm().ask(&[InvalidateAbove, Get, Get], &[], &[]);
    let mut state = scenario.start();
    run(&scenario, &mut state, Who::A);
    assert_eq!((state.redis.copy, state.containers[0].memory), (None, None));
    run(&scenario, &mut state, Who::A);
    assert_eq!(state.redis.copy.map(|copy| copy.version), Some(FIRST));
    assert!(state.containers[0].memory.is_some());
    act(&scenario, &mut state, Action::ReadInWindow(Who::A));
    assert!(state.containers[0].operation.is_none(), "answered at once, by L1");
}

#[test]
fn t13_a_failover_that_loses_the_tail() {
    let budget = Budget { failover: 1, ..NO_FAULTS };
    needs(Rule::Epoch, warm().ask(&[Delete], &[], &[]).with(budget), NEVER_RESURRECTED);
    // With later records, which make the journal longer than it was.
    needs(Rule::Epoch, warm().ask(&[Put, Put], &[], &[]).with(budget), NEVER_STALE);
    holds(cold().ask(&[Put, Delete], &[Get], &[]).with(budget));
}

#[test]
fn t14_one_container_cut_off_and_another_that_never_notices() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    for (writer, property) in [(Put, NEVER_STALE), (Delete, NEVER_RESURRECTED), (Invalidate, NEVER_RESURRECTED)] {
        needs(Rule::Notes, warm().ask(&[writer], &[Get], &[]).with(budget), property);
    }
}

#[test]
fn t17_own_l1_filled_after_losing_to_a_delete() {
    needs(Rule::AsOfBeforeRead, warm().ask(&[Put], &[Delete], &[]), NEVER_RESURRECTED);
}

#[test]
fn t18_eventually_consistent_reads_of_l3() {
    for (writer, property) in [(Put, NEVER_STALE), (Delete, NEVER_RESURRECTED), (Invalidate, NEVER_RESURRECTED)] {
        needs(Rule::ConsistentReads, cold().ask(&[writer], &[Get], &[]), property);
    }
}

/// A container that nothing comes between does the next of its script.
fn run(scenario: &Scenario, state: &mut State, who: Who) {
    act(scenario, state, Action::Begin(who, Luck::Plain));
    while state.containers[who as usize].operation.is_some() {
        act(scenario, state, Action::Step(who, Luck::Plain));
    }
}

fn act(scenario: &Scenario, state: &mut State, action: Action) {
    let mut possible = Vec::new();
    scenario.actions(state, &mut possible);
    assert!(possible.contains(&action), "{action:?} is not possible");
    *state = scenario.next_state(state, action).unwrap();
}
