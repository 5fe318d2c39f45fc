//! One container by itself.

use super::{decide, decide_alone};
use crate::limits::{
    Class, Limits,
    meter::{Lent, Meter},
    meters::Meters,
};

const NOW: i64 = 1_700_000_000_000;

/// An answer at the same time of both clocks.
fn lent(granted: u32, used: u32, back_in: i64) -> Lent {
    Lent { time_us: NOW * 1000, granted, counted: false, used, back: NOW / 1000 + back_in }
}

fn lease(meter: &mut Meter, number: u64, answer: &Lent) {
    assert_eq!(meter.report(number, NOW).number, number);
    meter.answered(number, answer, NOW, NOW);
}

#[test]
fn a_lease_is_used_up_or_ends() {
    let mut meter = Meter::new(Class::Read, 5000);
    assert_eq!(decide(&mut meter, NOW, 1), None);
    lease(&mut meter, 1, &lent(2, 10, 60));
    let standing = decide(&mut meter, NOW, 1).unwrap().unwrap();
    assert_eq!((standing.limit, standing.remaining, standing.reset_seconds), (5000, 4989, 60));
    assert_eq!(decide(&mut meter, NOW + 10_000, 1), None, "its life is over");
    assert_eq!(decide(&mut meter, NOW - 1, 1), None, "the clock went back");
    assert!(decide(&mut meter, NOW + 9_999, 1).unwrap().is_ok());
    assert_eq!(decide(&mut meter, NOW + 9_999, 1), None, "used up");
}

#[test]
fn a_refusal_lasts_until_a_permit_comes_back_and_costs_nothing() {
    let mut meter = Meter::new(Class::Read, 10);
    lease(&mut meter, 1, &lent(0, 10, 7));
    let refused = decide(&mut meter, NOW, 1).unwrap().unwrap_err();
    assert_eq!((refused.remaining, refused.reset_seconds), (0, 7));
    assert_eq!(decide(&mut meter, NOW + 6_001, 1).unwrap().unwrap_err().reset_seconds, 1);
    assert_eq!(decide(&mut meter, NOW + 7_000, 1), None);
}

#[test]
fn a_report_is_sent_again_as_it_was_until_it_is_answered() {
    let mut meter = Meter::new(Class::Read, 5000);
    lease(&mut meter, 1, &lent(50, 0, 60));
    decide(&mut meter, NOW, 1).unwrap().unwrap();
    let report = meter.report(2, NOW);
    assert_eq!((report.number, report.uses.as_slice()), (2, &[(NOW / 1000, 1)][..]));
    decide(&mut meter, NOW + 1000, 1).unwrap().unwrap();
    assert_eq!(meter.report(3, NOW), report);
    meter.answered(1, &lent(0, 5000, 60), NOW, NOW);
    assert!(decide(&mut meter, NOW + 1000, 1).unwrap().is_ok(), "the answer to another report says nothing");
    meter.answered(2, &lent(50, 1, 60), NOW, NOW);
    assert_eq!(meter.report(4, NOW).uses, [(NOW / 1000 + 1, 2)]);
}

#[test]
fn uses_are_kept_to_themselves_for_a_second_at_most_while_there_are_syncs() {
    let mut meter = Meter::new(Class::Read, 5000);
    lease(&mut meter, 1, &lent(50, 0, 60));
    assert!(!meter.is_due(NOW + 5000), "nothing was used");
    decide(&mut meter, NOW, 1).unwrap().unwrap();
    assert!(!meter.is_due(NOW + 999));
    assert!(meter.is_due(NOW + 1000));
    (0..24).for_each(|_| assert!(decide(&mut meter, NOW, 1).unwrap().is_ok()));
    assert!(meter.is_due(NOW), "half of the lease is used");
}

#[test]
fn alone_a_container_admits_the_limit_in_any_minute() {
    let mut meter = Meter::new(Class::Config, 2);
    let mut ask = |now_ms| {
        let decided = decide(&mut meter, now_ms, 1);
        decided.unwrap_or_else(|| decide_alone(&mut meter, now_ms, 1))
    };
    assert_eq!(ask(NOW).unwrap().remaining, 1);
    assert_eq!(ask(NOW + 30_000).unwrap().remaining, 0);
    assert_eq!(ask(NOW + 40_000).unwrap_err().reset_seconds, 20);
    assert!(ask(NOW + 60_000).is_ok());
    assert_eq!(ask(NOW + 60_000).unwrap_err().reset_seconds, 30);
}

#[test]
fn what_was_admitted_before_redis_told_its_time_is_reported_at_the_right_second() {
    let mut meter = Meter::new(Class::Read, 10);
    decide_alone(&mut meter, NOW, 1).unwrap();
    assert!(meter.report(1, NOW).uses.is_empty());
    let ahead = Lent { time_us: (NOW + 5500) * 1000, ..lent(1, 0, 65) };
    meter.answered(1, &ahead, NOW, NOW);
    assert_eq!(decide(&mut meter, NOW, 1), None, "the lease is as large as what Redis does not know yet");
    assert_eq!(meter.report(2, NOW).uses, [(NOW / 1000 + 5, 1)]);
}

#[test]
fn a_slow_reply_refuses_nobody_for_longer() {
    let mut meter = Meter::new(Class::Config, 1);
    let answer = Lent { counted: true, ..lent(0, 0, 60) };
    assert_eq!(decide(&mut meter, NOW, 1), None);
    meter.report(1, NOW);
    meter.answered(1, &lent(0, 0, 60), NOW, NOW);
    assert_eq!(decide(&mut meter, NOW, 1), None);
    assert!(meter.report(2, NOW).asks.is_some());
    meter.answered(2, &answer, NOW, NOW + 40);
    assert!(decide(&mut meter, NOW + 40, 1).unwrap().is_ok());
    assert!(decide(&mut meter, NOW + 59_000, 1).unwrap().is_err());
    assert_eq!(decide(&mut meter, NOW + 60_000, 1), None, "the reply may have taken all of the 40 ms");
}

/// A meter that knows the time, and whose report 2 asks for a request.
fn asking(class: Class, limit: u32) -> Meter {
    let mut meter = Meter::new(class, limit);
    lease(&mut meter, 1, &lent(0, 0, 60));
    assert_eq!(decide(&mut meter, NOW, 1), None);
    assert_eq!(meter.report(2, NOW).asks, Some((NOW / 1000, 1)));
    meter
}

#[test]
fn a_request_that_redis_has_counted_is_not_reported_again() {
    let mut meter = asking(Class::Config, 10);
    meter.answered(2, &Lent { counted: true, ..lent(0, 10, 60) }, NOW, NOW);
    assert_eq!(decide(&mut meter, NOW, 1).unwrap().unwrap().remaining, 0, "the last one");
    assert!(decide(&mut meter, NOW, 1).unwrap().is_err());
    assert_eq!(meter.report(3, NOW).uses, []);
}

#[test]
fn a_request_admitted_without_an_answer_counts_once() {
    for counted in [true, false] {
        let mut meter = asking(Class::Config, 10);
        decide_alone(&mut meter, NOW, 1).unwrap();
        assert_eq!(decide(&mut meter, NOW, 1), None);
        assert_eq!(meter.report(3, NOW).number, 2, "the same again");
        meter.answered(2, &Lent { counted, ..lent(0, 1, 60) }, NOW, NOW);
        assert_eq!(decide(&mut meter, NOW, 1), None, "that count was the other request's");
        let untold = if counted { vec![] } else { vec![(NOW / 1000, 1)] };
        assert_eq!(meter.report(4, NOW).uses, untold);
    }
}

#[test]
fn no_request_is_admitted_by_what_was_counted_long_before() {
    let late = |ms: i64| {
        let mut meter = asking(Class::Config, 10);
        let answer = Lent { time_us: (NOW + ms) * 1000, counted: true, ..lent(0, 1, 60) };
        meter.answered(2, &answer, NOW + ms, NOW + ms);
        decide(&mut meter, NOW + ms, 1)
    };
    assert!(late(1000).unwrap().is_ok());
    assert_eq!(late(2000), None, "it asks again");
}

#[test]
fn what_was_counted_and_not_used_does_not_outlive_the_answers_that_follow() {
    let mut meter = asking(Class::Config, 10);
    meter.answered(2, &Lent { counted: true, ..lent(0, 1, 60) }, NOW, NOW);
    let (later, time_us) = (NOW + 1900, (NOW + 1900) * 1000);
    meter.report(3, later);
    meter.answered(3, &Lent { time_us, ..lent(0, 1, 58) }, later, later);
    assert_eq!(decide(&mut meter, NOW + 2000, 1), None, "it asks again");
}

#[test]
fn many_operations_are_admitted_together_or_not_at_all() {
    let mut meter = asking(Class::Config, 10);
    meter.answered(2, &Lent { counted: true, ..lent(0, 1, 60) }, NOW, NOW);
    decide(&mut meter, NOW, 1).unwrap().unwrap();
    assert_eq!(decide(&mut meter, NOW, 9), None);
    assert_eq!(meter.report(3, NOW).asks, Some((NOW / 1000, 9)));
    meter.answered(3, &Lent { used: 2, ..lent(0, 2, 20) }, NOW, NOW);
    assert_eq!(decide(&mut meter, NOW, 9).unwrap().unwrap_err().reset_seconds, 20, "until nine can be had");
    assert_eq!(decide(&mut meter, NOW, 8), None, "fewer may fit");
    assert_eq!(meter.report(4, NOW).asks, Some((NOW / 1000, 8)));
    meter.answered(4, &Lent { counted: true, ..lent(0, 10, 20) }, NOW, NOW);
    assert_eq!(decide(&mut meter, NOW, 8).unwrap().unwrap().remaining, 0);
    assert!(decide(&mut meter, NOW, 1).unwrap().is_err());
    assert_eq!(meter.report(5, NOW).uses, [], "Redis has counted all of them");
}

#[test]
fn what_one_class_refuses_uses_nothing_of_another() {
    let mut meters = Meters::new(Limits::OFF.with(Class::Read, 5).with(Class::Write, 2));
    let mut ask = |reads, writes| {
        let needs = [(Class::Read, reads), (Class::Write, writes)];
        let decided = meters.decide("a", needs, NOW);
        decided.unwrap_or_else(|_| meters.decide_alone("a", needs, NOW))
    };
    assert_eq!(ask(3, 3).unwrap_err().class, Class::Write);
    let [reads, writes] = ask(5, 0).unwrap();
    assert_eq!((reads.unwrap().remaining, writes), (0, None));
    assert_eq!(ask(1, 1).unwrap_err().class, Class::Read);
    assert_eq!(ask(0, 2).unwrap()[1].unwrap().remaining, 0);
    assert_eq!(ask(0, 1).unwrap_err().class, Class::Write);
}

#[test]
fn every_api_key_and_class_has_a_meter_of_its_own_and_idle_ones_go() {
    let mut meters = Meters::new(Limits::OFF.with(Class::Read, 1).with(Class::Write, 1));
    let mut decide = |key: &str, class, now_ms| {
        let decided = meters.decide(key, [(class, 1)], now_ms);
        decided.unwrap_or_else(|_| meters.decide_alone(key, [(class, 1)], now_ms)).map(|[standing]| standing)
    };
    decide("a", Class::Read, NOW).unwrap().unwrap();
    decide("a", Class::Read, NOW).unwrap_err();
    decide("a", Class::Write, NOW).unwrap().unwrap();
    decide("A", Class::Read, NOW).unwrap().unwrap();
    assert_eq!(decide("a", Class::Bulk, NOW), Ok(None), "no limit");
    for other in 0..5000 {
        decide(&other.to_string(), Class::Read, NOW + 1000).unwrap().unwrap();
    }
    decide("4999", Class::Read, NOW + 1000).unwrap_err();
    decide("a", Class::Read, NOW + 1000).unwrap().expect("it was the one heard of least recently");
}

#[test]
fn a_sync_carries_first_what_a_request_waits_for() {
    let mut meters = Meters::new(Limits::default());
    for key in 0..100 {
        meters.decide_alone(&key.to_string(), [(Class::Read, 1)], NOW).unwrap();
    }
    assert_eq!(meters.decide("waiting", [(Class::Bulk, 1)], NOW), Err(Class::Bulk));
    let due = meters.due(NOW + 2000);
    assert_eq!(due.len(), 8);
    assert_eq!((due[0].class, due[0].limit, due[0].spare), (Class::Bulk, 100, 0));
    assert_eq!(due[0].name.len(), 32);
    assert!(due[0].name.bytes().all(|byte| byte.is_ascii_hexdigit()), "no API key is told");
}
