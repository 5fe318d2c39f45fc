//! One limit of one API key, as one container knows it.

use super::{Class, LEASE_SECONDS, Limits, Standing, WINDOW_SECONDS};
use std::collections::VecDeque;

/// Seconds of the window, as a difference of times.
const WINDOW: i64 = WINDOW_SECONDS as i64;
/// How long a lease may be used, in ms.
const LEASE_MS: i64 = LEASE_SECONDS as i64 * 1000;
/// How many seconds before a request a use may have been counted by Redis that admits it: the time that a request takes to
/// ask. The use leaves the window so much earlier.
const COUNTED_SECONDS: i64 = 1;
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
    /// No request is admitted in this time that needs so many permits or more.
    refused: Span,
    refused_from: u32,
    /// Requests of the fleet in the window as of the last answer.
    used: u32,
    /// When used permits begin to come back, or one can be had again; never too early.
    back_ms: i64,
    /// So many permits does a request need that waits for a lease; 0 when none waits.
    wanted: u32,
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
    /// Permits that Redis has counted as used for the request that asked.
    counted: u32,
    /// The second of Redis time, or an earlier one, in which it has counted the first of them.
    counted_second: i64,
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
    /// The second of Redis time, or an earlier one, at which a request asks to be counted, and the permits it needs.
    pub asks: Option<(i64, u32)>,
    /// Uses by second of Redis time.
    pub uses: Vec<(i64, u32)>,
}

/// A report that Redis has not answered yet. It is sent again as it is, because it may have been counted.
#[derive(Debug)]
struct Pending {
    report: Report,
    /// When the request that asks was admitted without an answer, in seconds of Redis time, and its permits.
    admitted: Option<(i64, u32)>,
}

/// What Redis answers to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lent {
    /// Redis TIME in microseconds.
    pub time_us: i64,
    /// Permits to use.
    pub granted: u32,
    /// Whether the request that asks was counted; never when its permits, and those that had been used, are more than the
    /// limit.
    pub counted: bool,
    /// Requests of the last window that Redis knows of.
    pub used: u32,
    /// The second at which used permits begin to come back; or, when the limit is reached, one can be had again; or, when the
    /// request was not counted, as many as it needs.
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
            refused_from: 1,
            used: 0,
            back_ms: i64::MIN,
            wanted: 0,
        }
    }

    /// Whether a request that needs so many permits, at least one, may go on, without asking anybody; `None` when Redis must
    /// be asked. It has used nothing before it [takes](Meter::take) them.
    pub(crate) fn decide(&mut self, now_ms: i64, permits: u32) -> Option<Result<(), Standing>> {
        let may_use = self.lease.life.has(now_ms);
        // What Redis has counted already is used up first, also while nobody else is admitted.
        let more = permits.saturating_sub(self.counted(now_ms));
        if more == 0 {
            return Some(Ok(()));
        }
        if self.refused.has(now_ms) && more >= self.refused_from {
            return Some(Err(self.standing(now_ms, 0)));
        }
        if may_use && more <= self.lease.left {
            return Some(Ok(()));
        }
        if self.untold == 0 && self.own(now_ms, permits).saturating_add(permits) > self.limit {
            return Some(Err(self.standing(now_ms, 0)));
        }
        self.wanted = more;
        None
    }

    /// Permits that Redis has counted as used, and nobody has used.
    fn counted(&self, now_ms: i64) -> u32 {
        let is_fresh = self.second(now_ms) - self.lease.counted_second <= COUNTED_SECONDS;
        if is_fresh && self.lease.life.has(now_ms) { self.lease.counted } else { 0 }
    }

    /// Uses permits that a request was told it [may](Meter::decide) use, just now.
    pub(crate) fn take(&mut self, now_ms: i64, permits: u32) -> Standing {
        let counted = permits.min(self.counted(now_ms));
        let lent = permits - counted;
        self.lease.counted -= counted;
        self.lease.left = self.lease.left.saturating_sub(lent);
        self.spend(now_ms, counted, 0);
        self.spend(now_ms, lent, lent);
        let remaining = self.limit.saturating_sub(self.used + self.untold);
        // A lease proves that permits were left, whatever the count of a moment ago.
        self.standing(now_ms, if lent > 0 { remaining.max(self.lease.left) } else { remaining })
    }

    /// Whether a request that [`decide`](Meter::decide) left open may go on, by this container's own uses alone: Redis cannot
    /// be asked.
    pub(crate) fn decide_alone(&mut self, now_ms: i64, permits: u32) -> Result<(), Standing> {
        self.wanted = 0;
        let fits = self.own(now_ms, permits).saturating_add(permits) <= self.limit;
        if fits { Ok(()) } else { Err(self.standing(now_ms, 0)) }
    }

    /// Uses permits that a request was told it [may](Meter::decide_alone) use, just now.
    pub(crate) fn take_alone(&mut self, now_ms: i64, permits: u32) -> Standing {
        let counted = permits.min(self.counted(now_ms));
        let more = permits - counted;
        self.lease.counted -= counted;
        self.spend(now_ms, counted, 0);
        // Redis may have counted the request that asked, and will say so.
        let used = (self.second(now_ms), more);
        let asked = self.pending.as_mut().filter(|pending| {
            pending.admitted.is_none() && pending.report.asks.is_some_and(|(_, asked)| asked == more)
        });
        let is_told = asked.map(|pending| pending.admitted = Some(used)).is_some();
        self.spend(now_ms, more, if is_told { 0 } else { more });
        let left = self.limit.saturating_sub(self.own(now_ms, 1));
        self.standing(now_ms, left)
    }

    /// Own uses of the last window; sets when so many permits can be had again.
    fn own(&mut self, now_ms: i64, permits: u32) -> u32 {
        let ahead = self.ahead.unwrap_or_default();
        // What may have left the window has left it.
        let second = (now_ms + ahead.at_most).div_euclid(1000);
        let window = || self.spent.iter().filter(|spent| (second - WINDOW + 1..=second).contains(&spent.second));
        let own = window().map(|spent| spent.uses).sum();
        let mut left: u32 = own;
        let mut leaving = window().skip_while(|spent| {
            left -= spent.uses;
            left.saturating_add(permits) > self.limit
        });
        let back = leaving.next().map_or(second, |spent| spent.second) + WINDOW;
        self.back_ms = back * 1000 - ahead.at_least;
        own
    }

    /// Whether the next sync should carry a report: a request waits, or the lease runs low, or uses were kept for long.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let low = self.lease.left <= self.lease.granted / 2;
        let kept_ms = now_ms.saturating_sub(self.told_ms);
        self.is_wanted() || (self.untold > 0 && (low || !(0..REPORT_MS).contains(&kept_ms)))
    }

    /// Whether a request waits for a lease.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted > 0
    }

    /// The report to send: the one that was not answered, or a new one with this number.
    pub(crate) fn report(&mut self, number: u64, now_ms: i64) -> Report {
        if let Some(pending) = &self.pending {
            return pending.report.clone();
        }
        // Before Redis has told its time, it could not be told when anything was.
        let is_timed = self.ahead.is_some();
        // What is refused in any case must not be counted.
        let wanted = self.wanted;
        let fits = is_timed && wanted > 0 && self.own(now_ms, wanted).saturating_add(wanted) <= self.limit;
        let report = Report {
            number,
            asks: fits.then(|| (self.second(now_ms), wanted)),
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
        self.wanted = 0;
        self.told_ms = received_ms;
        let time_ms = lent.time_us.div_euclid(1000);
        self.learn_time(Ahead { at_least: time_ms - received_ms, at_most: time_ms + 1 - sent_ms });
        self.used = lent.used;
        if let Some((second, permits)) = pending.admitted.filter(|_| !lent.counted) {
            self.owe(second, permits);
        }
        // What was counted for one that then did not go on, for want of another permit, is there for the next.
        let kept = Some((self.lease.counted_second, self.counted(received_ms))).filter(|(_, permits)| *permits > 0);
        let asked = pending.report.asks.filter(|_| pending.admitted.is_none() && lent.counted);
        let counted = || kept.into_iter().chain(asked);
        self.lease = Lease {
            counted: counted().map(|(_, permits)| permits).sum(),
            counted_second: counted().map(|(second, _)| second).min().unwrap_or_default(),
            granted: lent.granted,
            // Uses since the report was made came from the lease before.
            left: lent.granted.saturating_sub(self.untold),
            life: Span { from_ms: sent_ms, until_ms: sent_ms + LEASE_MS },
        };
        let wait_ms = lent.back * 1000 - (lent.time_us + 999).div_euclid(1000);
        self.back_ms = received_ms + wait_ms;
        let refused = pending.report.asks.filter(|_| !lent.counted).map(|(_, permits)| permits);
        self.refused_from = refused.unwrap_or(1);
        let is_reached = lent.used.saturating_add(self.refused_from) > self.limit;
        self.refused = Span { from_ms: sent_ms, until_ms: if is_reached { sent_ms + wait_ms } else { sent_ms } };
    }

    /// Reports with the others uses that Redis was thought to know of.
    fn owe(&mut self, second: i64, permits: u32) {
        if let Some(spent) = self.spent.iter_mut().find(|spent| spent.second == second) {
            spent.untold += permits;
            self.untold += permits;
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

    /// Writes down uses, of which Redis does not know so many.
    fn spend(&mut self, now_ms: i64, uses: u32, untold: u32) {
        if uses == 0 {
            return;
        }
        let second = self.second(now_ms);
        self.untold += untold;
        match self.spent.back_mut() {
            Some(last) if last.second >= second => {
                last.uses += uses;
                last.untold += untold;
            }
            _ => {
                self.forget(second);
                self.spent.push_back(Spent { second, uses, untold });
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
