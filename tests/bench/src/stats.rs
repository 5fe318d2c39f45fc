//! Medians and their spread.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Samples in brief.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Half of the samples are below.
    pub median: f64,
    /// A tenth of the samples is below.
    pub p10: f64,
    /// A tenth of the samples is above.
    pub p90: f64,
    /// How many there are.
    pub samples: usize,
}

impl Summary {
    /// Sums up `samples`, of which there is at least one.
    pub fn of(mut samples: Vec<f64>) -> Summary {
        samples.sort_by(f64::total_cmp);
        let at = |percent: usize| samples[(samples.len() - 1) * percent / 100];
        Summary { median: at(50), p10: at(10), p90: at(90), samples: samples.len() }
    }

    /// Sums up how much more the first of each pair is.
    pub fn of_differences(pairs: &[(f64, f64)]) -> Summary {
        Summary::of(pairs.iter().map(|(more, less)| more - less).collect())
    }

    /// One value that was measured once.
    pub fn single(value: f64) -> Summary {
        Summary::of(vec![value])
    }
}

/// How long one batch of a library part lasts: long against the clock's resolution, short against what else the
/// machine does.
const BATCH: Duration = Duration::from_millis(4);
/// Batches per side.
const ROUNDS: usize = 31;
/// Calls per side where each call is prepared.
pub const PREPARED_TURNS: usize = 101;
/// The same where each call is a hundred operations.
pub const FEW_TURNS: usize = 31;

/// Times `ours` and `baseline` in turns; microseconds per call.
pub fn in_turns(ours: impl FnMut(), baseline: impl FnMut()) -> (Summary, Summary) {
    sides(rounds(ours, baseline))
}

/// Times a call of `ours` and one of `baseline` in so many turns, each of what `prepare` has made ready for both; microseconds.
/// For what is not the same when it is done again.
pub fn prepared_in_turns<T>(
    turns: usize,
    mut prepare: impl FnMut() -> T,
    mut ours: impl FnMut(&T),
    mut baseline: impl FnMut(&T),
) -> (Summary, Summary) {
    let turn = |_| {
        let ready = prepare();
        (per_call(1, &mut || ours(&ready)), per_call(1, &mut || baseline(&ready)))
    };
    sides((0..turns).map(turn).collect())
}

/// The same as [`in_turns`], turn by turn.
pub fn rounds(mut ours: impl FnMut(), mut baseline: impl FnMut()) -> Vec<(f64, f64)> {
    let (our_calls, baseline_calls) = (calls_per_batch(&mut ours), calls_per_batch(&mut baseline));
    (0..ROUNDS).map(|_| (per_call(our_calls, &mut ours), per_call(baseline_calls, &mut baseline))).collect()
}

/// Sums up each side of what was measured turn by turn.
pub fn sides(rounds: Vec<(f64, f64)>) -> (Summary, Summary) {
    let (ours, baseline) = rounds.into_iter().unzip();
    (Summary::of(ours), Summary::of(baseline))
}

fn calls_per_batch(call: &mut impl FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        if start.elapsed() >= BATCH {
            return calls;
        }
        calls *= 2;
    }
}

fn per_call(calls: u32, call: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| call());
    micros(start.elapsed()) / f64::from(calls)
}

/// A duration in microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// So many percent of `times`, of which there is at least one, are at most so long, in microseconds.
pub fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    micros(times[(times.len() - 1) * percent / 100])
}

/// The slope of a straight line through the logarithms of x and y by least squares: how many times as steep as y = x.
/// `None` for fewer than two points above 0.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let points = points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln()));
    let points: Vec<_> = points.collect();
    #[allow(clippy::cast_precision_loss, reason = "there are few points")]
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let across: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (points.len() > 1 && across > 0.0).then(|| both / across)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_up_in_any_order() {
        let summary = Summary::of((1..=101).rev().map(f64::from).collect());
        assert_eq!(summary, Summary { median: 51.0, p10: 11.0, p90: 91.0, samples: 101 });
        assert_eq!(Summary::of_differences(&[(3.0, 1.0), (9.0, 4.0), (7.0, 6.0)]).median, 2.0);
        assert_eq!(Summary::single(3.0), Summary { median: 3.0, p10: 3.0, p90: 3.0, samples: 1 });
    }

    #[test]
    fn what_is_prepared_is_for_both_sides_once() {
        let (mut prepared, mut ours, mut theirs) = (0, Vec::new(), Vec::new());
        let next = || {
            prepared += 1;
            prepared
        };
        let (strata, baseline) =
            prepared_in_turns(PREPARED_TURNS, next, |number| ours.push(*number), |number: &usize| theirs.push(*number));
        assert_eq!((strata.samples, baseline.samples), (PREPARED_TURNS, PREPARED_TURNS));
        assert_eq!((&ours, ours.last()), (&theirs, Some(&PREPARED_TURNS)));
    }

    #[test]
    fn a_slope_is_of_what_multiplies() {
        let near =
            |points: &[(f64, f64)], expected: f64| slope(points).is_some_and(|found| (found - expected).abs() < 1e-9);
        assert!(near(&[(1.0, 7.0), (10.0, 7.0), (1000.0, 7.0)], 0.0));
        assert!(near(&[(1.0, 3.0), (10.0, 30.0), (100.0, 300.0)], 1.0));
        assert!(near(&[(2.0, 4.0), (3.0, 9.0), (5.0, 25.0), (7.0, 0.0)], 2.0), "nothing has no logarithm");
        assert_eq!((slope(&[(1.0, 2.0)]), slope(&[(1.0, 2.0), (1.0, 3.0)]), slope(&[])), (None, None, None));
    }
}
