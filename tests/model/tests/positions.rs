//! P9: whoever sends back what an answer said is answered by nothing older, by any container.

use crate::check::{NO_FAULTS, holds, needs};
use strata_model::{
    faults::Budget,
    properties::{NEVER_RESURRECTED, NEVER_STALE},
    rule::Rule,
    scenario::{Request, Request::*, Scenario, SourceOfTruth},
};

const MUTATIONS: [Request; 7] = [Put, PutAbove, Patch, Delete, Invalidate, InvalidateAbove, InvalidateAsJob];

fn with_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L3).in_session()
}

fn without_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L2).in_session()
}

#[test]
fn own_writes_are_read_in_every_container() {
    for mutation in MUTATIONS {
        holds(with_l3().ask(&[mutation], &[Get], &[]));
        holds(with_l3().cold().ask(&[mutation], &[Get], &[]));
        if mutation != Patch {
            holds(without_l3().ask(&[mutation], &[Get], &[]));
        }
    }
}

#[test]
fn own_writes_beside_those_of_others() {
    for mutation in [Put, Delete, Invalidate] {
        for other in MUTATIONS {
            holds(with_l3().ask(&[mutation], &[other], &[]));
        }
    }
}

/// What is read while its PUT has not come to the journal yet, too.
#[test]
fn what_was_read_is_not_read_older() {
    for other in MUTATIONS {
        holds(with_l3().cold().ask(&[Get, Get], &[other], &[]));
        holds(with_l3().ask(&[Get, Get], &[other], &[Get]));
        if other != Patch {
            holds(without_l3().ask(&[Get, Get], &[other], &[]));
        }
    }
}

#[test]
fn positions_outlive_faults() {
    let faults = [
        Budget { cut: 1, ..NO_FAULTS },
        Budget { crash: 1, ..NO_FAULTS },
        Budget { flush: 1, ..NO_FAULTS },
        Budget { failover: 1, ..NO_FAULTS },
        Budget { busy: 1, evict: 1, ..NO_FAULTS },
        Budget { trim: 1, ..NO_FAULTS },
    ];
    for budget in faults {
        for mutation in [Put, Delete, Invalidate] {
            holds(with_l3().ask(&[mutation], &[Get], &[]).with(budget));
        }
        holds(with_l3().ask(&[Get], &[Put], &[]).with(budget));
    }
}

#[test]
fn who_is_behind_syncs() {
    for scenario in [with_l3(), without_l3()] {
        needs(Rule::PositionHonoured, scenario.clone().ask(&[Put], &[], &[]), NEVER_STALE);
        needs(Rule::PositionHonoured, scenario.clone().ask(&[Delete], &[], &[]), NEVER_RESURRECTED);
        needs(Rule::PositionHonoured, scenario.ask(&[Invalidate], &[], &[]), NEVER_RESURRECTED);
    }
}

#[test]
fn the_position_is_that_of_the_record() {
    for scenario in [with_l3(), without_l3()] {
        needs(Rule::PositionOfRecord, scenario.clone().ask(&[Put], &[], &[]), NEVER_STALE);
        needs(Rule::PositionOfRecord, scenario.ask(&[Invalidate], &[], &[]), NEVER_RESURRECTED);
    }
}

/// What Redis was not told of, and what was read before it was told.
#[test]
fn what_has_no_record_sends_to_the_source_of_truth() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::UnrecordedBySourceOfTruth, with_l3().ask(&[Put], &[], &[]).with(cut), NEVER_STALE);
    needs(Rule::UnrecordedBySourceOfTruth, with_l3().ask(&[Delete], &[], &[]).with(cut), NEVER_RESURRECTED);
}
