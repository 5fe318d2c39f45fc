//! One limit of one API key, as one container knows it.

use super::{Class, LEASE_SECONDS, Limits, Standing, WINDOW_SECONDS};
use std::collections::VecDeque;

/// Seconds of the window, as a difference of times.
const WINDOW: i64 = WINDOW_SECONDS as i64;
/// How long a lease may be used, in ms.
const LEASE_MS: i64 = LEASE_SECONDS as i64 * 1000;
/// How old a use that Redis has counted may be for a request to be admitted by it, in seconds: the time that a request
/// takes to ask. An older one leaves the window so much before what is admitted now.
const COUNTED_SECONDS: i64 = 2;
/// How long a busy container keeps what it used to itself when syncs could carry it, in ms.
const REPORT_MS: i64 = 1000;

/// What a container has used of one limit, and what it was lent.
#[derive(Debug)]
pub(crate) struct Meter {
    class: Class,
    limit: u32,
    /// Own uses of the last window, oldest first.
    spent: VecDeque<Spent>,
    /// How many of them no report has.
    untold: u32,
    pending: Option<Pending>,
    /// When Redis answered last.
    told_ms: i64,
    /// What must be added to this container's time to get that of Redis. `None` before Redis answered for the first
    /// time: until then uses are kept by this container's seconds.
    ahead: Option<Ahead>,
    lease: Lease,
    /// No request is admitted in this time.
    refused: Span,
    /// Requests of the fleet in the window as of the last answer.
    used: u32,
    /// When used permits begin to come back, or one can be had again; never too early.
    back_ms: i64,
    /// A request waits for a lease.
    wanted: bool,
}

/// By how much a clock is ahead of another, in ms. The reply took some of the time that the round trip took: nobody
/// knows how much.
#[derive(Debug, Default, Clone, Copy)]
struct Ahead {
    /// As if the reply had taken all of it.
    at_least: i64,
    /// As if the reply had taken none of it.
    at_most: i64,
}

/// Uses within one second of Redis time, or earlier than that: never later.
#[derive(Debug, Clone, Copy)]
struct Spent {
    second: i64,
    uses: u32,
    untold: u32,
}

/// Permits that may be used without asking.
#[derive(Debug, Default)]
struct Lease {
    /// Whether Redis has counted the request that asked, just now.
    counted: bool,
    granted: u32,
    left: u32,
    life: Span,
}

/// A time of this container, in ms. A clock that went back is outside of it.
#[derive(Debug, Default, Clone, Copy)]
struct Span {
    from_ms: i64,
    until_ms: i64,
}

impl Span {
    fn has(self, now_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
    }
}

/// What a container tells Redis of its uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Greater than that of every earlier report of this container.
    pub number: u64,
    /// The second of Redis time, or an earlier one, at which a request asks to be counted.
    pub asks: Option<i64>,
    /// Uses by second of Redis time.
    pub uses: Vec<(i64, u32)>,
}

/// A report that Redis has not answered yet. It is sent again as it is, because it may have been counted.
#[derive(Debug)]
struct Pending {
    report: Report,
    /// When the request that asks was admitted without an answer, in seconds of Redis time.
    admitted: Option<i64>,
}

/// What Redis answers to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lent {
    /// Redis TIME in microseconds.
    pub time_us: i64,
    /// Permits to use.
    pub granted: u32,
    /// Whether the request that asks was counted; never when as many as the limit had been.
    pub counted: bool,
    /// Requests of the last window that Redis knows of.
    pub used: u32,
    /// The second at which used permits begin to come back, or, when the limit is reached, one can be had again.
    pub back: i64,
}

impl Meter {
    pub(crate) fn new(class: Class, limit: u32) -> Meter {
        Meter {
            class,
            limit,
            spent: VecDeque::new(),
            untold: 0,
            pending: None,
            told_ms: i64::MIN,
            ahead: None,
            lease: Lease::default(),
            refused: Span::default(),
            used: 0,
            back_ms: i64::MIN,
            wanted: false,
        }
    }

    /// Admits or refuses a request without asking anybody; `None` when Redis must be asked.
    pub(crate) fn decide(&mut self, now_ms: i64) -> Option<Result<Standing, Standing>> {
        let may_use = self.lease.life.has(now_ms);
        if may_use && std::mem::take(&mut self.lease.counted) {
            self.spend(now_ms, false);
            return Some(Ok(self.standing(now_ms, self.limit.saturating_sub(self.used + self.untold))));
        }
        if self.refused.has(now_ms) {
            return Some(Err(self.standing(now_ms, 0)));
        }
        if may_use && self.lease.left > 0 {
            self.lease.left -= 1;
            self.spend(now_ms, true);
            // A lease proves that permits were left, whatever the count of a moment ago.
            let remaining = self.limit.saturating_sub(self.used + self.untold).max(self.lease.left);
            return Some(Ok(self.standing(now_ms, remaining)));
        }
        if self.untold == 0 && self.own(now_ms) >= self.limit {
            return Some(Err(self.standing(now_ms, 0)));
        }
        self.wanted = true;
        None
    }

    /// Admits or refuses a request that [`decide`](Meter::decide) left open, by this container's own uses alone: Redis
    /// cannot be asked.
    pub(crate) fn decide_alone(&mut self, now_ms: i64) -> Result<Standing, Standing> {
        self.wanted = false;
        let left = self.limit.saturating_sub(self.own(now_ms)).checked_sub(1);
        let Some(left) = left else { return Err(self.standing(now_ms, 0)) };
        // Redis may have counted the request that asked, and will say so.
        let second = self.second(now_ms);
        let asked = self.pending.as_mut().filter(|pending| pending.report.asks.is_some() && pending.admitted.is_none());
        let is_told = asked.map(|pending| pending.admitted = Some(second)).is_some();
        self.spend(now_ms, !is_told);
        Ok(self.standing(now_ms, left))
    }

    /// Own uses of the last window; sets when they come back.
    fn own(&mut self, now_ms: i64) -> u32 {
        let ahead = self.ahead.unwrap_or_default();
        // What may have left the window has left it.
        let second = (now_ms + ahead.at_most).div_euclid(1000);
        let window = || self.spent.iter().filter(|spent| (second - WINDOW + 1..=second).contains(&spent.second));
        let own = window().map(|spent| spent.uses).sum();
        let mut left = own;
        let mut leaving = window().skip_while(|spent| {
            left -= spent.uses;
            left >= self.limit
        });
        let back = leaving.next().map_or(second, |spent| spent.second) + WINDOW;
        self.back_ms = back * 1000 - ahead.at_least;
        own
    }

    /// Whether the next sync should carry a report: a request waits, or the lease runs low, or uses were kept for long.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let low = self.lease.left <= self.lease.granted / 2;
        let kept_ms = now_ms.saturating_sub(self.told_ms);
        self.wanted || (self.untold > 0 && (low || !(0..REPORT_MS).contains(&kept_ms)))
    }

    /// Whether a request waits for a lease.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The report to send: the one that was not answered, or a new one with this number.
    pub(crate) fn report(&mut self, number: u64, now_ms: i64) -> Report {
        if let Some(pending) = &self.pending {
            return pending.report.clone();
        }
        // Before Redis has told its time, it could not be told when anything was.
        let is_timed = self.ahead.is_some();
        // What is refused in any case must not be counted.
        let may_ask = is_timed && self.wanted && self.own(now_ms) < self.limit;
        let report = Report {
            number,
            asks: may_ask.then(|| self.second(now_ms)),
            uses: if is_timed { self.tell() } else { Vec::new() },
        };
        self.pending = Some(Pending { report: report.clone(), admitted: None });
        report
    }

    /// Takes what no report has.
    fn tell(&mut self) -> Vec<(i64, u32)> {
        self.untold = 0;
        let untold = self.spent.iter_mut().filter(|spent| spent.untold > 0);
        untold.map(|spent| (spent.second, std::mem::take(&mut spent.untold))).collect()
    }

    /// Takes in the answer to the report `number`, which was sent and answered at these times. An answer to any other
    /// report than the one that is waited for says nothing.
    pub(crate) fn answered(&mut self, number: u64, lent: &Lent, sent_ms: i64, received_ms: i64) {
        let Some(pending) = self.pending.take_if(|pending| pending.report.number == number) else { return };
        self.wanted = false;
        self.told_ms = received_ms;
        let time_ms = lent.time_us.div_euclid(1000);
        self.learn_time(Ahead { at_least: time_ms - received_ms, at_most: time_ms + 1 - sent_ms });
        self.used = lent.used;
        if let Some(second) = pending.admitted.filter(|_| !lent.counted) {
            self.owe(second);
        }
        let second = self.second(received_ms);
        let is_fresh = pending.report.asks.is_some_and(|asks| second - asks <= COUNTED_SECONDS);
        self.lease = Lease {
            counted: lent.counted && is_fresh && pending.admitted.is_none(),
            granted: lent.granted,
            // Uses since the report was made came from the lease before.
            left: lent.granted.saturating_sub(self.untold),
            life: Span { from_ms: sent_ms, until_ms: sent_ms + LEASE_MS },
        };
        let wait_ms = lent.back * 1000 - (lent.time_us + 999).div_euclid(1000);
        self.back_ms = received_ms + wait_ms;
        let is_reached = lent.used >= self.limit;
        self.refused = Span { from_ms: sent_ms, until_ms: if is_reached { sent_ms + wait_ms } else { sent_ms } };
    }

    /// Reports with the others a use that Redis was thought to know of.
    fn owe(&mut self, second: i64) {
        if let Some(spent) = self.spent.iter_mut().find(|spent| spent.second == second) {
            spent.untold += 1;
            self.untold += 1;
        }
    }

    /// Whether nothing is known that would be missed.
    pub(crate) fn is_idle(&self, now_ms: i64) -> bool {
        let second = self.second(now_ms);
        self.spent.iter().all(|spent| spent.second <= second - WINDOW)
    }

    /// When a permit was used last, in seconds of Redis time.
    pub(crate) fn last_spent(&self) -> i64 {
        self.spent.back().map_or(i64::MIN, |spent| spent.second)
    }

    fn learn_time(&mut self, ahead: Ahead) {
        if self.ahead.is_none() {
            for spent in &mut self.spent {
                spent.second = (spent.second * 1000 + ahead.at_least).div_euclid(1000);
            }
        }
        self.ahead = Some(ahead);
    }

    fn spend(&mut self, now_ms: i64, is_untold: bool) {
        let (second, untold) = (self.second(now_ms), u32::from(is_untold));
        self.untold += untold;
        match self.spent.back_mut() {
            Some(last) if last.second >= second => {
                last.uses += 1;
                last.untold += untold;
            }
            _ => {
                self.forget(second);
                self.spent.push_back(Spent { second, uses: 1, untold });
            }
        }
    }

    /// Drops what has left the window.
    fn forget(&mut self, second: i64) {
        while let Some(oldest) = self.spent.front().filter(|oldest| oldest.second <= second - WINDOW) {
            self.untold -= oldest.untold;
            self.spent.pop_front();
        }
    }

    /// The second of Redis time, or the one before it.
    fn second(&self, now_ms: i64) -> i64 {
        (now_ms + self.ahead.unwrap_or_default().at_least).div_euclid(1000)
    }

    fn standing(&self, now_ms: i64, remaining: u32) -> Standing {
        let wait_ms = self.back_ms.saturating_sub(now_ms).clamp(1, WINDOW * 1000);
        let reset_seconds = u32::try_from(wait_ms).unwrap_or(1).div_ceil(1000);
        Standing { class: self.class, limit: self.limit, remaining, reset_seconds }
    }

    /// Most permits to borrow; the request that asks is counted besides.
    pub(crate) fn spare(&self) -> u32 {
        Limits::batch(self.limit) - 1
    }

    /// The limit.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }
}
