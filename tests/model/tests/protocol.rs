//! P1, P2 and P3 in every run of small configurations.
//!
//! "Pairs" are all pairs of operations, of A and B at once; the new container and every idle one read at every moment
//! besides (see [`strata_model::properties`]). A GET among them is a slow promotion.

use crate::check::holds;
use strata_model::{
    faults::Budget,
    scenario::{Request, Scenario, SourceOfTruth},
};

const OPERATIONS: [Request; 6] =
    [Request::Get, Request::Put, Request::PutAbove, Request::Delete, Request::Invalidate, Request::InvalidateAbove];

fn pairs() -> impl Iterator<Item = [Request; 2]> {
    (0..OPERATIONS.len()).flat_map(|i| OPERATIONS[i..].iter().map(move |&b| [OPERATIONS[i], b]))
}

fn pairs_hold(budget: Budget, new: &[Request]) {
    for source_of_truth in [SourceOfTruth::L3, SourceOfTruth::L2] {
        for [a, b] in pairs() {
            let scenario = Scenario::new(source_of_truth).ask(&[a], &[b], new).with(budget);
            holds(scenario.clone());
            holds(scenario.cold());
        }
    }
}

#[test]
fn pairs_and_a_slow_read_without_faults() {
    pairs_hold(Budget::default(), &[Request::Get]);
}

#[test]
fn pairs_and_a_slow_read_with_a_kill() {
    pairs_hold(Budget { crash: 1, ..Budget::default() }, &[Request::Get]);
}

#[test]
fn pairs_with_containers_cut_off() {
    pairs_hold(Budget { cut: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_containers_cut_off_and_many_notes() {
    pairs_hold(Budget { cut: 1, many: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_a_flush() {
    pairs_hold(Budget { flush: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_a_failover() {
    pairs_hold(Budget { failover: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_an_eviction_and_a_trim() {
    pairs_hold(Budget { evict: 1, trim: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_a_gap() {
    pairs_hold(Budget { busy: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_a_gap_and_an_eviction() {
    pairs_hold(Budget { busy: 1, evict: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_forgotten_invalidations() {
    pairs_hold(Budget { forget: 1, ..Budget::default() }, &[]);
}

#[test]
fn pairs_with_a_long_pause_and_an_eviction() {
    pairs_hold(Budget { age: 1, evict: 1, ..Budget::default() }, &[]);
}

/// A PATCH and any other operation. A value that was ended does not come back by what is said of it.
#[test]
fn a_patch_and_another_operation() {
    let budgets = [
        Budget::default(),
        Budget { crash: 1, ..Budget::default() },
        Budget { cut: 1, ..Budget::default() },
        Budget { cut: 1, many: 1, ..Budget::default() },
        Budget { flush: 1, ..Budget::default() },
        Budget { failover: 1, ..Budget::default() },
        Budget { evict: 1, trim: 1, ..Budget::default() },
        Budget { busy: 1, evict: 1, ..Budget::default() },
        Budget { forget: 1, ..Budget::default() },
    ];
    for budget in budgets {
        for other in OPERATIONS.into_iter().chain([Request::Patch, Request::InvalidateAsJob]) {
            let scenario = Scenario::new(SourceOfTruth::L3).ask(&[Request::Patch], &[other], &[]).with(budget);
            holds(scenario.clone());
            holds(scenario.cold());
        }
    }
    for other in OPERATIONS.into_iter().chain([Request::Patch]) {
        holds(Scenario::new(SourceOfTruth::L3).ask(&[Request::Patch], &[other], &[Request::Get]));
    }
}

/// Two operations of one container and one of another.
#[test]
fn a_container_that_goes_on() {
    for (first, then, other) in [
        (Request::Get, Request::Get, Request::Put),
        (Request::Get, Request::Get, Request::Delete),
        (Request::Get, Request::Get, Request::Invalidate),
        (Request::Put, Request::Get, Request::Delete),
        (Request::Put, Request::Delete, Request::Get),
        (Request::Delete, Request::Put, Request::Get),
        (Request::Invalidate, Request::Put, Request::Get),
    ] {
        for source_of_truth in [SourceOfTruth::L3, SourceOfTruth::L2] {
            holds(Scenario::new(source_of_truth).ask(&[first, then], &[other], &[Request::Get]));
        }
    }
}

/// An invalidate that is acknowledged first and removes after, and any other operation, under every fault.
#[test]
fn a_job_and_another_operation() {
    let budgets = [
        Budget::default(),
        Budget { crash: 1, ..Budget::default() },
        Budget { cut: 1, ..Budget::default() },
        Budget { flush: 1, ..Budget::default() },
        Budget { failover: 1, ..Budget::default() },
        Budget { evict: 1, trim: 1, ..Budget::default() },
        Budget { age: 1, evict: 1, ..Budget::default() },
        Budget { busy: 1, evict: 1, ..Budget::default() },
        Budget { forget: 1, ..Budget::default() },
        Budget { forget: 1, busy: 1, ..Budget::default() },
    ];
    for budget in budgets {
        for other in [Request::Get, Request::Put, Request::Delete, Request::Invalidate, Request::InvalidateAsJob] {
            let scenario =
                Scenario::new(SourceOfTruth::L3).ask(&[Request::InvalidateAsJob], &[other], &[]).with(budget);
            holds(scenario.clone());
            holds(scenario.cold());
        }
    }
}

/// One that is left behind, and one that takes its place or finishes what it left. No other operation, for what a kill
/// in the middle of a write into L2 leaves is what V is for.
#[test]
fn an_invalidate_that_another_finishes() {
    let (both, upper) = (Request::Invalidate, Request::InvalidateAbove);
    let budget = Budget { crash: 1, age: 1, ..Budget::default() };
    for [first, second] in [[both, both], [upper, both], [both, upper], [Request::InvalidateAsJob, both]] {
        holds(Scenario::new(SourceOfTruth::L3).ask(&[first], &[second], &[]).with(budget));
        holds(Scenario::new(SourceOfTruth::L3).ask(&[first, both], &[second], &[]).with(budget));
    }
}

/// Faults that follow on one another.
#[test]
fn two_faults() {
    for [a, b] in [[Request::Put, Request::Get], [Request::Delete, Request::Get], [Request::Invalidate, Request::Get]] {
        for budget in [
            Budget { cut: 1, failover: 1, ..Budget::default() },
            Budget { crash: 1, failover: 1, ..Budget::default() },
            Budget { cut: 1, flush: 1, ..Budget::default() },
            Budget { cut: 1, crash: 1, ..Budget::default() },
            Budget { cut: 2, ..Budget::default() },
            Budget { cut: 1, crash: 1, many: 1, ..Budget::default() },
            Budget { cut: 1, failover: 1, many: 1, ..Budget::default() },
            Budget { cut: 2, many: 2, ..Budget::default() },
            Budget { busy: 2, ..Budget::default() },
            Budget { busy: 1, failover: 1, ..Budget::default() },
            Budget { busy: 1, cut: 1, ..Budget::default() },
            Budget { busy: 1, crash: 1, ..Budget::default() },
            Budget { busy: 1, age: 1, evict: 1, ..Budget::default() },
        ] {
            holds(Scenario::new(SourceOfTruth::L3).cold().ask(&[a], &[b], &[]).with(budget));
        }
    }
}

/// Minutes; the same as above with a slow read besides: `cargo test -p strata-model -- --ignored`.
#[test]
#[ignore = "minutes, and gigabytes of memory"]
fn pairs_and_a_slow_read_with_every_fault() {
    for budget in [
        Budget { cut: 1, ..Budget::default() },
        Budget { flush: 1, ..Budget::default() },
        Budget { failover: 1, ..Budget::default() },
        Budget { evict: 1, trim: 1, ..Budget::default() },
        Budget { age: 1, evict: 1, ..Budget::default() },
    ] {
        pairs_hold(budget, &[Request::Get]);
    }
}
