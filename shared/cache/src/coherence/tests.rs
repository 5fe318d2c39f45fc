use super::*;
use crate::{
    coherence::{Published, Recorded, Said, SyncReply},
    level::Levels,
    memory::Place,
    pattern::Pattern,
    record::{Event, Record},
    selector::{Invalidation, Selector},
};

mod gaps;

const T0: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Position {
    Position { ms: T0 + ms, seq: 0 }
}

fn key(text: &str) -> Key {
    Key::new(text).expect("a test's key is valid")
}

fn put(ms: u64, name: &str, version: u64) -> Record {
    Record { at: at(ms), event: Event::Changed { key: key(name), version: Version(version) } }
}

fn reply(ms: u64, records: Vec<Record>) -> SyncReply {
    SyncReply { epoch: at(0), records, ..SyncReply::at((T0 + ms) * 1000) }
}

/// What follows on a gap that ends at `end`, where the index has everything after `floor`.
fn gap(ms: u64, end: u64, floor: u64, records: Vec<Record>) -> SyncReply {
    let said = Some(Said { floor: at(floor), keys: Vec::new() });
    SyncReply { gap: Some(at(end)), said, ..reply(ms, records) }
}

fn copy(version: u64, as_of: u64) -> FreshnessProof {
    FreshnessProof { version: Version(version), as_of: at(as_of), certified_ms: 0 }
}

fn invalidation(ms: u64, pattern: &str, version: u64, levels: Levels) -> Arc<Invalidation> {
    let pattern = Pattern::new(pattern).expect("a test's pattern is valid");
    let selector = Selector::Pattern(pattern);
    Arc::new(Invalidation { at: at(ms), version: Version(version), selector, levels, undo: None, stale_seconds: None })
}

/// A container that has read the journal from its epoch on.
fn synced() -> Coherence {
    let mut knowledge = Coherence::new(SourceOfTruth::L3);
    let epoch = Record { at: at(0), event: Event::Epoch };
    assert!(knowledge.apply(gap(10, 0, 0, vec![epoch]), 10).clear);
    knowledge
}

#[test]
fn the_window_ends_with_the_last_sync() {
    let knowledge = synced();
    assert!(!knowledge.is_due(i64::MIN, 1010, 1000));
    assert!(knowledge.is_due(i64::MIN, 1011, 1000));
    assert!(!knowledge.is_due(500, 1500, 1000), "the source of truth itself was asked at 500");
    assert!(knowledge.is_due(i64::MIN, 10, 0), "a window of nothing is always over");
    assert!(knowledge.is_due(i64::MIN, 9, 1000), "a clock that went back");
    assert!(Coherence::new(SourceOfTruth::L3).is_due(i64::MIN, 10, 86_400_000), "never synced");
}

#[test]
fn a_record_takes_trust_from_older_copies_only() {
    let mut knowledge = synced();
    let k = key("k");
    assert!(knowledge.trusts(&k, &[], &copy(1, 0), None, 0, 1000));
    let delta = knowledge.apply(reply(20, vec![put(15, "k", 2)]), 20);
    assert_eq!(delta, SyncDelta { changes: vec![(k.clone(), Version(2), at(15))], ..SyncDelta::default() });
    assert!(!knowledge.trusts(&k, &[], &copy(1, 0), None, 0, 1000));
    assert!(knowledge.trusts(&k, &[], &copy(1, 15), None, 0, 1000), "certified after the record");
    assert!(knowledge.trusts(&k, &[], &copy(2, 0), None, 0, 1000), "the record's own put");
    assert!(knowledge.trusts(&key("other"), &[], &copy(1, 0), None, 0, 1000));
    assert!(!knowledge.trusts(&key("other"), &[], &copy(1, 0), None, 1001, 1000), "older than V");
}

#[test]
fn an_epoch_distrusts_everything_before_it() {
    let mut knowledge = synced();
    let epoch = Record { at: at(50), event: Event::Epoch };
    assert!(knowledge.apply(reply(60, vec![epoch]), 60).clear);
    assert!(!knowledge.trusts(&key("k"), &[], &copy(1, 49), None, 0, 1000));
    assert!(knowledge.trusts(&key("k"), &[], &copy(1, 50), None, 0, 1000));
    let unknown = Record { at: at(70), event: Event::Unknown };
    assert!(knowledge.apply(reply(80, vec![unknown]), 80).clear);
    assert!(!knowledge.trusts(&key("k"), &[], &copy(1, 69), None, 0, 1000), "a record of a later release");
}

#[test]
fn a_reply_that_was_overtaken_is_taken_once() {
    let mut knowledge = synced();
    knowledge.apply(reply(20, vec![put(15, "k", 2)]), 20);
    let late = knowledge.apply(reply(18, vec![put(15, "k", 2)]), 18);
    assert!(late.changes.is_empty());
    assert_eq!(knowledge.cursor(), Some(at(15)));
}

#[test]
fn pruning_keeps_2t() {
    let mut knowledge = synced();
    knowledge.apply(reply(1000, vec![put(1000, "k", 2)]), 0);
    knowledge.apply(reply(71_000, vec![]), 0);
    assert!(knowledge.covers(&key("k"), Version(1), at(10)));
    knowledge.apply(reply(71_001, vec![]), 0);
    assert!(!knowledge.covers(&key("k"), Version(1), at(10)));
    assert_eq!(knowledge.low_watermark, at(1000));
}

#[test]
fn a_sync_whose_notes_are_not_heeded_opens_no_window() {
    let mut knowledge = synced();
    assert!(!knowledge.is_due(i64::MIN, 1_000, 1_000));
    knowledge.mark_untrusted(true);
    assert!(knowledge.is_due(i64::MIN, 1_000, 1_000));
    assert!(!knowledge.is_due(900, 1_000, 1_000), "what L3 itself was asked for");
    knowledge.apply(reply(20, Vec::new()), 1_000);
    assert!(knowledge.is_due(i64::MIN, 1_000, 1_000), "another look into the journal says nothing of the notes");
    knowledge.mark_untrusted(false);
    assert!(!knowledge.is_due(i64::MIN, 1_000, 1_000));
}

#[test]
fn notes_are_read_by_someone_within_lambda() {
    let mut knowledge = synced();
    assert!(knowledge.notes_are_due());
    let checked = SyncReply { notes_checked_ms: T0 + 10, ..reply(8_010, vec![]) };
    knowledge.apply(checked.clone(), 0);
    assert!(!knowledge.notes_are_due());
    knowledge.apply(SyncReply { time_us: checked.time_us + 1000, ..checked }, 0);
    assert!(knowledge.notes_are_due());
}

#[test]
fn an_invalidation_takes_trust_in_the_levels_it_names() {
    let mut knowledge = synced();
    let k = key("customer:1");
    let as_of = knowledge.as_of();
    let upper = Levels::NONE.with(Level::L1).with(Level::L2);
    let swept = invalidation(15, "customer:*", 9, upper);
    let record = Record { at: at(15), event: Event::Invalidated(swept) };
    let delta = knowledge.apply(reply(20, vec![record]), 20);
    assert!(delta.swept);
    assert!(!knowledge.trusts(&k, &[], &copy(99, 14), None, 0, 1000), "whatever its version");
    assert!(knowledge.trusts(&k, &[], &copy(1, 15), None, 0, 1000), "L3 may be promoted again afterwards");
    assert!(knowledge.trusts(&key("other"), &[], &copy(1, 0), None, 0, 1000));
    assert!(!knowledge.masks(Level::L3, &k, &[], Version(1)), "L3 is not among its levels");
    assert_eq!(knowledge.since(&k, &[], as_of, Version(99), None), Since::Invalidated);
    assert_eq!(knowledge.since(&k, &[], knowledge.as_of(), Version(99), None), Since::Unchanged);
}

#[test]
fn while_it_is_open_rows_of_smaller_versions_do_not_exist() {
    let mut knowledge = synced();
    let open = r#"{"version":9,"levels":7,"pattern":"customer:*"}"#;
    let open = OpenInvalidations::read([(Some(at(15)), open)].into_iter());
    knowledge.apply(SyncReply { open: Some(open), ..gap(90_000, 80_000, 0, vec![]) }, 20);
    let k = key("customer:1");
    assert!(knowledge.masks(Level::L3, &k, &[], Version(8)));
    assert!(!knowledge.masks(Level::L3, &k, &[], Version(9)), "put after it");
    assert!(!knowledge.masks(Level::L3, &key("other"), &[], Version(8)));
    assert!(
        !knowledge.trusts(&k, &[], &copy(8, 14), None, 0, 1000),
        "its record is older than the recent changes reach"
    );
    knowledge.apply(reply(90_010, vec![]), 30);
    assert!(!knowledge.masks(Level::L3, &k, &[], Version(8)), "closed");
}

fn switched(ms: u64, at_ms: u64, settling: bool) -> SyncReply {
    let published = Published { version: Some(1), document: None, switched: at(at_ms), settling };
    SyncReply { epoch: at(at_ms), published, ..reply(ms, vec![]) }
}

#[test]
fn while_a_switch_settles_only_l3_is_trusted() {
    let mut knowledge = synced();
    let k = key("k");
    assert!(knowledge.apply(switched(60, 50, true), 60).clear);
    let as_of = knowledge.as_of();
    assert!(!knowledge.trusts(&k, &[], &copy(1, 55), None, 0, 1000));
    assert!(!knowledge.allows_fill(&k, &[], as_of, Version(1), at(55)));
    knowledge.configure(SourceOfTruth::L3, false);
    assert!(knowledge.allows_fill(&k, &[], as_of, Version(1), at(55)), "without L2 nobody goes by the journal");
    knowledge.configure(SourceOfTruth::L3, true);
    knowledge.apply(switched(70, 50, false), 70);
    assert!(knowledge.trusts(&k, &[], &copy(1, 55), None, 0, 1000));
}

#[test]
fn settling_ends_with_an_epoch_from_which_l1_and_l2_are_trusted_again() {
    let mut knowledge = synced();
    let k = key("k");
    knowledge.apply(switched(60, 50, true), 60);
    let while_settling = knowledge.as_of();
    let epoch = Record { at: at(70), event: Event::Epoch };
    let ended = SyncReply { epoch: at(70), records: vec![epoch], ..switched(80, 50, false) };
    assert!(knowledge.apply(ended, 80).clear, "L1 is emptied once more");
    assert!(
        !knowledge.trusts(&k, &[], &copy(1, 69), None, 0, 1000),
        "certified while operations of before could go on"
    );
    assert!(knowledge.trusts(&k, &[], &copy(1, 70), None, 0, 1000));
    assert!(!knowledge.allows_fill(&k, &[], while_settling, Version(1), at(70)));
    assert!(knowledge.allows_fill(&k, &[], knowledge.as_of(), Version(1), at(70)));
}

#[test]
fn with_l2_as_the_register_copies_from_before_it_was_do_not_exist() {
    let mut knowledge = synced();
    let k = key("k");
    knowledge.configure(SourceOfTruth::L2, true);
    assert!(knowledge.trusts(&k, &[], &copy(1, 49), None, 0, 1000));
    knowledge.apply(switched(60, 50, false), 60);
    assert!(!knowledge.trusts(&k, &[], &copy(1, 49), None, 0, 1000));
    assert!(knowledge.trusts(&k, &[], &copy(1, 50), None, 0, 1000));
    let later = Record { at: at(70), event: Event::Epoch };
    knowledge.apply(SyncReply { records: vec![later], ..switched(80, 50, false) }, 80);
    assert!(
        knowledge.trusts(&k, &[], &copy(1, 50), None, 0, 1000),
        "another server is no reason: nobody could confirm"
    );
    knowledge.apply(SyncReply { published: Published::default(), ..reply(90, vec![]) }, 90);
    assert!(!knowledge.trusts(&k, &[], &copy(1, 49), None, 0, 1000), "a server that lost it does not make it undone");
}

#[test]
fn a_switch_by_another_way_refuses_fills_from_before() {
    let mut knowledge = synced();
    let before = knowledge.as_of();
    knowledge.begin_anew();
    assert!(!knowledge.allows_fill(&key("k"), &[], before, Version(1), at(0)));
    assert!(knowledge.allows_fill(&key("k"), &[], knowledge.as_of(), Version(1), at(0)));
}

fn warm(ms: u64, name: &str) -> Record {
    Record { at: at(ms), event: Event::Warmed(vec![(key(name), 7)]) }
}

#[test]
fn a_warm_record_is_handed_on_and_changes_nothing_else() {
    let mut knowledge = synced();
    let (k, before) = (key("k"), knowledge.as_of());
    let delta = knowledge.apply(reply(20, vec![warm(15, "k")]), 20);
    assert_eq!(delta, SyncDelta { warmed: vec![(k.clone(), 7)], ..SyncDelta::default() });
    assert!(knowledge.trusts(&k, &[], &copy(1, 0), None, 0, 1000));
    assert!(knowledge.allows_fill(&k, &[], before, Version(1), at(0)));
    assert_eq!(knowledge.since(&k, &[], before, Version(1), None), Since::Unchanged);
    assert_eq!(knowledge.cursor(), Some(at(15)));
    assert_eq!(knowledge.apply(reply(30, vec![warm(15, "k")]), 30), SyncDelta::default(), "known already");
}

#[test]
fn what_begins_exceeds_every_version_that_was_told_of() {
    let mut knowledge = synced();
    assert_eq!(knowledge.newest(), Version::ZERO);
    knowledge.apply(reply(20, vec![put(15, "k", 7), put(16, "x", 4)]), 20);
    assert_eq!(knowledge.newest(), Version(7), "of any key");
    let event = Event::Invalidated(invalidation(25, "*", 9, Levels::ALL));
    knowledge.apply(reply(30, vec![Record { at: at(25), event }]), 30);
    assert_eq!(knowledge.newest(), Version(9));
    let written = |version| format!(r#"{{"version":{version},"levels":7,"pattern":"a:*"}}"#);
    let open = OpenInvalidations::read([(Some(at(35)), written(11).as_str())].into_iter());
    knowledge.apply(SyncReply { open: Some(open), ..reply(40, vec![]) }, 40);
    assert_eq!(knowledge.newest(), Version(11));
    knowledge.take_noted(&[written(13)], 50);
    assert_eq!(knowledge.newest(), Version(13));
    knowledge.apply(SyncReply { ahead: Version(15), ..reply(60, vec![]) }, 60);
    assert_eq!(knowledge.newest(), Version(15), "of a record that is gone");
    knowledge.apply(gap(70, 65, 0, vec![]), 70);
    assert_eq!(knowledge.newest(), Version(15), "what the journal has lost is exceeded all the same");
}

#[test]
fn what_is_open_stays_as_it_was_until_another_set_comes() {
    let mut knowledge = synced();
    let text = r#"{"version":9,"levels":7,"pattern":"a:*"}"#;
    let open = || OpenInvalidations::read([(Some(at(15)), text)].into_iter()).named("one".to_owned());
    knowledge.apply(SyncReply { open: Some(open()), ..reply(20, vec![]) }, 20);
    for learnt in [reply(30, vec![]), gap(30, 25, 0, vec![])] {
        knowledge.apply(SyncReply { open: None, ..learnt }, 30);
        assert_eq!(knowledge.open(), &open());
        assert!(knowledge.masks(Level::L3, &key("a:1"), &[], Version(8)));
    }
    knowledge.apply(reply(40, vec![]), 40);
    assert_eq!(knowledge.open().set(), "", "closed");
    assert!(!knowledge.masks(Level::L3, &key("a:1"), &[], Version(8)));
}

#[test]
fn redis_has_reached_what_it_said_and_the_time_since_its_answer() {
    assert_eq!(Coherence::new(SourceOfTruth::L3).reached_us(Instant::now()), 0);
    let mut knowledge = synced();
    let told = reply(20, vec![]);
    let received = told.received;
    // However long ago it was sent.
    knowledge.apply(told, -10_000);
    assert_eq!(knowledge.reached_us(received), (T0 + 20) * 1000);
    assert_eq!(knowledge.reached_us(received + Duration::from_millis(5)), (T0 + 25) * 1000);
}

#[test]
fn since_when_notes_are_known_is_told_by_own_clock() {
    let mut knowledge = synced();
    assert_eq!(knowledge.notes_known_ms(0, 0), i64::MIN, "nobody has looked");
    // Redis' clock is years behind own.
    let read = |time_ms, checked_ms| SyncReply { notes_checked_ms: checked_ms, ..SyncReply::at(time_ms * 1000) };
    knowledge.apply(read(T0 + 9_000, T0 + 2_000), 50);
    assert_eq!(knowledge.notes_known_ms(500_000, 1_050), 500_000 - 7_000 - 1_000);
    knowledge.apply(read(T0 + 1_000, T0 + 2_000), 60);
    assert_eq!(knowledge.notes_known_ms(0, 0), i64::MIN, "Redis' clock went back");
}
