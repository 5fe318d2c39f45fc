//! What a gap leaves of trust.

use super::*;

/// What the index says now of the key, of which its last record stands at `last`.
fn looked(knowledge: &Coherence, name: &str, floor: u64, last: Option<u64>, greatest: u64) -> Looked {
    let recorded = last.map(|last| Recorded { greatest: Version(greatest), last: at(last) });
    let said = Said { floor: at(floor), keys: vec![recorded] };
    Looked::of([&key(name)], &said, knowledge.generation())
}

#[test]
fn a_gap_leaves_trust_in_l2_to_the_index() {
    let mut knowledge = synced();
    let (before, k) = (knowledge.as_of(), key("k"));
    let delta = knowledge.apply(gap(30_000, 20_000, 5_000, vec![]), 30_000);
    assert!(delta.gap && !delta.clear);
    assert!(!knowledge.allows_fill(&k, &[], before, Version(1), at(20_000)), "it began before");
    assert!(knowledge.trusts(&k, &[], &copy(1, 20_000), None, 0, 1000), "certified after the gap");
    assert!(!knowledge.trusts(&k, &[], &copy(1, 10_000), None, 0, 1000), "the index was not asked");
    let said = |last, greatest| looked(&knowledge, "k", 5_000, last, greatest);
    let trusts = |as_of, said: Looked| knowledge.trusts(&k, &[], &copy(1, as_of), Some(&said), 0, 1000);
    assert!(trusts(10_000, said(None, 0)));
    assert!(trusts(10_000, said(Some(10_000), 9)), "the record is not after the as-of position");
    assert!(trusts(10_000, said(Some(15_000), 1)), "the copy's own put");
    assert!(!trusts(10_000, said(Some(15_000), 2)));
    assert!(!trusts(4_000, said(None, 0)), "the index does not reach back");
    assert!(!knowledge.trusts(&key("x"), &[], &copy(1, 10_000), Some(&said(None, 0)), 0, 1000), "not asked about");
    let earlier = said(None, 0);
    knowledge.apply(gap(40_000, 39_000, 5_000, vec![]), 40_000);
    assert!(!knowledge.trusts(&k, &[], &copy(1, 10_000), Some(&earlier), 0, 1000), "said before another gap");
}

#[test]
fn what_the_index_does_not_reach_back_to_is_over_after_2t() {
    let mut knowledge = synced();
    knowledge.apply(gap(100_000, 99_000, 30_000, vec![]), 0);
    let said = |last| looked(&knowledge, "k", 30_000, last, 9);
    assert!(knowledge.trusts(&key("k"), &[], &copy(1, 10_000), Some(&said(None)), 0, 1000));
    assert!(!knowledge.trusts(&key("k"), &[], &copy(1, 10_000), Some(&said(Some(40_000))), 0, 1000));
    assert!(knowledge.lacks_history());
    knowledge.apply(reply(169_000, vec![]), 0);
    assert!(!knowledge.lacks_history(), "nothing need be asked any more");
    assert!(knowledge.trusts(&key("k"), &[], &copy(1, 10_000), None, 0, 1000));
}

/// What is said of a copy of version 1 that was certified at 0 and known to be good later.
fn confirms(knowledge: &Coherence, known: Position, said: Option<&Looked>) -> Option<bool> {
    let key = key("k");
    knowledge.confirms(&Held { key: &key, tags: &[], version: Version(1), as_of: at(0), known }, said)
}

#[test]
fn after_a_gap_a_copy_in_l1_is_as_good_as_the_index_says() {
    let mut knowledge = synced();
    knowledge.apply(reply(10_000, vec![put(10_000, "x", 5)]), 0);
    let known = knowledge.known();
    knowledge.apply(gap(30_000, 20_000, 9_000, vec![]), 0);
    assert!(known < knowledge.settled());
    assert_eq!(confirms(&knowledge, known, None), None);
    let said = |floor, last| looked(&knowledge, "k", floor, last, 9);
    assert_eq!(confirms(&knowledge, known, Some(&said(9_000, None))), Some(true), "it was good until the gap");
    assert_eq!(confirms(&knowledge, known, Some(&said(9_000, Some(9_500)))), Some(true), "applied before the gap");
    assert_eq!(confirms(&knowledge, known, Some(&said(9_000, Some(15_000)))), Some(false));
    assert_eq!(confirms(&knowledge, known, Some(&said(11_000, None))), None, "the index does not reach back");
    // Doubted twice: what it was good until is the first gap.
    knowledge.apply(gap(40_000, 39_000, 9_000, vec![]), 0);
    assert_eq!(confirms(&knowledge, known, Some(&looked(&knowledge, "k", 9_000, Some(15_000), 9))), Some(false));
    assert_eq!(confirms(&knowledge, at(20_000), Some(&looked(&knowledge, "k", 9_000, Some(15_000), 9))), Some(true));
}

#[test]
fn a_gap_whose_invalidations_are_not_all_known_confirms_nothing() {
    let mut knowledge = synced();
    let (known, before) = (knowledge.known(), knowledge.as_of());
    let event = Event::Invalidated(invalidation(15_000, "x*", 9, Levels::ALL));
    let delta = knowledge.apply(gap(30_000, 20_000, 12_000, vec![Record { at: at(15_000), event }]), 0);
    assert!(delta.swept);
    assert_eq!(confirms(&knowledge, known, Some(&looked(&knowledge, "k", 0, None, 0))), None);
    assert_eq!(knowledge.since(&key("k"), &[], before, Version(1), None), Since::Invalidated, "it may have been");
}

fn swept(n: u64, pattern: &str) -> Record {
    Record { at: at(n), event: Event::Invalidated(invalidation(n, pattern, 9, Levels::ALL)) }
}

#[test]
fn invalidations_are_asked_for_when_their_keys_are() {
    for source_of_truth in [SourceOfTruth::L3, SourceOfTruth::L2] {
        let mut knowledge = synced();
        knowledge.configure(source_of_truth, true);
        let (known, before) = (knowledge.known(), knowledge.as_of());
        let others = || (11..140).map(|n| swept(n, "x*")).collect::<Vec<_>>();
        let delta = knowledge.apply(reply(150, others()), 50);
        assert_eq!(delta, SyncDelta { swept: true, ..SyncDelta::default() }, "nothing is dropped, however many");
        assert!(known < knowledge.settled());
        assert_eq!(confirms(&knowledge, known, None), Some(true), "the recent changes have them all");
        assert!(knowledge.allows_fill(&key("k"), &[], before, Version(1), at(0)), "nothing was missed");
        knowledge.apply(reply(160, vec![swept(155, "k")]), 60);
        assert_eq!(confirms(&knowledge, known, None), Some(false));
        assert_eq!(confirms(&knowledge, at(155), None), Some(true), "certified later");
        knowledge.apply(reply(170, vec![put(165, "x", 7)]), 70);
        assert_eq!(knowledge.settled(), at(155), "what is put or deleted leaves no doubt");
    }
}

#[test]
fn an_invalidation_is_kept_until_l1_was_looked_over() {
    let mut knowledge = synced();
    let known = knowledge.known();
    knowledge.apply(reply(20, vec![swept(15, "x*")]), 20);
    assert_eq!(knowledge.walk(), Some(Place::default()));
    knowledge.apply(reply(200_000, vec![]), 30);
    assert_eq!(confirms(&knowledge, known, None), Some(true), "long after");
    assert_eq!(knowledge.walk(), Some(Place::default()));
    knowledge.walked(None);
    assert_eq!(knowledge.walk(), None, "once around");
    knowledge.apply(reply(200_010, vec![]), 40);
    assert_eq!(confirms(&knowledge, known, None), None, "it is forgotten, and nobody can tell");
    let upper = invalidation(200_015, "k", 9, Levels::NONE.with(Level::L2));
    knowledge.apply(reply(200_020, vec![Record { at: at(200_015), event: Event::Invalidated(upper) }]), 50);
    assert_eq!((knowledge.walk(), knowledge.settled()), (None, at(15)), "not L1");
    knowledge.apply(reply(400_000, vec![]), 60);
    assert_eq!(knowledge.swept, at(200_015), "and forgotten in time");
}

#[test]
fn beyond_what_is_kept_of_them_there_is_doubt() {
    let mut knowledge = synced();
    let (known, before) = (knowledge.known(), knowledge.as_of());
    knowledge.apply(reply(2_000, vec![swept(10, "k*")]), 50);
    knowledge.apply(reply(2_010, (11..1_500).map(|n| swept(n, &format!("{n}*"))).collect()), 60);
    assert_eq!(confirms(&knowledge, known, None), None);
    assert!(!knowledge.allows_fill(&key("k"), &[], before, Version(1), at(0)), "what was read before may be swept");
    assert_eq!(knowledge.since(&key("k"), &[], before, Version(1), None), Since::Invalidated);
}

#[test]
fn a_write_in_which_a_gap_lies_is_checked_by_the_index() {
    let mut knowledge = synced();
    let before = knowledge.as_of();
    knowledge.apply(gap(30_000, 20_000, 0, vec![]), 0);
    let since = |said: Option<Looked>| knowledge.since(&key("k"), &[], before, Version(5), said.as_ref());
    assert_eq!(since(None), Since::Changed, "nobody can tell");
    assert_eq!(since(Some(looked(&knowledge, "k", 0, Some(15_000), 5))), Since::Unchanged, "its own record");
    assert_eq!(since(Some(looked(&knowledge, "k", 0, Some(15_000), 6))), Since::Changed);
}

#[test]
fn with_l2_as_the_register_a_gap_empties_l1() {
    let mut knowledge = synced();
    knowledge.configure(SourceOfTruth::L2, true);
    assert!(knowledge.apply(gap(30_000, 20_000, 0, vec![]), 0).clear);
}

#[test]
fn a_gap_is_expected_by_the_pace_of_the_records() {
    let mut knowledge = synced();
    knowledge.apply(SyncReply { count: 100, ..reply(1_010, vec![]) }, 1_010);
    assert!(!knowledge.expects_gap(1_310));
    assert!(knowledge.expects_gap(1_410), "a hundred a second");
}
