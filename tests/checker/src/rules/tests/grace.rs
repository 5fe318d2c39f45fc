use super::*;

const GRACE: Duration = Duration::from_secs(60);

/// It lives for two seconds, and is kept for a minute more.
fn kept() -> Put {
    Put { ttl: Duration::from_secs(2), grace: GRACE, ..plain(1) }
}

fn expired(expires_at_ms: i64) -> Outcome {
    let level = "L2_REDIS".to_owned();
    Outcome::Found(Found { value: Some(1), intact: true, level, expires_at_ms, stale: true })
}

fn stale(start: u64, outcome: Outcome) -> Operation {
    operation(start, start + 10, "b", Action::GetStale { key: 0, no_cache: false }, outcome)
}

fn make_stale(start: u64, end: u64) -> Operation {
    let scope = Scope::Keys(vec![0]);
    operation(start, end, "i", Action::MakeStale { scope }, DONE)
}

#[test]
fn what_has_expired_is_for_who_takes_it_marked_and_in_its_grace() {
    let stored = || put_like(0, 10, kept());
    assert_fine(vec![stored(), stale(5000, expired(3000)), read(5100, "b", Outcome::Absent)]);
    assert_wrong(Rule::Expired, vec![stored(), read(5000, "b", expired(3000))]);
    assert_wrong(Rule::Expired, vec![stored(), stale(5000, with_end(3000))]);
    assert_wrong(Rule::Expired, vec![stored(), stale(63_000, expired(3000))]);
    assert_wrong(Rule::Expired, vec![put(0, 10, "a", 1), stale(5000, expired(3000))]);
    assert_wrong(Rule::Expired, vec![stored(), stale(500, expired(3000))]);
}

/// What a read says that does not say that it has expired.
fn with_end(expires_at_ms: i64) -> Outcome {
    let Outcome::Found(found) = expired(expires_at_ms) else { unreachable!() };
    Outcome::Found(Found { stale: false, ..found })
}

#[test]
fn whatever_removes_a_value_ends_its_grace() {
    let nothing_there = with(delete(3100, 3110, "a"), Outcome::NothingThere);
    for end in [put(3100, 3110, "a", 2), nothing_there, sweep(3100, 3110, &[0])] {
        let bound = 3110 + WINDOW + 10_100;
        assert_wrong(Rule::Stale, vec![put_like(0, 10, kept()), end, stale(bound, expired(3000))]);
    }
}

#[test]
fn a_life_that_was_ended_is_over_to_all_and_its_grace_is_not() {
    let long = || put_like(0, 10, Put { ttl: HOUR, ..kept() });
    let ended = |read| vec![long(), make_stale(20, 30), read];
    assert_fine(ended(stale(3000, expired(20))));
    assert_fine(ended(stale(3000, Outcome::Absent)));
    assert_fine(ended(read(3000, "b", Outcome::Absent)));
    assert_wrong(Rule::Stale, ended(read(3000, "b", found(1))));
    assert_wrong(Rule::Stale, ended(stale(3000, found(1))));
    assert_wrong(Rule::Stale, vec![long(), make_stale(20, 30), sweep(40, 50, &[0]), stale(3000, expired(20))]);
    // What has none is gone, and what only Redis has.
    let of_redis = Put { levels: &["L1_MEMORY", "L2_REDIS"], ttl: HOUR, ..kept() };
    for (put, outcome) in [(plain(1), found(1)), (of_redis, expired(20))] {
        assert_wrong(Rule::Stale, vec![put_like(0, 10, put), make_stale(20, 30), stale(3000, outcome)]);
    }
}
