//! Runs seeds: `SEEDS` of them from `FIRST` on, on `THREADS` threads, and ends with 1 when one of them shows something wrong;
//! with `STOP=1` at the first that does, and with `SHRINK=1` with as little of each as still shows it.

#![allow(clippy::print_stdout)]

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};
use strata_simulator::{describe, run, shrink};

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn main() -> ExitCode {
    let (first, seeds) = (number("FIRST", 1), number("SEEDS", 100));
    let threads = number("THREADS", thread::available_parallelism().map_or(1, |count| count.get() as u64));
    let (stops, shrinks) = (number("STOP", 0) == 1, number("SHRINK", 0) == 1);
    let (next, is_over) = (AtomicU64::new(first), AtomicBool::new(false));
    let (operations, messages, wrong) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let [given, compared, reasons] = [(); 3].map(|()| AtomicUsize::new(0));
    let (began, output) = (Instant::now(), Mutex::new(()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let verdict = run(seed);
                    let count = verdict.history.operations.len() as u64;
                    let before = operations.fetch_add(count, Relaxed);
                    messages.fetch_add(verdict.messages, Relaxed);
                    given.fetch_add(verdict.explained.given, Relaxed);
                    compared.fetch_add(verdict.explained.compared, Relaxed);
                    reasons.fetch_add(verdict.explained.reasons, Relaxed);
                    let less = if shrinks && !verdict.is_clean() { shrink(seed) } else { None };
                    let _output = output.lock().unwrap_or_else(PoisonError::into_inner);
                    println!("seed {seed} digest {:016x} operations {count}", verdict.digest);
                    if !verdict.is_clean() {
                        wrong.fetch_add(1, Relaxed);
                        println!("wrong after {} operations\n{}", before + count, describe(&verdict));
                        if let Some((verdict, parts)) = less {
                            println!("the same with {parts} turns and faults\n{}", describe(&verdict));
                        }
                        is_over.fetch_or(stops, Relaxed);
                    }
                }
            });
        }
    });
    let (seconds, operations, wrong) = (began.elapsed().as_secs_f64(), operations.into_inner(), wrong.into_inner());
    println!(
        "{operations} operations, {} messages, {wrong} seeds with something wrong, {seconds:.1} s, {:.0} operations/s",
        messages.into_inner(),
        operations as f64 / seconds
    );
    println!(
        "{} explanations: {} compared with the read that followed, {} reasons with what happened",
        given.into_inner(),
        compared.into_inner(),
        reasons.into_inner()
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
