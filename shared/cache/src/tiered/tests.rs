//! What one container trusts when something goes wrong within it. What the levels would say is said for them.

use super::{TieredCache, source::Source, sync::About};
use crate::{
    Clock, Config, Deployment, Read,
    coherence::{AsOf, SyncReply},
    config::Format,
    entry::Entry,
    key::Key,
    level::Levels,
    pattern::Pattern,
    record::{Event, Record},
    selector::{Invalidation, Selector},
    tags::Tags,
    version::{Position, Version},
};
use bytes::Bytes;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

const NOW_MS: i64 = 1_700_000_000_000;
/// Δ.
const WINDOW_MS: i64 = 1000;

/// A value on its way into L1, which the source of truth has confirmed at `read_at_ms`.
pub(super) fn source(version: Version, as_of: AsOf, read_at_ms: Option<i64>) -> Source {
    let entry = Entry {
        text: Bytes::from_static(b"1"),
        created_at_ms: NOW_MS,
        expires_at_ms: NOW_MS + 7_200_000,
        ttl_seconds: 7200,
        sliding: None,
        grace_seconds: 0,
        tags: Tags::default(),
        levels: Levels::ALL,
        version,
        checksum: 0,
        compression: None,
        stored_bytes: 1,
        format: Format::Bincode,
    };
    let entry = Arc::new(entry);
    Source { entry, as_of: as_of.position, certified_ms: NOW_MS, read_at_ms, reads: 0, last_read_ms: 0 }
}

fn key() -> Key {
    Key::new("k").expect("a test's key is valid")
}

fn at(seq: u64) -> Position {
    Position { ms: NOW_MS.unsigned_abs(), seq }
}

fn reply(versions: &[u64]) -> SyncReply {
    let record =
        |version: &u64| Record { at: at(*version), event: Event::Changed { key: key(), version: Version(*version) } };
    let records = versions.iter().map(record).collect();
    let notes_checked_ms = NOW_MS.unsigned_abs();
    SyncReply { epoch: at(0), notes_checked_ms, records, ..SyncReply::at(NOW_MS.unsigned_abs() * 1000) }
}

/// The reply to a container that knows nothing, of a journal that ends with the record of that version.
fn first(version: u64) -> SyncReply {
    SyncReply { gap: Some(at(version)), ..reply(&[]) }
}

/// A container that has just synced, and holds version 1 in L1.
fn container() -> (TieredCache, Clock) {
    let clock = Clock::manual(NOW_MS);
    let deployment = Deployment { clock: clock.clone(), ..Deployment::new("control") };
    let cache = TieredCache::open(deployment, Config::default()).expect("the defaults go together");
    sync(&cache, first(1));
    let as_of = cache.as_of();
    cache.view().fill(&key(), as_of, &source(Version(1), as_of, None)).expect("nothing speaks against it");
    assert_eq!(in_memory(&cache), Some(1));
    (cache, clock)
}

fn sync(cache: &TieredCache, reply: SyncReply) {
    let view = cache.view();
    let sent = view.send();
    drop(view.learn(reply, &sent, About::default(), &[]).expect("it follows on what is known"));
}

/// The version that a read would be answered with out of L1.
fn in_memory(cache: &TieredCache) -> Option<u64> {
    let view = cache.view();
    let hit = view.get_from_memory(&key(), Read::default(), &mut view.path());
    hit.map(|hit| hit.entry.version.0)
}

#[test]
fn an_invalidation_takes_what_it_means_and_nothing_else() {
    let (cache, _) = container();
    let as_of = cache.as_of();
    let other = Key::new("other").expect("a test's key is valid");
    cache.view().fill(&other, as_of, &source(Version(1), as_of, None)).expect("nothing speaks against it");
    let swept = |seq: u64, pattern: &str| {
        let selector = Selector::Pattern(Pattern::new(pattern).expect("a test's pattern is valid"));
        let invalidation =
            Invalidation { at: at(seq), version: Version(seq), selector, levels: Levels::ALL, undo: None };
        Record { at: at(seq), event: Event::Invalidated(Arc::new(invalidation)) }
    };
    let missing = (2..102).map(|seq| swept(seq, &format!("*{seq}*")));
    sync(&cache, SyncReply { records: missing.collect(), ..reply(&[]) });
    assert_eq!(
        (in_memory(&cache), cache.memory.usage(NOW_MS).entries),
        (Some(1), 2),
        "they mean nothing that is there"
    );
    sync(&cache, SyncReply { records: vec![swept(102, "k*")], ..reply(&[]) });
    assert_eq!((in_memory(&cache), cache.memory.usage(NOW_MS).entries), (None, 1), "not only when it is asked for");
    assert!(cache.memory.get(&other, NOW_MS).is_some());
}

#[test]
fn a_panic_in_any_operation_empties_memory_and_forgets_the_journal() {
    let (cache, _) = container();
    let before = cache.as_of();
    let operation = AssertUnwindSafe(|| {
        let _view = cache.view();
        panic!("somewhere");
    });
    assert!(catch_unwind(operation).is_err());
    assert_eq!(in_memory(&cache), None);
    assert_eq!((cache.knowledge().cursor(), cache.memory.usage(NOW_MS).entries), (None, 0));
    let late = cache.view().fill(&key(), before, &source(Version(1), before, None));
    assert!(late.is_none(), "what was read before does not go in");
    sync(&cache, first(2));
    let as_of = cache.as_of();
    assert!(cache.view().fill(&key(), as_of, &source(Version(2), as_of, None)).is_some(), "it goes on");
    assert_eq!(in_memory(&cache), Some(2));
}

#[test]
fn a_panic_within_what_is_known_is_no_less() {
    let (cache, _) = container();
    let operation = AssertUnwindSafe(|| {
        let _knowledge = cache.knowledge();
        panic!("half applied");
    });
    assert!(catch_unwind(operation).is_err());
    assert_eq!((in_memory(&cache), cache.knowledge().cursor()), (None, None));
}

#[test]
fn a_panic_takes_no_debt_away() {
    let (cache, _) = container();
    let operation = AssertUnwindSafe(|| {
        let view = cache.view();
        let _leaving = view.begin_note();
        view.doubt_write(&key(), Version(7));
        panic!("somewhere");
    });
    assert!(catch_unwind(operation).is_err());
    let view = cache.view();
    let sent = view.send();
    assert!(view.outbox_due(&sent, &mut cache.knowledge()));
    let in_doubt = cache.in_doubt.enter(crate::lock::whole);
    assert!(in_doubt.iter().eq(&[(key(), Version(7))]));
}

#[test]
fn a_wall_clock_that_is_put_back_does_not_lengthen_the_window() {
    let (cache, clock) = container();
    clock.set(NOW_MS - 3_600_000);
    assert_eq!(in_memory(&cache), None, "how old that is cannot be told");
    sync(&cache, reply(&[]));
    assert_eq!(in_memory(&cache), Some(1));
    clock.tick(WINDOW_MS.try_into().expect("it is short"));
    assert_eq!(in_memory(&cache), Some(1));
    clock.tick(1);
    assert_eq!(in_memory(&cache), None, "though the wall clock stands where it stood");
}

#[test]
fn what_the_register_confirmed_is_trusted_no_longer_for_a_clock_that_is_put_back() {
    let (cache, clock) = container();
    clock.set(NOW_MS + 5_000);
    let as_of = cache.as_of();
    let confirmed = source(Version(1), as_of, Some(clock.steady_ms()));
    cache.view().fill(&key(), as_of, &confirmed).expect("nothing speaks against it");
    assert_eq!(in_memory(&cache), Some(1), "long after the last sync");
    clock.set(NOW_MS + 4_500);
    clock.tick(500);
    assert_eq!(in_memory(&cache), None);
}

#[test]
fn expiry_goes_by_the_wall_clock() {
    let (cache, clock) = container();
    clock.set(NOW_MS + 7_200_000 - 1);
    sync(&cache, reply(&[]));
    assert!(cache.memory.get(&key(), clock.now_ms()).is_none(), "L1 keeps it no longer than V");
    let as_of = cache.as_of();
    let later = Source { certified_ms: clock.now_ms(), ..source(Version(1), as_of, None) };
    cache.view().fill(&key(), as_of, &later).expect("nothing speaks against it");
    assert_eq!(in_memory(&cache), Some(1));
    clock.set(NOW_MS + 7_200_000);
    assert_eq!(in_memory(&cache), None);
}
