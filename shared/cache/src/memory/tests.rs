#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    config::Format,
    entry::Entry,
    level::{Level, Levels},
    stats::Count,
    version::{Position, Version},
};
use bytes::Bytes;

const NOW: i64 = 1_700_000_000_000;

fn config(max_capacity: u64, max_size_mb: u64) -> L1Config {
    L1Config { max_capacity, max_size_mb, ..L1Config::default() }
}

fn memory(config: &L1Config) -> Memory {
    Memory::new(config, Clock::manual(NOW), Counters::default())
}

fn key(number: usize) -> Key {
    Key::new(format!("key:{number}")).unwrap()
}

fn entry(bytes: usize, version: u64) -> Arc<Entry> {
    Arc::new(Entry {
        text: Bytes::from(vec![b'1'; bytes]),
        created_at_ms: NOW,
        expires_at_ms: NOW + 10_000,
        ttl_seconds: 10,
        sliding: None,
        grace_seconds: 0,
        made_stale: false,
        tags: ["tag".into()].into(),
        levels: Levels::ALL,
        version: Version(version),
        checksum: 0,
        compression: None,
        stored_bytes: bytes,
        format: Format::Bincode,
    })
}

fn copy(bytes: usize, version: u64) -> Arc<CachedEntry> {
    copy_under(&L1Config::default(), bytes, version)
}

fn copy_under(config: &L1Config, bytes: usize, version: u64) -> Arc<CachedEntry> {
    Arc::new(CachedEntry::new(entry(bytes, version), Position::ZERO, NOW, config))
}

/// Reads `key` until its copy is taken, as requests that miss and fill would.
fn insist(memory: &Memory, key: &Key, bytes: usize) -> bool {
    (0..10).any(|_| memory.get(key, NOW).is_some() || memory.insert(key.clone(), copy(bytes, 1)))
}

#[test]
fn returns_what_was_inserted_until_it_is_removed() {
    let memory = memory(&L1Config::default());
    assert!(memory.get(&key(1), NOW).is_none());
    assert!(memory.insert(key(1), copy(10, 1)));
    assert_eq!(memory.get(&key(1), NOW).unwrap().entry, entry(10, 1));
    assert_eq!(memory.remove(&key(1), NOW).unwrap().entry.version, Version(1));
    assert!(memory.remove(&key(1), NOW).is_none());
    assert!(memory.get(&key(1), NOW).is_none());
    assert_eq!(memory.usage(NOW), Usage::default());
}

#[test]
fn is_gone_through_part_by_part() {
    let memory = memory(&L1Config::default());
    for number in 0..100 {
        let mut copy = CachedEntry::new(entry(10, 1), Position::ZERO, NOW, &L1Config::default());
        copy.deadline_ms -= 1000 * (number % 7);
        assert!(memory.insert(key(usize::try_from(number).unwrap()), Arc::new(copy)));
    }
    memory.remove(&key(50), NOW);
    let (mut place, mut counter, mut parts) = (Some(Place::default()), Vec::new(), 0);
    while let Some(at) = place {
        let (copies, next) = memory.some(at, 9);
        counter.extend(copies.iter().map(|copy| copy.key().unwrap()));
        (place, parts) = (next, parts + 1);
    }
    counter.sort();
    let mut held: Vec<Key> = (0..100).filter(|number| *number != 50).map(key).collect();
    held.sort();
    assert_eq!((counter, parts), (held, 12));
}

#[test]
fn is_gone_at_the_millisecond_of_its_expiry_and_of_the_level_s_ttl() {
    let memory = memory(&L1Config::default());
    memory.insert(key(1), copy(10, 1));
    assert!(memory.get(&key(1), NOW + 9_999).is_some());
    assert!(memory.get(&key(1), NOW + 10_000).is_none());
    assert!(memory.get(&key(1), NOW).is_none(), "an expired copy was dropped, not hidden");

    memory.insert(key(2), copy(10, 1));
    assert!(memory.remove(&key(2), NOW + 10_000).is_none(), "only a live copy counts as removed");

    let short = L1Config { ttl_minutes: 0, ..L1Config::default() };
    memory.insert(key(3), copy_under(&short, 10, 1));
    assert!(memory.get(&key(3), NOW).is_none());
}

#[test]
fn never_holds_more_entries_than_configured() {
    let memory = memory(&config(10, 1));
    assert!((0..10).all(|number| memory.insert(key(number), copy(1, 1))), "the first ten fit");
    for number in 10..100 {
        insist(&memory, &key(number), 1);
        assert!(memory.usage(NOW).entries <= 10);
    }
}

#[test]
fn never_holds_more_bytes_than_configured() {
    let memory = memory(&config(10_000, 1));
    for number in 0..100 {
        insist(&memory, &key(number), 100_000);
        assert!(memory.usage(NOW).bytes <= 1 << 20);
    }
    assert!(memory.usage(NOW).entries >= 9);
}

#[test]
fn makes_room_for_what_is_asked_for() {
    let memory = memory(&config(10, 1));
    (0..10).for_each(|number| assert!(memory.insert(key(number), copy(1, 1))));
    assert!(insist(&memory, &key(99), 1));
    assert!(memory.get(&key(99), NOW).is_some());
}

#[test]
fn says_when_a_full_memory_refuses() {
    let memory = memory(&config(10, 1));
    for number in 0..10 {
        memory.insert(key(number), copy(1, 1));
        (0..20).for_each(|_| assert!(memory.get(&key(number), NOW).is_some()));
    }
    assert!(!memory.insert(key(99), copy(1, 1)));
    assert!(memory.get(&key(99), NOW).is_none());
}

#[test]
fn to_ask_what_is_held_makes_nothing_likelier_to_be() {
    let memory = memory(&config(10, 1));
    (0..10).for_each(|number| assert!(memory.insert(key(number), copy(1, 1))));
    assert!(memory.holds(&key(0), NOW) && !memory.holds(&key(0), NOW + 10_000), "until it expires");
    assert!(memory.insert(key(0), copy(1, 1)));
    for _ in 0..10 {
        assert!(!memory.holds(&key(99), NOW));
        assert!(!memory.insert(key(99), copy(1, 1)), "nobody has asked for it");
    }
}

#[test]
fn a_replacement_never_leaves_the_older_copy() {
    let memory = memory(&config(10_000, 1));
    assert!(memory.insert(key(0), copy(10, 0)));
    for version in 1..200 {
        let size = usize::try_from(version).unwrap() * 7_919 % 1_200_000;
        let held = memory.insert(key(0), copy(size, version));
        let found = memory.get(&key(0), NOW).map(|copy| copy.entry.version);
        assert_eq!(found, held.then_some(Version(version)));
        memory.insert(key(1 + size % 50), copy(size % 90_000, version));
    }
}

#[test]
fn a_copy_that_can_never_fit_drops_its_predecessor_and_nothing_else() {
    let memory = memory(&config(10_000, 1));
    memory.insert(key(1), copy(10, 1));
    memory.insert(key(2), copy(10, 1));
    assert!(!memory.insert(key(1), copy(2 << 20, 2)));
    assert!(memory.get(&key(1), NOW).is_none());
    assert!(memory.get(&key(2), NOW).is_some());
}

#[tokio::test]
async fn a_large_copy_that_is_replaced_is_freed_at_once() {
    let memory = memory(&L1Config::default());
    let replaced = copy(MOST_LINGERING + 1, 1);
    let still_there = Arc::downgrade(&replaced);
    memory.insert(key(1), replaced);
    // Within half a second of the last time mini-moka looks at its logs by itself.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(memory.insert(key(1), copy(1, 2)));
    assert_eq!(still_there.strong_count(), 0);
}

#[test]
fn removes_what_matches_and_clears_all() {
    let memory = memory(&L1Config::default());
    (0..2_000).for_each(|number| assert!(memory.insert(key(number), copy(1, 1))));
    assert_eq!(memory.remove_matching(|key, _| key.as_str().ends_with('7')), 200);
    assert!(memory.get(&key(17), NOW).is_none());
    assert_eq!(memory.usage(NOW).entries, 1_800);
    memory.clear();
    assert_eq!(memory.usage(NOW), Usage::default());
    assert!((0..2_000).all(|number| memory.get(&key(number), NOW).is_none()));
}

#[test]
fn any_configuration_makes_a_memory() {
    for (max_capacity, max_size_mb) in [(0, 0), (0, 1), (1, 0), (u64::MAX, u64::MAX), (1, u64::MAX), (u64::MAX, 1)] {
        let extreme =
            L1Config { ttl_minutes: u64::MAX, idle_timeout_minutes: u64::MAX, ..config(max_capacity, max_size_mb) };
        let memory = memory(&extreme);
        let held = memory.insert(key(1), copy_under(&extreme, 1, 1));
        assert_eq!(held, max_capacity > 0 && max_size_mb > 0);
    }
}

/// Evictions and demotions that `end` causes in a full memory of ten copies.
fn ends(levels: Levels, end: impl FnOnce(&Memory, &Clock)) -> (u64, u64) {
    let (clock, counters) = (Clock::manual(NOW), Counters::default());
    let memory = Memory::new(&config(10, 1), clock.clone(), counters.clone());
    for number in 0..10 {
        let entry = Entry { levels, ..entry(1, 1).as_ref().clone() };
        memory.insert(key(number), Arc::new(CachedEntry::new(entry.into(), Position::ZERO, NOW, &L1Config::default())));
    }
    end(&memory, &clock);
    drop(memory);
    let counts = counters.read();
    (counts[Count::Evictions], counts[Count::Demotions])
}

#[test]
fn an_eviction_is_told_from_every_other_end() {
    let evict = |memory: &Memory, _: &Clock| assert!(insist(memory, &key(99), 1));
    assert_eq!(ends(Levels::ALL, evict), (1, 1));
    assert_eq!(ends(Levels::NONE.with(Level::L1), evict), (1, 0), "no lower level keeps it");
    assert_eq!(ends(Levels::ALL, |_, _| ()), (0, 0), "gone with the memory");
    assert_eq!(ends(Levels::ALL, |memory, _| memory.clear()), (0, 0), "removed");
    assert_eq!(ends(Levels::ALL, |memory, _| drop(memory.remove(&key(1), NOW))), (0, 0), "removed");
    assert_eq!(ends(Levels::ALL, |memory, _| assert!(memory.insert(key(1), copy(1, 2)))), (0, 0), "replaced");
    assert_eq!(ends(Levels::ALL, |memory, _| assert!(!memory.insert(key(1), copy(2 << 20, 2)))), (0, 0), "replaced");
    let refuse = |memory: &Memory, _: &Clock| {
        (0..10).for_each(|number| (0..20).for_each(|_| drop(memory.get(&key(number), NOW))));
        assert!(!memory.insert(key(99), copy(1, 1)));
    };
    assert_eq!(ends(Levels::ALL, refuse), (0, 0), "never let in");
    let expire = |memory: &Memory, clock: &Clock| {
        clock.set(NOW + 10_000);
        (0..10).for_each(|number| assert!(memory.get(&key(number), clock.now_ms()).is_none()));
    };
    assert_eq!(ends(Levels::ALL, expire), (0, 0), "expired");
}

#[test]
fn usage_follows_every_way_in_and_out() {
    let memory = memory(&config(10, 1));
    memory.insert(key(1), copy(100, 1));
    memory.insert(key(2), copy(50, 1));
    let both = memory.usage(NOW);
    assert_eq!((both.entries, both.text_bytes), (2, 150));
    assert!(both.bytes > 150 + 2 * OVERHEAD_BYTES);
    memory.insert(key(1), copy(10, 2));
    assert_eq!((memory.usage(NOW).entries, memory.usage(NOW).text_bytes), (2, 60));
    memory.remove(&key(1), NOW);
    memory.clear();
    assert_eq!(memory.usage(NOW), Usage::default());
}

/// A full memory of `most` entries whose clock stands at its beginning, each of its copies read ten times since it is.
fn full_and_read(most: usize) -> (Memory, Clock) {
    let clock = Clock::manual(NOW);
    let memory = Memory::new(&config(most as u64, 1), clock.clone(), Counters::default());
    (0..most).for_each(|number| assert!(memory.insert(key(number), copy(1, 1))));
    (0..10).for_each(|_| (0..most).for_each(|number| assert!(memory.get(&key(number), NOW).is_some())));
    (memory, clock)
}

/// A copy that lives for so long from `now_ms` on.
fn living(now_ms: i64, life_ms: i64) -> Arc<CachedEntry> {
    let entry = Entry { expires_at_ms: now_ms + life_ms, ..entry(1, 1).as_ref().clone() };
    Arc::new(CachedEntry::new(entry.into(), Position::ZERO, now_ms, &L1Config::default()))
}

/// Reads each key once, and fills what is not there; returns how many were.
fn round(memory: &Memory, keys: std::ops::Range<usize>, now_ms: i64) -> usize {
    let hit = |number: &usize| {
        let hit = memory.get(&key(*number), now_ms).is_some();
        if !hit {
            memory.insert(key(*number), living(now_ms, 60_000));
        }
        hit
    };
    keys.filter(hit).count()
}

#[test]
fn what_has_expired_makes_room_as_if_it_had_never_been_there() {
    let (memory, clock) = full_and_read(100);
    let later = NOW + 10_000;
    clock.set(later);
    assert_eq!([round(&memory, 100..200, later), round(&memory, 100..200, later)], [0, 100]);
    let (memory, _) = full_and_read(100);
    let hits = [round(&memory, 100..200, NOW), round(&memory, 100..200, NOW)];
    // Where hashes meet, which are drawn anew in each process, the sketch takes a new key for one that was read.
    assert!(hits[0] == 0 && hits[1] < 20, "what lives does not: {hits:?}");
}

#[test]
fn no_live_copy_goes_while_an_expired_one_is_there() {
    let counters = Counters::default();
    let clock = Clock::manual(NOW);
    let memory = Memory::new(&config(100, 1), clock.clone(), counters.clone());
    // The ones that live were used least recently, and are read by nobody.
    (0..50).for_each(|number| assert!(memory.insert(key(number), living(NOW, 60_000))));
    (50..100).for_each(|number| assert!(memory.insert(key(number), living(NOW, 5_000))));
    clock.set(NOW + 5_000);
    for number in 100..150 {
        assert!(insist(&memory, &key(number), 1), "one that has expired makes room");
    }
    assert!((0..50).all(|number| memory.holds(&key(number), clock.now_ms())));
    assert_eq!(counters.read()[Count::Evictions], 0);
}

#[test]
fn a_replaced_copy_expires_and_its_successor_stays() {
    let clock = Clock::manual(NOW);
    let memory = Memory::new(&config(10, 1), clock.clone(), Counters::default());
    memory.insert(key(1), living(NOW, 1_000));
    memory.insert(key(1), living(NOW, 60_000));
    clock.set(NOW + 2_000);
    (2..11).for_each(|number| assert!(memory.insert(key(number), living(clock.now_ms(), 60_000))));
    assert!(memory.get(&key(1), clock.now_ms()).is_some());
    assert_eq!(memory.usage(clock.now_ms()).entries, 10);
}

#[test]
fn what_has_expired_does_not_count() {
    let memory = memory(&config(1_000, 1));
    for number in 0..100 {
        memory.insert(key(number), living(NOW, 1_000 + 1_000 * (i64::try_from(number).unwrap() % 4)));
    }
    let entries = |now_ms| memory.usage(now_ms).entries;
    assert_eq!([0, 1_000, 2_000, 3_000, 4_000].map(|ms| entries(NOW + ms)), [100, 75, 50, 25, 0]);
    assert_eq!(entries(NOW + 999), 100, "to the millisecond where it is a whole second");
    let forecast = memory.forecast(NOW, NOW + 3_500);
    let expected = [(NOW + 1_000, 25), (NOW + 2_000, 25)];
    assert_eq!(forecast.iter().map(|(ms, usage)| (*ms, usage.entries)).collect::<Vec<_>>(), expected);
    memory.clear();
    assert_eq!(memory.usage(NOW), Usage::default());
}

#[test]
fn a_forecast_is_short_and_never_says_too_early() {
    let memory = memory(&config(10_000, 1));
    for number in 0..1_000 {
        memory.insert(key(number), living(NOW, 1_500 + 700 * i64::try_from(number).unwrap()));
    }
    let forecast = memory.forecast(NOW, NOW + 900_000);
    assert!(forecast.len() <= 16);
    assert_eq!(forecast.iter().map(|(_, usage)| usage.entries).sum::<u64>(), 1_000);
    let mut left = memory.usage(NOW);
    for (ms, usage) in forecast {
        assert!(left.entries >= memory.usage(ms - 1_000).entries);
        left = left.minus(usage);
        assert_eq!(left, memory.usage(ms));
    }
}

#[test]
fn another_size_keeps_what_fits_and_what_was_read_last() {
    let memory = memory(&config(100, 1));
    for number in 0..100 {
        let copy = copy(10, 1);
        copy.last_read_ms.store(NOW + number, Relaxed);
        assert!(memory.insert(key(number.try_into().unwrap()), copy));
    }
    memory.resize(&config(200, 2), NOW);
    assert_eq!(memory.usage(NOW).entries, 100, "a larger memory takes all over");
    memory.resize(&config(10, 1), NOW);
    let kept: Vec<usize> = (0..100).filter(|number| memory.get(&key(*number), NOW).is_some()).collect();
    assert_eq!(kept, (90..100).collect::<Vec<_>>());
    memory.resize(&L1Config { enabled: false, ..config(10, 1) }, NOW);
    assert_eq!(memory.usage(NOW), Usage::default());
    assert!(!memory.insert(key(1), copy(10, 1)), "a memory that is switched off holds nothing");
    memory.resize(&config(10, 1), NOW);
    assert!(memory.insert(key(1), copy(10, 1)));
}

#[test]
fn a_shorter_stay_counts_from_when_it_is_known() {
    let memory = memory(&L1Config::default());
    let mut long = entry(10, 1);
    Arc::get_mut(&mut long).unwrap().expires_at_ms = NOW + 3_600_000;
    let copy = Arc::new(CachedEntry::new(long, Position::ZERO, NOW, &L1Config::default()));
    copy.reads.store(3, Relaxed);
    memory.insert(key(1), copy);
    memory.resize(&L1Config { ttl_minutes: 1, ..L1Config::default() }, NOW + 1000);
    let kept = memory.get(&key(1), NOW + 60_999).unwrap();
    assert_eq!(kept.reads.load(Relaxed), 3);
    assert!(memory.get(&key(1), NOW + 61_000).is_none());
}
