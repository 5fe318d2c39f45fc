#![allow(clippy::unwrap_used)]

use super::{
    Explained, Prediction, Reason, Verdict,
    facts::{Asked, Certified, Facts, Held, Row, Says, Shared},
    judge,
    past::{Changed, Past, Swept},
};
use crate::{
    key::Key,
    level::{Level, Levels},
    outcome::Mutation,
    pattern::Pattern,
    selector::{Invalidation, Selector},
    source_of_truth::SourceOfTruth,
    version::{Position, Version},
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

const NOW: i64 = 1_700_000_000_000;
const LATER: i64 = NOW + 60_000;
const FOUND: fn(Level) -> Prediction = Prediction::Found;
static KEY: LazyLock<Key> = LazyLock::new(|| Key::new("a:1").unwrap());

fn at(ms_ago: u64) -> Position {
    Position { ms: NOW.unsigned_abs() - ms_ago, seq: 0 }
}

fn version(ms_ago: u64) -> Version {
    Version::at((NOW.unsigned_abs() - ms_ago) * 1000, 7)
}

fn tags() -> Vec<Arc<str>> {
    vec!["t".into()]
}

fn mutation(kind: &str, ms_ago: u64) -> Mutation {
    Mutation::bare(at(ms_ago), NOW, kind.to_owned())
}

/// The key was put, or deleted, so long ago, as the last that is known of it.
fn changed(kind: &str, ms_ago: u64) -> Option<Changed> {
    let record = Some((version(ms_ago), mutation(kind, ms_ago)));
    Some(Changed { greatest: version(ms_ago), at: at(ms_ago), record })
}

fn swept(selector: Selector, ms_ago: u64, levels: Levels) -> Vec<Swept> {
    let invalidation =
        Invalidation { at: at(ms_ago), version: version(ms_ago), selector, levels, undo: None, stale_seconds: None };
    vec![Swept { invalidation, mutation: mutation("invalidate", ms_ago) }]
}

fn by_pattern() -> Selector {
    Selector::Pattern(Pattern::new("a:*").unwrap())
}

fn by_tag() -> Selector {
    Selector::Tags { any: tags(), within: None }
}

fn by_key() -> Selector {
    Selector::Keys([KEY.clone()].into_iter().collect())
}

fn copy(ms_ago: u64) -> Certified {
    Certified {
        version: version(ms_ago),
        as_of: at(ms_ago + 1),
        expires_at_ms: LATER,
        kept_until_ms: LATER,
        tags: tags(),
        levels: Levels::ALL,
    }
}

fn shared(ms_ago: u64) -> Asked<Shared> {
    Asked::Said(Some(Shared::Copy(copy(ms_ago), NOW - 1000)))
}

fn row(says: Says, ms_ago: u64) -> Row {
    Row {
        version: version(ms_ago),
        says,
        expires_at_ms: LATER,
        ended_at_ms: None,
        kept_until_ms: LATER,
        tags: tags(),
        levels: Levels::ALL,
        is_from_before: false,
        is_masked: false,
    }
}

fn said<T>(value: T) -> Asked<T> {
    Asked::Said(Some(value))
}

fn held(ms_ago: u64, answers: bool) -> Asked<Held> {
    said(Held { copy: copy(ms_ago), good_until: Some(at(ms_ago + 1)), is_settled: true, answers })
}

/// Nothing is anywhere, and everything is known of the last ten minutes.
fn nothing() -> Facts<'static> {
    let past =
        Past { floor: Some(at(600_000)), swept: Some(at(600_000)), now_ms: NOW.unsigned_abs(), ..Past::default() };
    Facts {
        key: &KEY,
        now_ms: NOW,
        source_of_truth: SourceOfTruth::L3,
        revalidate_ms: 3_600_000,
        l1: Asked::Said(None),
        l2: Asked::Said(None),
        l3: Asked::Said(None),
        past,
    }
}

/// A value that was put so long ago, in L2 and L3.
fn put(ms_ago: u64) -> Facts<'static> {
    let mut facts = nothing();
    facts.l2 = shared(ms_ago);
    facts.l3 = said(row(Says::Value, ms_ago));
    facts.past.last = changed("put", ms_ago);
    facts
}

fn by_redis(mut facts: Facts<'static>) -> Facts<'static> {
    facts.source_of_truth = SourceOfTruth::L2;
    facts.l3 = Asked::Disabled;
    facts
}

fn explain(facts: &Facts<'_>) -> Explained {
    judge(facts, "c".to_owned(), 1000, None)
}

thread_local! {
    static SEEN: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

#[track_caller]
fn expect(facts: &Facts<'_>, verdict: Verdict, prediction: Prediction, reason: Option<Reason>) -> Explained {
    let explained = explain(facts);
    assert_eq!((explained.verdict, explained.prediction, explained.reason), (verdict, prediction, reason));
    assert!(explained.levels.iter().all(|level| level.trusted == level.reason.is_none()), "{:?}", explained.levels);
    let of_levels = explained.levels.iter().filter_map(|level| level.reason);
    SEEN.with_borrow_mut(|seen| seen.extend(reason.into_iter().chain(of_levels).map(Reason::name)));
    explained
}

#[track_caller]
fn expect_miss(facts: &Facts<'_>, reason: Reason) -> Explained {
    expect(facts, Verdict::Miss, Prediction::Absent, Some(reason))
}

#[test]
fn every_reason_has_its_case() {
    what_is_there_is_found();
    what_is_gone_says_why();
    what_is_in_other_levels();
    what_memory_may_still_return();
    without_whoever_decides();
    while_redis_decides();
    let seen = SEEN.with_borrow(Clone::clone);
    assert_eq!(seen, Reason::ALL.iter().map(|reason| reason.name()).collect(), "each reason is tested");
}

#[test]
fn what_was_made_stale_says_by_what() {
    let ended_ms = NOW - 900;
    let made_stale = |expires_at_ms: i64| {
        let mut facts = put(5000);
        facts.l2 = Asked::Said(None);
        let ended_at_ms = Some(ended_ms.min(expires_at_ms));
        facts.l3 = said(Row { expires_at_ms: ended_ms, ended_at_ms, ..row(Says::Value, 4999) });
        facts
    };
    let by = |selector, stale_seconds| {
        let mut swept = swept(selector, 900, Levels::ALL);
        swept[0].invalidation.stale_seconds = stale_seconds;
        swept
    };
    let expect_stale = |facts: &Facts<'_>, reason| expect(facts, Verdict::Stale, Prediction::Absent, Some(reason));
    let mut facts = made_stale(LATER);
    facts.past.invalidations = by(by_tag(), Some(60));
    assert_eq!(expect_stale(&facts, Reason::InvalidatedByTag).cause.unwrap().position, at(900));
    assert_eq!(explain(&facts).stale_until_ms, Some(LATER));
    facts.past.invalidations = by(by_key(), None);
    expect_stale(&facts, Reason::Unknown);
    // Its time to live was over by then.
    let mut facts = made_stale(ended_ms - 1);
    facts.past.invalidations = by(by_key(), Some(60));
    expect_stale(&facts, Reason::Expired);
    facts.now_ms = LATER;
    expect_miss(&facts, Reason::Expired);
}

fn what_is_there_is_found() {
    let mut facts = put(5000);
    let found = expect(&facts, Verdict::Hit, FOUND(Level::L2), None);
    assert_eq!(found.levels[0].reason, Some(Reason::EvictedHere), "it was never read here");
    facts.l1 = held(5000, true);
    expect(&facts, Verdict::Hit, FOUND(Level::L1), None);
    facts.l1 = held(5000, false);
    expect(&facts, Verdict::Hit, FOUND(Level::L1), None);
    facts.l1 = Asked::Disabled;
    facts.l2 = Asked::Disabled;
    let found = expect(&facts, Verdict::Hit, FOUND(Level::L3), None);
    assert_eq!(found.levels.map(|level| level.trusted), [false, false, true]);
}

fn what_is_gone_says_why() {
    let never = expect_miss(&nothing(), Reason::NeverStored);
    assert_eq!(never.known_since_ms, Some(NOW - 3_600_000), "a row would have stayed");
    let mut facts = put(5000);
    facts.now_ms = LATER;
    assert_eq!(expect_miss(&facts, Reason::Expired).known_since_ms, None);
    let mut facts = nothing();
    facts.l3 = said(row(Says::Gone, 900));
    expect_miss(&facts, Reason::Unknown);
    facts.l3 = said(Row { expires_at_ms: 0, ..row(Says::Claimed, 900) });
    expect_miss(&facts, Reason::Unknown);
    facts.l3 = said(row(Says::Gone, 900));
    facts.past.last = changed("delete", 900);
    assert_eq!(expect_miss(&facts, Reason::Deleted).cause.unwrap().position, at(900));
    facts.past.last = changed("put", 5000);
    let selectors = [by_pattern(), by_tag(), by_key(), Selector::Except { of: Box::new(by_key()), tags: Vec::new() }];
    let reasons = [Reason::InvalidatedByPattern, Reason::InvalidatedByTag, Reason::InvalidatedByKey];
    for (selector, reason) in selectors.into_iter().zip(reasons.into_iter().chain([Reason::InvalidatedByKey])) {
        facts.past.invalidations = swept(selector, 900, Levels::ALL);
        assert_eq!(expect_miss(&facts, reason).cause.unwrap().kind, "invalidate");
    }
    facts.past.invalidations = swept(by_key(), 800, Levels::ALL);
    expect_miss(&facts, Reason::Unknown);
    let mut facts = put(5000);
    facts.past.open = swept(by_tag(), 900, Levels::ALL);
    expect_miss(&facts, Reason::HiddenByOpenInvalidation);
    let mut facts = put(5000);
    facts.l2 = Asked::Unavailable;
    facts.l3 = said(Row { is_masked: true, ..row(Says::Value, 5000) });
    expect_miss(&facts, Reason::HiddenByOpenInvalidation);
    facts.l3 = said(Row { is_from_before: true, ..row(Says::Value, 5000) });
    expect_miss(&facts, Reason::LevelDisabled);
}

fn what_is_in_other_levels() {
    let mut facts = put(5000);
    facts.l3 = said(row(Says::Stub, 5000));
    expect(&facts, Verdict::Hit, FOUND(Level::L2), None);
    facts.l2 = Asked::Said(None);
    expect_miss(&facts, Reason::EvictedHere);
    facts.past.invalidations = swept(by_tag(), 900, Levels::ALL.without(Level::L3));
    expect_miss(&facts, Reason::InvalidatedByTag);
    let tombstone = Row { version: version(5000).next(), ..row(Says::Gone, 5000) };
    facts.l3 = said(tombstone);
    expect_miss(&facts, Reason::InvalidatedByTag);
    facts.past.invalidations.extend(swept(by_tag(), 800, Levels::ALL));
    expect_miss(&facts, Reason::Unknown);
    facts.past.invalidations = Vec::new();
    let memory = Levels::NONE.with(Level::L1);
    facts.l3 = said(Row { levels: memory, ..row(Says::Stub, 5000) });
    expect_miss(&facts, Reason::OtherLevels);
    facts.l1 = held(5000, false);
    expect(&facts, Verdict::Hit, FOUND(Level::L1), None);
}

fn what_memory_may_still_return() {
    let mut facts = put(500);
    facts.l1 = held(5000, true);
    let stale = expect(&facts, Verdict::Stale, FOUND(Level::L1), Some(Reason::Overwritten));
    assert_eq!(stale.cause.unwrap().position, at(500));
    facts.l1 = held(5000, false);
    let hit = expect(&facts, Verdict::Hit, FOUND(Level::L2), None);
    assert_eq!(hit.levels[0].reason, Some(Reason::Overwritten));
    let mut facts = nothing();
    facts.l1 = held(5000, true);
    facts.l3 = said(row(Says::Gone, 500));
    facts.past.last = changed("delete", 500);
    expect(&facts, Verdict::Stale, FOUND(Level::L1), Some(Reason::Deleted));
    facts.l1 = held(5000, false);
    expect_miss(&facts, Reason::Deleted);
}

fn without_whoever_decides() {
    let mut facts = put(5000);
    facts.l3 = Asked::Unavailable;
    expect(&facts, Verdict::Hit, FOUND(Level::L2), None);
    facts.past.epoch = at(100);
    let unavailable = Prediction::Unavailable;
    expect(&facts, Verdict::Stale, unavailable, Some(Reason::UnconfirmedCopy));
    facts.past.floor = Some(at(100));
    expect(&facts, Verdict::Stale, unavailable, Some(Reason::JournalGap));
    facts.l2 = Asked::Said(None);
    expect(&facts, Verdict::Miss, unavailable, Some(Reason::LevelUnavailable));
    facts.l1 = held(5000, true);
    expect(&facts, Verdict::Hit, FOUND(Level::L1), None);
    let mut facts = put(5000);
    (facts.l2, facts.past) = (Asked::Unavailable, Past::default());
    facts.l1 = held(5000, false);
    expect(&facts, Verdict::Hit, FOUND(Level::L3), None);
    facts.l3 = said(row(Says::Stub, 5000));
    expect(&facts, Verdict::Hit, FOUND(Level::L1), None);
    facts.l1 = Asked::Said(None);
    let levels = expect(&facts, Verdict::Miss, unavailable, Some(Reason::LevelUnavailable)).levels;
    let reasons = [Reason::LevelUnavailable, Reason::LevelUnavailable, Reason::OtherLevels];
    assert_eq!(levels.map(|level| level.reason.unwrap()), reasons, "L3 has no value that could be confirmed");
    let mut facts = put(5000);
    facts.past.has_unreadable_invalidation = true;
    facts.l2 = Asked::Said(None);
    expect(&facts, Verdict::Miss, unavailable, Some(Reason::LevelUnavailable));
    facts.l3 = said(row(Says::Gone, 900));
    facts.past.last = changed("delete", 900);
    let levels = expect(&facts, Verdict::Miss, unavailable, Some(Reason::LevelUnavailable)).levels;
    assert_eq!(levels[2].reason, Some(Reason::Deleted));
}

fn while_redis_decides() {
    expect(&by_redis(put(5000)), Verdict::Hit, FOUND(Level::L2), None);
    let never = expect_miss(&by_redis(nothing()), Reason::NeverStored);
    assert_eq!(never.known_since_ms, Some(NOW - 600_000), "no longer than the index reaches");
    let mut facts = by_redis(put(5000));
    facts.past.switched = at(100);
    expect_miss(&facts, Reason::LevelDisabled);
    let mut facts = by_redis(put(5000));
    facts.l2 = said(Shared::Tombstone(version(900)));
    facts.past.invalidations = swept(by_pattern(), 900, Levels::ALL);
    expect_miss(&facts, Reason::InvalidatedByPattern);
    facts.past.last = changed("delete", 900);
    expect_miss(&facts, Reason::Deleted);
    facts.past.last = changed("put", 900);
    expect_miss(&facts, Reason::OtherLevels);
    facts.l2 = Asked::Said(None);
    facts.past.invalidations = Vec::new();
    expect_miss(&facts, Reason::Unknown);
    facts.past.last = changed("delete", 900);
    expect_miss(&facts, Reason::Deleted);
    facts.l2 = Asked::Unavailable;
    expect(&facts, Verdict::Miss, Prediction::Unavailable, Some(Reason::LevelUnavailable));
}
