//! Many runs, one after another on each stack.

use std::sync::Mutex;

use futures_util::future::join_all;

use crate::report::Tally;
use crate::rig::{Rig, Setup};
use crate::run::{Verdict, run};

/// Runs one seed after another on a stack of their own, until something is wrong that nothing explains.
pub async fn hunt(setup: &Setup, seeds: impl IntoIterator<Item = u64>) -> Option<Verdict> {
    let mut rig = Rig::start(setup).await;
    for seed in seeds {
        let verdict = run(&rig, seed).await;
        if verdict.unexplained().next().is_some() {
            return Some(verdict);
        }
        if leaves_much(&verdict) {
            rig = Rig::start(setup).await;
        }
    }
    None
}

fn leaves_much(verdict: &Verdict) -> bool {
    verdict.faults.iter().any(|fault| fault.spoils_stack())
}

/// Runs the seeds on one stack per setup, all at the same time, and tells `heard` of every verdict as it comes.
///
/// A stack on which something was found wrong, or much was left behind, is replaced, so that no run pays for another.
pub async fn soak(setups: &[Setup], seeds: impl IntoIterator<Item = u64>, heard: impl Fn(&Verdict) + Sync) -> Tally {
    let seeds = Mutex::new(seeds.into_iter().collect::<Vec<u64>>().into_iter());
    let tally = Mutex::new(Tally::default());
    let workers = setups.iter().map(|setup| async {
        let mut rig = Rig::start(setup).await;
        loop {
            let seed = seeds.lock().expect("nothing panics while it takes a seed").next();
            let Some(seed) = seed else { return };
            let verdict = run(&rig, seed).await;
            let spoilt = !verdict.violations.is_empty() || leaves_much(&verdict);
            heard(&verdict);
            tally.lock().expect("nothing panics while it adds up").add(verdict);
            if spoilt {
                rig = Rig::start(setup).await;
            }
        }
    });
    join_all(workers).await;
    tally.into_inner().expect("nothing panics while it adds up")
}
