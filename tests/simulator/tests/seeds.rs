//! Some seeds, on two threads: nothing is wrong with what the clients see.

#![allow(clippy::unwrap_used)]

use std::sync::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};
use strata_simulator::{describe, run};

/// As many as an unoptimised build does in less than a minute on two cores.
const SEEDS: u64 = 16;
const THREADS: usize = 2;

#[test]
fn what_clients_see_is_right() {
    let (next, operations, wrong) = (AtomicU64::new(1), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed > SEEDS {
                        return;
                    }
                    let verdict = run(seed);
                    operations.fetch_add(verdict.history.operations.len(), Relaxed);
                    if !verdict.is_clean() {
                        wrong.lock().unwrap().push(describe(&verdict));
                    }
                }
            });
        }
    });
    eprintln!("{operations:?} operations");
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
