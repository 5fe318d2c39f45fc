//! What a container tells the fleet, each thing at most once.
//!
//! A report has a number, and Redis takes each number of a container once. A report whose fate is unknown is sent again
//! as it is; what has been counted since waits for the next. So nothing is counted twice, and nothing is lost but what
//! could not be delivered for ten minutes, and what a container had not told when it ended.
//!
//! What a mutation has changed in L3 is told before the mutation is acknowledged, for its container may not be asked again
//! for long; counts of reads can wait.

use super::{Counters, Counts, RowChanges, RowTally};
use crate::{
    chance,
    lock::{Held, Lock, whole},
    memory::Usage,
};

/// Counts are told at least so far apart, in ms: while every read syncs (Δ = 0) not each of them pays for that.
const INTERVAL_MS: i64 = 1000;
/// A report that could not be delivered for so long, in ms, is dropped: some minutes later Redis forgets its
/// container, and with it that it had the report already.
const PATIENCE_MS: i64 = 600_000;

/// What one container tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Which container.
    pub container: String,
    /// Which of its reports; greater than that of every report before.
    pub number: u64,
    /// What it has counted since the last one.
    pub counts: Counts,
    /// What it has changed in L3 since the last one.
    pub rows: RowChanges,
    /// What its L1 holds.
    pub held: Holding,
}

/// What an L1 holds, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Holding {
    /// Now.
    pub usage: Usage,
    /// What of it will have expired by when; see [`Memory::forecast`](crate::memory::Memory::forecast).
    pub forecast: Vec<(i64, Usage)>,
}

/// Makes the reports of one container.
#[derive(Debug)]
pub(crate) struct Reporter {
    container: String,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the newest report.
    number: u64,
    /// What all reports up to it have told.
    told: Counts,
    made_ms: Option<i64>,
    /// The newest report, while it is not known to have arrived.
    pending: Option<Report>,
}

impl Reporter {
    pub(crate) fn new() -> Reporter {
        Reporter { container: chance::name(), state: Lock::default() }
    }

    /// What this container calls itself.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// The report to send at `now_ms`, if one is due; `held` says what L1 holds.
    pub(crate) fn report(
        &self,
        counters: &Counters,
        rows: &RowTally,
        held: impl FnOnce() -> Holding,
        now_ms: i64,
    ) -> Option<Report> {
        let mut state = self.state();
        let age_ms = state.made_ms.map(|made_ms| now_ms.saturating_sub(made_ms));
        if let Some(pending) = state.pending.as_ref().filter(|_| age_ms.is_some_and(|age| age < PATIENCE_MS)) {
            return Some(pending.clone());
        }
        let rows = rows.take();
        let mut counts = Counts::default();
        if !age_ms.is_some_and(|age| (0..INTERVAL_MS).contains(&age)) {
            let counted = counters.read();
            counts = counted.since(&state.told);
            state.told = counted;
            state.made_ms = Some(now_ms);
        } else if rows == RowChanges::default() {
            return None;
        }
        state.number += 1;
        let report = Report { container: self.container.clone(), number: state.number, counts, rows, held: held() };
        state.pending = Some(report.clone());
        Some(report)
    }

    /// The report of that number has arrived.
    pub(crate) fn arrived(&self, number: u64) {
        let mut state = self.state();
        if state.pending.as_ref().is_some_and(|pending| pending.number == number) {
            state.pending = None;
        }
    }

    /// A panic leaves at most one report out, or what one of them counted.
    fn state(&self) -> Held<'_, State> {
        self.state.enter(whole)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::stats::Count;

    fn report(reporter: &Reporter, counters: &Counters, now_ms: i64) -> Option<(u64, u64)> {
        let report = reporter.report(counters, &RowTally::default(), Holding::default, now_ms)?;
        Some((report.number, report.counts[Count::L1Hits]))
    }

    #[test]
    fn every_count_is_told_once() {
        let (reporter, counters) = (Reporter::new(), Counters::default());
        counters.add(Count::L1Hits, 2);
        assert_eq!(report(&reporter, &counters, 0), Some((1, 2)));
        counters.add(Count::L1Hits, 3);
        assert_eq!(report(&reporter, &counters, 500), Some((1, 2)), "sent again as it was");
        reporter.arrived(1);
        assert_eq!(report(&reporter, &counters, 999), None, "not due");
        assert_eq!(report(&reporter, &counters, 1000), Some((2, 3)));
        reporter.arrived(1);
        assert_eq!(report(&reporter, &counters, 1001), Some((2, 3)), "the second has not arrived");
        counters.add(Count::L1Hits, 1);
        assert_eq!(report(&reporter, &counters, 601_000), Some((3, 1)), "it is given up");
    }

    #[test]
    fn what_has_changed_in_l3_is_told_at_once_and_counts_when_it_is_their_time() {
        let (reporter, counters, rows) = (Reporter::new(), Counters::default(), RowTally::default());
        let report = |now_ms| {
            let report = reporter.report(&counters, &rows, Holding::default, now_ms)?;
            reporter.arrived(report.number);
            Some((report.rows.entries, report.counts[Count::L1Hits]))
        };
        assert_eq!(report(0), Some((0, 0)));
        counters.add(Count::L1Hits, 1);
        rows.stored(10, 100);
        assert_eq!(report(100), Some((1, 0)));
        assert_eq!(report(200), None, "nothing has changed");
        rows.stored(10, 300);
        assert_eq!(report(1000), Some((1, 1)));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_stop_reports() {
        let (reporter, counters) = (Reporter::new(), Counters::default());
        report(&reporter, &counters, 10_000).unwrap();
        reporter.arrived(1);
        assert!(report(&reporter, &counters, 5_000).is_some());
    }
}
