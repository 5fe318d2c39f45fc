//! Values in their grace: who is given them, and what makes an end of that.

use crate::check::{NO_FAULTS, holds, needs};
use strata_model::{
    faults::Budget,
    properties::{NEVER_RESURRECTED, ONLY_WHO_ASKS},
    rule::Rule,
    scenario::{Request::*, Scenario, SourceOfTruth},
};

const CUT: Budget = Budget { cut: 1, ..NO_FAULTS };
const CRASH: Budget = Budget { crash: 1, ..NO_FAULTS };
const FLUSH: Budget = Budget { flush: 1, ..NO_FAULTS };
const FAILOVER: Budget = Budget { failover: 1, ..NO_FAULTS };

fn with_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L3)
}

/// The value has expired.
fn expired() -> Scenario {
    with_l3().in_grace()
}

#[test]
fn it_ends_with_whatever_ends_a_value() {
    for mutation in [Put, PutAbove, Delete, Invalidate, Fill, MakeStale] {
        for budget in [NO_FAULTS, CUT, CRASH, FLUSH, FAILOVER] {
            holds(expired().ask(&[mutation], &[GetStale], &[Get]).with(budget));
        }
    }
    // With L2 as the source of truth there are no fills.
    for mutation in [Put, PutAbove, Delete, Invalidate, MakeStale] {
        holds(Scenario::new(SourceOfTruth::L2).in_grace().ask(&[mutation], &[GetStale], &[Get]));
    }
    for budget in [NO_FAULTS, CUT, CRASH, FLUSH, FAILOVER] {
        holds(expired().ask(&[InvalidateAsJob], &[GetStale], &[]).with(budget));
    }
    holds(expired().ask(&[InvalidateAsJob], &[GetStale], &[Get]).with(FLUSH));
    for (a, b) in [(Put, Delete), (Delete, Fill), (Invalidate, Fill), (Put, Invalidate)] {
        holds(expired().ask(&[a], &[b], &[GetStale]));
    }
}

#[test]
fn a_life_that_an_invalidation_ends_ends_for_all() {
    for other in [Get, GetStale, Put, Patch, Delete, Invalidate, Fill, MakeStale] {
        for budget in [NO_FAULTS, CUT, CRASH, FAILOVER] {
            holds(with_l3().ask(&[MakeStale], &[other], &[]).with(budget));
        }
        holds(with_l3().cold().ask(&[MakeStale], &[other], &[GetStale]));
    }
    holds(Scenario::new(SourceOfTruth::L2).ask(&[MakeStale], &[GetStale], &[Put]));
    holds(with_l3().ask(&[InvalidateUndoably, Undo], &[MakeStale], &[]));
    holds(with_l3().ask(&[InvalidateAsJob], &[MakeStale], &[GetStale]));
}

#[test]
fn it_is_for_who_asks() {
    needs(Rule::GraceForWhoAsks, expired(), ONLY_WHO_ASKS);
    needs(Rule::GraceForWhoAsks, with_l3().cold().ask(&[MakeStale], &[], &[]), ONLY_WHO_ASKS);
}

/// To whoever deletes there is nothing, and is to be nothing then.
#[test]
fn a_delete_ends_it_whatever_it_finds() {
    needs(Rule::DeleteEndsGrace, expired().ask(&[Delete], &[], &[]), NEVER_RESURRECTED);
}

#[test]
fn an_invalidate_ends_it() {
    needs(Rule::SweepsEndGrace, expired().ask(&[Invalidate], &[], &[]), NEVER_RESURRECTED);
    needs(Rule::SweepsEndGrace, with_l3().ask(&[MakeStale], &[Invalidate], &[]), NEVER_RESURRECTED);
}

/// An invalidate that began before would take it for something newer.
#[test]
fn the_end_of_a_life_is_just_above_the_value() {
    needs(Rule::EndJustAbove, with_l3().ask(&[MakeStale], &[Invalidate], &[]), NEVER_RESURRECTED);
}

/// A PATCH that has read the value before would bring its life back.
#[test]
fn the_end_of_a_life_is_new() {
    needs(Rule::EndIsNew, with_l3().ask(&[MakeStale], &[Patch], &[]), ONLY_WHO_ASKS);
}

/// What it leaves is the other's to remove.
#[test]
fn an_end_of_lives_closes_no_removal() {
    needs(Rule::EndPassesNoRemoval, with_l3().ask(&[InvalidateAsJob], &[MakeStale], &[]), NEVER_RESURRECTED);
}

/// It finds a tombstone, which keeps a value for an undo.
#[test]
fn an_end_of_lives_takes_what_tombstones_keep() {
    needs(Rule::SweepsStrip, with_l3().ask(&[InvalidateUndoably, Undo], &[MakeStale], &[]), NEVER_RESURRECTED);
}
