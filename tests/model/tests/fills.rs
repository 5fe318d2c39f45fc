//! P7: a fill is stored only where nothing has touched the key since its miss. Every rule of it, and what breaks
//! without.

use crate::check::{NO_FAULTS, holds, needs};
use strata_model::{
    faults::Budget,
    properties::{NEVER_LOST, NEVER_PREFILLED},
    rule::Rule,
    scenario::{Request, Request::*, Scenario, SourceOfTruth},
    state::Content,
};

const OTHERS: [Request; 7] = [Get, Put, PutAbove, Delete, Invalidate, InvalidateAbove, InvalidateAsJob];

/// Nothing in L3, or the tombstone of something.
fn empty() -> [Scenario; 2] {
    [None, Some(Content::Gone)].map(|row| Scenario::new(SourceOfTruth::L3).without_value(row))
}

fn fills_hold(budget: Budget) {
    for other in OTHERS {
        for scenario in empty() {
            holds(scenario.ask(&[Fill], &[other], &[]).with(budget));
        }
    }
}

#[test]
fn fills_without_faults() {
    for other in OTHERS {
        for scenario in empty() {
            holds(scenario.ask(&[Fill], &[other], &[Get]));
        }
    }
}

#[test]
fn fills_with_a_kill() {
    fills_hold(Budget { crash: 1, ..NO_FAULTS });
}

#[test]
fn fills_with_containers_cut_off() {
    fills_hold(Budget { cut: 1, ..NO_FAULTS });
}

#[test]
fn fills_with_containers_cut_off_and_many_notes() {
    fills_hold(Budget { cut: 1, many: 1, ..NO_FAULTS });
}

#[test]
fn fills_with_a_flush() {
    fills_hold(Budget { flush: 1, ..NO_FAULTS });
}

#[test]
fn fills_with_a_failover() {
    fills_hold(Budget { failover: 1, ..NO_FAULTS });
}

#[test]
fn fills_with_a_gap_a_trim_and_an_eviction() {
    fills_hold(Budget { busy: 1, ..NO_FAULTS });
    fills_hold(Budget { trim: 1, evict: 1, ..NO_FAULTS });
}

/// Two mutations while a value is loaded.
#[test]
fn a_fill_and_two_mutations() {
    for [first, second] in
        [[Delete, Invalidate], [Invalidate, Invalidate], [Put, Delete], [Invalidate, InvalidateAbove]]
    {
        for scenario in empty() {
            holds(scenario.clone().ask(&[Fill], &[first, second], &[]));
            holds(scenario.ask(&[Fill], &[first], &[]).with(Budget { cut: 1, crash: 1, ..NO_FAULTS }));
        }
    }
}

/// Two fillers: what one has stored, the other does not replace.
#[test]
fn two_fills() {
    for other in [Get, Delete, Invalidate] {
        for scenario in empty() {
            holds(scenario.ask(&[Fill], &[Fill], &[other]));
        }
    }
}

fn without_tombstone() -> Scenario {
    let [nothing, _] = empty();
    nothing
}

#[test]
fn b01_the_row_is_claimed_before_the_journal_is_read() {
    needs(Rule::FillClaims, without_tombstone().ask(&[Fill], &[Invalidate], &[]), NEVER_PREFILLED);
}

#[test]
fn b02_the_journal_is_read_from_the_miss_on() {
    needs(Rule::FillFenced, without_tombstone().ask(&[Fill], &[Invalidate], &[]), NEVER_PREFILLED);
    needs(Rule::FillFenced, without_tombstone().ask(&[Fill], &[InvalidateAbove], &[]), NEVER_PREFILLED);
}

#[test]
fn b03_a_fill_has_the_version_of_its_miss() {
    needs(Rule::FillAtMiss, without_tombstone().ask(&[Fill], &[Invalidate], &[]), NEVER_PREFILLED);
}

#[test]
fn b04_a_fill_replaces_only_what_it_has_seen() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::FillAsSeen, without_tombstone().ask(&[Fill], &[Put], &[]).with(cut), NEVER_LOST);
    needs(Rule::FillAsSeen, without_tombstone().ask(&[Fill], &[Delete], &[]).with(cut), NEVER_PREFILLED);
}

#[test]
fn b05_the_notes_are_read() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::FillReadsNotes, without_tombstone().ask(&[Fill], &[Invalidate], &[]).with(cut), NEVER_PREFILLED);
}

#[test]
fn b06_the_notes_are_read_before_the_journal() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::FillNotesFirst, without_tombstone().ask(&[Fill], &[Invalidate], &[Get]).with(cut), NEVER_PREFILLED);
}

#[test]
fn b07_a_fill_ends_with_its_epoch() {
    let failover = Budget { failover: 1, ..NO_FAULTS };
    needs(Rule::FillInEpoch, without_tombstone().ask(&[Fill], &[Invalidate], &[]).with(failover), NEVER_PREFILLED);
}

#[test]
fn b08_a_fill_ends_with_what_is_remembered() {
    let busy = Budget { busy: 1, ..NO_FAULTS };
    needs(Rule::FillInHistory, without_tombstone().ask(&[Fill], &[Invalidate], &[]).with(busy), NEVER_PREFILLED);
}

#[test]
fn b09_a_delete_of_nothing_leaves_a_tombstone() {
    needs(Rule::TombstoneOfNothing, without_tombstone().ask(&[Fill], &[Delete], &[]), NEVER_PREFILLED);
}

#[test]
fn b10_claims_are_removed_like_values() {
    needs(Rule::ClaimsGo, without_tombstone().ask(&[Fill], &[Invalidate], &[]), NEVER_PREFILLED);
}

#[test]
fn b11_an_invalidate_without_redis_waits_for_claims() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::WaitsForClaims, without_tombstone().ask(&[Fill], &[Invalidate], &[]).with(cut), NEVER_PREFILLED);
}

#[test]
fn b12_an_invalidate_without_redis_leaves_a_note_first() {
    let cut = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::NoteFirst, without_tombstone().ask(&[Fill], &[Invalidate], &[]).with(cut), NEVER_PREFILLED);
}

/// What is acknowledged stays what it was: a fill neither replaces nor outlives it.
#[test]
fn a_fill_is_never_older_than_what_was_put() {
    for other in [Put, Delete] {
        for scenario in empty() {
            holds(scenario.ask(&[Fill, Get], &[other, Get], &[]));
        }
    }
}
