//! P2 but for undo: what an undo brings back is what the very invalidation removed, and nothing else has touched since.
//! Every rule of it, and what breaks without.

use crate::check::{NO_FAULTS, holds, needs};
use strata_model::{
    faults::Budget,
    properties::NEVER_RESURRECTED,
    rule::Rule,
    scenario::{Request, Request::*, Scenario, SourceOfTruth},
};

const OTHERS: [Request; 9] = [Get, Put, PutAbove, Patch, Fill, Delete, Invalidate, InvalidateAbove, InvalidateAsJob];

fn with_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L3)
}

fn undos_hold(budget: Budget) {
    for other in OTHERS {
        holds(with_l3().ask(&[InvalidateUndoably, Undo], &[other], &[]).with(budget));
    }
}

#[test]
fn undos_and_a_slow_read_without_faults() {
    for other in OTHERS {
        holds(with_l3().ask(&[InvalidateUndoably, Undo], &[other], &[Get]));
        holds(with_l3().cold().ask(&[InvalidateUndoably, Undo], &[other], &[Get]));
    }
}

#[test]
fn undos_by_another_container_and_twice() {
    for other in OTHERS {
        holds(with_l3().ask(&[InvalidateUndoably], &[Undo, Undo], &[other]));
    }
}

#[test]
fn undos_of_one_of_two() {
    holds(with_l3().ask(&[InvalidateUndoably, Undo], &[Put, InvalidateUndoably], &[]));
    holds(with_l3().ask(&[InvalidateUndoably, Undo], &[InvalidateUndoably], &[Invalidate]));
}

#[test]
fn undos_with_a_kill() {
    undos_hold(Budget { crash: 1, ..NO_FAULTS });
}

#[test]
fn undos_with_containers_cut_off() {
    undos_hold(Budget { cut: 1, ..NO_FAULTS });
}

#[test]
fn undos_with_a_flush() {
    undos_hold(Budget { flush: 1, ..NO_FAULTS });
}

#[test]
fn undos_with_a_failover() {
    undos_hold(Budget { failover: 1, ..NO_FAULTS });
}

#[test]
fn undos_with_a_gap_and_an_eviction() {
    undos_hold(Budget { busy: 1, evict: 1, ..NO_FAULTS });
}

#[test]
fn undos_with_forgotten_invalidations() {
    undos_hold(Budget { forget: 1, ..NO_FAULTS });
}

/// An invalidation that is younger than the invalidation, but older than a version of the undo's own time, passes it
/// over.
#[test]
fn what_is_brought_back_is_just_above_the_invalidation() {
    needs(Rule::UndoJustAbove, with_l3().ask(&[InvalidateUndoably, Undo], &[Invalidate], &[]), NEVER_RESURRECTED);
}

/// Copies of before equal what has its old version.
#[test]
fn what_is_brought_back_is_new() {
    needs(Rule::UndoIsNew, with_l3().ask(&[InvalidateUndoably, Undo], &[], &[]), NEVER_RESURRECTED);
}

/// What a later invalidation has removed is its own.
#[test]
fn what_is_brought_back_is_of_the_very_invalidation() {
    let scenario = with_l3().ask(&[InvalidateUndoably, Undo], &[Put, InvalidateUndoably], &[]);
    needs(Rule::UndoExactly, scenario, NEVER_RESURRECTED);
}

/// An invalidation finds a tombstone, and has nothing to remove.
#[test]
fn invalidations_take_what_tombstones_keep() {
    needs(Rule::SweepsStrip, with_l3().ask(&[InvalidateUndoably, Undo], &[Invalidate], &[]), NEVER_RESURRECTED);
}

/// It is not sure yet what the invalidation removes.
#[test]
fn an_undo_waits_for_the_invalidation() {
    let scenario = with_l3().ask(&[InvalidateUndoably], &[Undo], &[]);
    needs(Rule::UndoAfterClose, scenario, strata_model::properties::NEVER_LOST);
}

/// An older invalidation comes to the row after it was brought back, as something that is newer.
#[test]
fn an_undo_waits_for_older_invalidations() {
    let scenario = with_l3().ask(&[Invalidate], &[InvalidateUndoably, Undo], &[]);
    needs(Rule::UndoAfterOlder, scenario, NEVER_RESURRECTED);
}

/// It would not be seen that the older one is still at work.
#[test]
fn an_invalidation_that_can_be_undone_closes_no_other() {
    let scenario = with_l3().ask(&[Invalidate], &[InvalidateUndoably, Undo], &[]);
    needs(Rule::UndoablePassesNone, scenario, NEVER_RESURRECTED);
}

/// The same, of one that is acknowledged and that only the control table knows of.
#[test]
fn an_undo_reads_the_notes_of_jobs() {
    let budget = Budget { flush: 1, ..NO_FAULTS };
    let scenario = with_l3().ask(&[InvalidateAsJob], &[InvalidateUndoably, Undo], &[]).with(budget);
    needs(Rule::UndoReadsJobs, scenario, NEVER_RESURRECTED);
}

/// One that took its version before, and is recorded after the undo.
#[test]
fn an_invalidation_is_newer_than_what_was_undone() {
    let scenario = with_l3().ask(&[Invalidate], &[InvalidateUndoably, Undo], &[]);
    needs(Rule::NewerThanUndone, scenario, NEVER_RESURRECTED);
}

/// The server that knows what was undone is gone.
#[test]
fn an_invalidation_begins_anew_after_an_epoch() {
    for budget in [Budget { flush: 1, ..NO_FAULTS }, Budget { failover: 1, ..NO_FAULTS }] {
        let scenario = with_l3().ask(&[Invalidate], &[InvalidateUndoably, Undo], &[]).with(budget);
        needs(Rule::AnewAfterEpoch, scenario, NEVER_RESURRECTED);
    }
}

/// What it saw is a tombstone by now, or was brought back.
#[test]
fn an_invalidate_without_redis_looks_again() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    let scenario = with_l3().ask(&[Invalidate], &[InvalidateUndoably, Undo], &[]).with(budget);
    needs(Rule::LooksAgain, scenario, NEVER_RESURRECTED);
}
