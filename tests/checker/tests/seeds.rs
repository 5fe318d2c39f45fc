//! Seeded runs under faults. `SEED=n` runs one of them again, though what is concurrent in it may go another way.

use std::time::Duration;

use strata_checker::report::describe;
use strata_checker::{Fault, Setup, Verdict, soak::soak};

/// One after another, so that one fault after another comes first in them. Those for which there is no time here have
/// their runs in `planted`.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;
/// A stack for each: with a window that most reads come after, with the default, and with none.
const WINDOWS: [Duration; 3] = [Duration::from_millis(300), Duration::from_millis(1000), Duration::ZERO];

#[tokio::test(flavor = "multi_thread")]
async fn no_read_breaks_a_promise() {
    let wanted = std::env::var("SEED").ok().map(|seed| seed.parse().expect("SEED is a number"));
    let setups = WINDOWS.map(Setup::keeping);
    let stacks = if wanted.is_some() { &setups[..1] } else { &setups };
    let tally = soak(stacks, wanted.map_or(SEEDS, |seed: u64| seed..=seed), say).await;
    assert_eq!(tally.unexplained, 0, "{}", tally.markdown());
    assert!(tally.warm_jobs > 0, "{}", tally.markdown());
}

/// The judge is tested on histories made by hand; this is that a real one gets to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_is_not_kept_is_found() {
    let faults = vec![Fault::ContainerRests];
    let broken = Setup { promise: Duration::ZERO, faults, warming: false, ..Setup::keeping(Duration::from_secs(60)) };
    let tally = soak(&[broken], [1, 2], |_| ()).await;
    assert!(tally.unexplained > 0, "{}", tally.markdown());
}

fn say(verdict: &Verdict) {
    eprintln!("{}", describe(verdict));
}
