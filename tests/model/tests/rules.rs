//! What each rule is for: without it, something breaks that holds with it.

use crate::check::{NO_FAULTS, breaks, needs};
use strata_model::{
    faults::Budget,
    properties::{NEVER_LOST, NEVER_RESURRECTED, NEVER_STALE},
    rule::Rule,
    scenario::{Request::*, Scenario, SourceOfTruth},
};

fn with_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L3)
}

fn without_l3() -> Scenario {
    Scenario::new(SourceOfTruth::L2)
}

/// A gap: more records than a sync reads.
const BUSY: Budget = Budget { busy: 1, ..NO_FAULTS };

#[test]
fn the_index_is_asked_about_copies_from_before_a_gap() {
    needs(Rule::IndexAsked, with_l3().ask(&[Put], &[Put], &[]), NEVER_STALE);
    needs(Rule::IndexAsked, with_l3().ask(&[Put], &[Delete], &[]), NEVER_RESURRECTED);
}

#[test]
fn l1_is_doubted_after_a_gap() {
    needs(Rule::Doubt, with_l3().ask(&[Put], &[], &[]).with(BUSY), NEVER_STALE);
    needs(Rule::Doubt, with_l3().ask(&[Delete], &[Get], &[]).with(BUSY), NEVER_RESURRECTED);
}

#[test]
fn l1_is_compared_with_invalidations_when_it_is_asked() {
    for scenario in [with_l3(), without_l3()] {
        needs(Rule::InvalidationsCompared, scenario.ask(&[Invalidate], &[], &[]), NEVER_RESURRECTED);
    }
    // The row that an open invalidation means is still there, and would confirm a copy after a gap.
    needs(Rule::InvalidationsCompared, with_l3().ask(&[InvalidateAsJob], &[], &[]).with(BUSY), NEVER_RESURRECTED);
}

/// What a container has forgotten, of too many, may mean any copy.
#[test]
fn forgotten_invalidations_leave_doubt() {
    let budget = Budget { forget: 1, ..NO_FAULTS };
    for scenario in [with_l3(), without_l3()] {
        needs(Rule::InvalidationsForgotten, scenario.ask(&[Invalidate], &[], &[]).with(budget), NEVER_RESURRECTED);
    }
}

/// A key that the index does not have, below its floor.
#[test]
fn what_the_index_forgot_is_not_trusted() {
    needs(Rule::IndexFloor, with_l3().ask(&[Put], &[], &[]).with(BUSY), NEVER_STALE);
    needs(Rule::IndexFloor, with_l3().ask(&[Delete], &[Get], &[]).with(BUSY), NEVER_RESURRECTED);
}

/// The record of an older PUT comes last, and hides the DELETE after it.
#[test]
fn the_index_keeps_the_greatest_version() {
    needs(Rule::GreatestVersion, with_l3().ask(&[Put], &[Delete], &[Get]).with(BUSY), NEVER_RESURRECTED);
}

/// An index of puts and deletes only.
#[test]
fn a_gap_brings_its_invalidations() {
    needs(Rule::GapBringsInvalidations, with_l3().ask(&[Invalidate], &[], &[]).with(BUSY), NEVER_RESURRECTED);
}

/// A record between the read of L3 and the position that the copy is taken to be known as of.
#[test]
fn doubt_ends_before_l3_is_read() {
    let budget = Budget { busy: 2, ..NO_FAULTS };
    needs(Rule::DoubtEndsBeforeRead, with_l3().ask(&[InvalidateAsJob], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}

/// The check and undo catch it too, but not where the container is killed before them and the journal forgets.
#[test]
fn l2_is_written_over_what_is_older_only() {
    let budget = Budget { crash: 1, age: 1, ..NO_FAULTS };
    needs(Rule::ConditionalCopy, with_l3().cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
}

#[test]
fn a_write_into_l2_is_checked_and_undone() {
    let budget = Budget { age: 1, evict: 1, ..NO_FAULTS };
    needs(Rule::CheckAndUndo, with_l3().cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
    needs(Rule::CheckAndUndo, with_l3().cold().ask(&[Delete], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn the_as_of_position_is_older_than_the_read() {
    let budget = Budget { evict: 1, ..NO_FAULTS };
    needs(Rule::AsOfBeforeRead, with_l3().cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
    needs(Rule::AsOfBeforeRead, with_l3().ask(&[Put], &[Delete], &[]), NEVER_RESURRECTED);
}

#[test]
fn l3_is_read_consistently() {
    let budget = Budget { evict: 1, ..NO_FAULTS };
    needs(Rule::ConsistentReads, with_l3().cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
    needs(Rule::ConsistentReads, with_l3().cold().ask(&[Delete], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn a_server_that_lost_something_begins_an_epoch() {
    let budget = Budget { failover: 1, ..NO_FAULTS };
    needs(Rule::Epoch, with_l3().ask(&[Put], &[Put], &[]).with(budget), NEVER_STALE);
    needs(Rule::Epoch, with_l3().ask(&[Delete], &[], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn what_is_being_invalidated_does_not_exist() {
    needs(Rule::OpenInvalidation, with_l3().cold().ask(&[Invalidate], &[Get], &[]), NEVER_RESURRECTED);
}

#[test]
fn the_source_of_truth_comes_before_the_journal() {
    needs(Rule::SourceOfTruthFirst, with_l3().cold().ask(&[Put], &[Get], &[]), NEVER_STALE);
    needs(Rule::SourceOfTruthFirst, without_l3().ask(&[Put], &[Get], &[]), NEVER_STALE);
}

#[test]
fn recent_changes_keep_every_record() {
    let budget = Budget { age: 1, ..NO_FAULTS };
    needs(Rule::EveryChangeKept, with_l3().ask(&[Put], &[Delete], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn an_invalidate_removes_what_is_older_only() {
    let budget = Budget { evict: 1, ..NO_FAULTS };
    needs(Rule::RemovalByVersion, with_l3().ask(&[Invalidate], &[Put], &[]).with(budget), NEVER_LOST);
}

#[test]
fn an_invalidate_whose_record_is_lost_begins_anew() {
    for budget in [Budget { failover: 1, ..NO_FAULTS }, Budget { flush: 1, ..NO_FAULTS }] {
        needs(Rule::CloseChecks, with_l3().cold().ask(&[Invalidate], &[Get], &[]).with(budget), NEVER_RESURRECTED);
    }
}

/// One that began before another, but was recorded after it, has not removed what was put in between.
#[test]
fn an_invalidate_closes_older_ones_only() {
    let scenario = with_l3().ask(&[InvalidateAsJob], &[Invalidate], &[Put]);
    needs(Rule::PassesOlder, scenario, NEVER_RESURRECTED);
}

#[test]
fn an_invalidate_closes_those_that_mean_no_more_only() {
    needs(Rule::PassesNoMore, with_l3().ask(&[InvalidateAsJob], &[InvalidateAbove], &[]), NEVER_RESURRECTED);
}

#[test]
fn a_marker_goes_with_the_value_it_stands_for() {
    needs(Rule::MarkersGo, with_l3().ask(&[PutAbove, InvalidateAbove], &[Get], &[]), NEVER_RESURRECTED);
}

#[test]
fn notes_reach_the_journal() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::Notes, with_l3().cold().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
    needs(Rule::Notes, with_l3().cold().ask(&[Delete], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn an_invalidate_without_redis_leaves_its_note_last() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::NoteLast, with_l3().ask(&[Invalidate], &[Get], &[Get]).with(budget), NEVER_RESURRECTED);
}

/// The notes of an outage that are too many go with their generation, and an epoch takes their place: what lands later
/// must be in the next one.
#[test]
fn the_generation_of_notes_is_read_again() {
    let budget = Budget { cut: 1, many: 1, ..NO_FAULTS };
    for (writer, property) in [(Put, NEVER_STALE), (Delete, NEVER_RESURRECTED)] {
        needs(Rule::GenerationReadAgain, with_l3().cold().ask(&[writer], &[Get], &[]).with(budget), property);
    }
}

/// Who began the generation may be killed before the epoch.
#[test]
fn a_generation_that_is_new_to_the_journal_begins_an_epoch() {
    let budget = Budget { cut: 1, crash: 1, many: 1, ..NO_FAULTS };
    needs(Rule::EpochByGeneration, with_l3().ask(&[Put], &[Get], &[]).with(budget), NEVER_STALE);
}

#[test]
fn own_notes_come_before_own_reads() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::OwnNotesFirst, with_l3().ask(&[Put], &[], &[]).with(budget), NEVER_STALE);
}

#[test]
fn records_cover_by_position_without_l3_as_well() {
    let budget = Budget { evict: 1, ..NO_FAULTS };
    needs(Rule::CoverByPosition, without_l3().ask(&[Put], &[Put], &[]).with(budget), NEVER_STALE);
}

/// A flush takes the open invalidation of a job; its note puts it up again.
#[test]
fn a_job_leaves_a_note_that_stays() {
    let budget = Budget { flush: 1, ..NO_FAULTS };
    needs(Rule::JobNote, with_l3().cold().ask(&[InvalidateAsJob], &[], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn whoever_acknowledges_a_job_has_read_its_record() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::LearnOwnJob, with_l3().ask(&[InvalidateAsJob], &[], &[]).with(budget), NEVER_RESURRECTED);
}

/// A replica that lags behind knows nothing of the open invalidation, but thinks that the notes were read.
#[test]
fn a_new_epoch_has_the_notes_read() {
    let budget = Budget { failover: 1, ..NO_FAULTS };
    needs(Rule::EpochReadsNotes, with_l3().cold().ask(&[InvalidateAsJob], &[], &[]).with(budget), NEVER_RESURRECTED);
}

#[test]
fn without_redis_the_notes_of_jobs_are_read() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::JobsWithoutRedis, with_l3().cold().ask(&[InvalidateAsJob], &[], &[]).with(budget), NEVER_RESURRECTED);
}

/// A PUT of a container that never heard of the job would be hidden by it.
#[test]
fn without_redis_a_version_is_above_that_of_jobs() {
    let budget = Budget { cut: 1, ..NO_FAULTS };
    needs(Rule::VersionAboveJobs, with_l3().ask(&[InvalidateAsJob], &[Put], &[]).with(budget), NEVER_LOST);
}

/// What it has read may be gone when it writes.
#[test]
fn a_patch_is_no_put() {
    for end in [Delete, Invalidate] {
        needs(Rule::PatchIsNoPut, with_l3().ask(&[Patch], &[end], &[]), NEVER_RESURRECTED);
    }
    needs(Rule::PatchIsNoPut, with_l3().ask(&[Patch], &[Put], &[]), NEVER_STALE);
}

/// An invalidation that began before it was written takes the value for one that is older than itself.
#[test]
fn a_patch_is_just_above_what_it_replaces() {
    needs(Rule::PatchJustAbove, with_l3().ask(&[Patch], &[Invalidate], &[]), NEVER_RESURRECTED);
}

/// What no rule prevents, and rule 6 has V for: a container killed between a write into L2 and its undo leaves a copy
/// that is found out while the journal is remembered, and trusted after.
#[test]
fn a_kill_before_an_undo_is_left_to_v() {
    let budget = Budget { crash: 1, age: 1, ..NO_FAULTS };
    breaks(with_l3().cold().ask(&[Delete], &[Get], &[]).with(budget), NEVER_RESURRECTED);
}
