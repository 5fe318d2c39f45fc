//! Many containers share one limit.

use super::{Books, Terms, decide, decide_alone};
use crate::limits::{Class, LEASE_SECONDS, Limits, Report, WINDOW_SECONDS, meter::Meter};
use proptest::prelude::*;

/// Longest way of a request to Redis, and of a reply back, in ms.
const WAY_MS: i64 = 40;
/// True time at which a run begins, in ms.
const BEGIN_MS: i64 = 1_700_000_000_123;

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    /// Nothing happens for so many ms.
    Pause(i64),
    /// It becomes the second at which the oldest use of the window leaves it.
    UntilOneLeaves,
    /// So many requests, a few ms apart, meet a container. Each needs so many permits.
    Burst { container: usize, requests: u32, permits: u32, fate: Fate },
    /// A sync carries a container's report.
    Sync { container: usize, fate: Fate },
    /// A container ends with what it has not reported; another takes its place.
    Kill(usize),
    /// A request that was lost arrives after all.
    LateArrival,
}

/// What becomes of a request to Redis.
#[derive(Debug, Clone, Copy)]
struct Fate {
    answered: bool,
    arrives: bool,
    way_ms: i64,
    way_back_ms: i64,
}

/// When a request was admitted, in ms of true time.
#[derive(Debug, Clone, Copy)]
struct Admitted {
    at_ms: i64,
    /// By a lease, and not by the container alone.
    lease: bool,
    life: usize,
}

struct Container {
    meter: Meter,
    /// What its clock is ahead, in ms.
    skew_ms: i64,
    reports: u64,
    /// Tells apart the containers that take each other's place.
    life: usize,
}

struct Fleet {
    terms: Terms,
    now_ms: i64,
    books: Books,
    containers: Vec<Container>,
    lives: usize,
    lost: Vec<(usize, Report)>,
    admitted: Vec<Admitted>,
}

impl Fleet {
    fn new(limit: u32, skews_ms: &[i64]) -> Fleet {
        let spare = Limits::batch(limit) - 1;
        let terms = Terms { limit, spare, window: i64::from(WINDOW_SECONDS), life: i64::from(LEASE_SECONDS) };
        let container = |(life, skew_ms): (usize, &i64)| Container {
            meter: Meter::new(Class::Read, limit),
            skew_ms: *skew_ms,
            reports: 0,
            life,
        };
        let containers: Vec<_> = skews_ms.iter().enumerate().map(container).collect();
        let lives = containers.len();
        let (books, lost, admitted) = Default::default();
        Fleet { terms, now_ms: BEGIN_MS, books, containers, lives, lost, admitted }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Pause(ms) => self.now_ms += ms,
            Step::UntilOneLeaves => {
                let window = i64::from(WINDOW_SECONDS);
                let oldest = self.since(self.now_ms - window * 1000 + 1).last();
                let leaves_ms = oldest.map_or(0, |oldest| (oldest.at_ms / 1000 + window) * 1000);
                self.now_ms = self.now_ms.max(leaves_ms);
            }
            Step::Burst { container, requests, permits, fate } => {
                for _ in 0..*requests {
                    self.now_ms += 3;
                    self.request(*container, *permits, *fate);
                }
            }
            Step::Sync { container, fate } => {
                let own_ms = self.own_ms(*container);
                if self.containers[*container].meter.is_due(own_ms) {
                    self.ask(*container, *fate);
                }
            }
            Step::Kill(container) => {
                let (limit, life) = (self.terms.limit, self.lives);
                self.lives += 1;
                let container = &mut self.containers[*container];
                (container.meter, container.life) = (Meter::new(Class::Read, limit), life);
            }
            Step::LateArrival => {
                if let Some((life, report)) = self.lost.pop() {
                    let _ = self.books.renew(self.terms, life, &report, self.now_ms * 1000);
                }
            }
        }
    }

    fn request(&mut self, container: usize, permits: u32, fate: Fate) {
        for _ in 0..3 {
            let own_ms = self.own_ms(container);
            if let Some(decided) = decide(&mut self.containers[container].meter, own_ms, permits) {
                return self.decided(container, permits, decided.is_ok(), true);
            }
            if !self.ask(container, fate) {
                break;
            }
        }
        let own_ms = self.own_ms(container);
        let decided = decide_alone(&mut self.containers[container].meter, own_ms, permits);
        self.decided(container, permits, decided.is_ok(), false);
    }

    /// A round trip; whether it was answered.
    fn ask(&mut self, container: usize, fate: Fate) -> bool {
        let sent_ms = self.own_ms(container);
        let Container { meter, reports, life, .. } = &mut self.containers[container];
        *reports += 1;
        let report = meter.report(*reports, sent_ms);
        let life = *life;
        self.now_ms += fate.way_ms;
        if !fate.arrives {
            self.lost.push((life, report));
            return false;
        }
        let lent = self.books.renew(self.terms, life, &report, self.now_ms * 1000 + 999);
        self.now_ms += fate.way_back_ms;
        let received_ms = self.own_ms(container);
        let Some(lent) = lent.filter(|_| fate.answered) else { return false };
        self.containers[container].meter.answered(report.number, &lent, sent_ms, received_ms);
        true
    }

    fn own_ms(&self, container: usize) -> i64 {
        self.now_ms + self.containers[container].skew_ms
    }

    fn decided(&mut self, container: usize, permits: u32, admitted: bool, lease: bool) {
        let (at_ms, life) = (self.now_ms, self.containers[container].life);
        if admitted {
            self.admitted.extend((0..permits).map(|_| Admitted { at_ms, lease, life }));
            self.check_not_too_many(at_ms);
        } else {
            let window_ms = i64::from(WINDOW_SECONDS) * 1000;
            let within = self.since(at_ms - window_ms + 1).count();
            let limit = self.terms.limit;
            assert!(within + permits as usize > limit as usize, "{permits} are refused after {within} of {limit}");
        }
    }

    fn check_not_too_many(&self, at_ms: i64) {
        // Uses are placed in the second before, in which their request asked, and the way back of a reply too early.
        let window_ms = i64::from(WINDOW_SECONDS - 2) * 1000 - WAY_MS;
        let within: Vec<_> = self.since(at_ms - window_ms).collect();
        let mut lives: Vec<_> = within.iter().map(|admitted| admitted.life).collect();
        lives.sort_unstable();
        lives.dedup();
        let alone = within.iter().filter(|admitted| !admitted.lease).count();
        let bound = self.terms.limit as usize + lives.len() * self.terms.spare as usize + alone;
        assert!(within.len() <= bound, "{} admitted, {alone} of them alone, bound {bound}", within.len());
    }

    fn since(&self, from_ms: i64) -> impl Iterator<Item = &Admitted> {
        self.admitted.iter().rev().take_while(move |admitted| admitted.at_ms >= from_ms)
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    let outcome = prop_oneof![8 => Just((true, true)), 1 => Just((true, false)), 1 => Just((false, false))];
    (outcome, 0..WAY_MS, 0..WAY_MS).prop_map(|((arrives, answered), way_ms, way_back_ms)| Fate {
        answered,
        arrives,
        way_ms,
        way_back_ms,
    })
}

fn step(containers: usize, limit: u32) -> impl Strategy<Value = Step> {
    let pause = prop_oneof![0_i64..200, 0_i64..3000, 3000_i64..90_000];
    prop_oneof![
        4 => pause.prop_map(Step::Pause),
        4 => Just(Step::UntilOneLeaves),
        8 => (0..containers, 1..=limit / 3 + 1, fate())
            .prop_map(|(container, requests, fate)| Step::Burst { container, requests, permits: 1, fate }),
        4 => (0..containers, 1..=limit.min(3), 1..=limit / 2 + 1, fate())
            .prop_map(|(container, requests, permits, fate)| Step::Burst { container, requests, permits, fate }),
        3 => (0..containers, fate()).prop_map(|(container, fate)| Step::Sync { container, fate }),
        1 => (0..containers).prop_map(Step::Kill),
        1 => Just(Step::LateArrival),
    ]
}

fn run() -> impl Strategy<Value = (u32, Vec<i64>, Vec<Step>)> {
    let limit = prop_oneof![Just(1_u32), Just(10), Just(100), Just(400)];
    (limit, prop::collection::vec(-3000_i64..3000, 1..6)).prop_flat_map(|(limit, skews)| {
        let steps = prop::collection::vec(step(skews.len(), limit), 1..60);
        (Just(limit), Just(skews), steps)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn never_too_few_and_hardly_too_many((limit, skews_ms, steps) in run()) {
        let mut fleet = Fleet::new(limit, &skews_ms);
        for step in &steps {
            fleet.run(step);
        }
    }
}
