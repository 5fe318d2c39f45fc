//! The `warmer` as a process: what memory a job takes, however much it loads, and what reads notice of it.

use crate::{
    binaries, event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::{Summary, micros, percentile},
    whole::megabytes,
};
use std::{
    error::Error,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};
use strata_cache::TieredCache;
use tokio::runtime::Runtime;

/// GETs that are timed together.
const PER_TURN: usize = 20;
/// Turns without a job.
const IDLE_TURNS: usize = 100;

/// The functions that take part.
pub const FUNCTIONS: [&str; 2] = ["entries", "warmer"];

/// What one job was like.
pub struct Noticed {
    /// The most memory that the warmer had.
    peak_memory: u64,
    /// How long GETs took meanwhile.
    gets: Vec<Duration>,
}

/// A function with the environment of this process, beside which it lies.
fn function(name: &str) -> Result<Function, Box<dyn Error>> {
    Ok(Function { binary: binaries::folder()?.join(name), env: std::env::vars().collect() })
}

/// Runs the job of that name to its end in a new warmer, while an `entries` that asks Redis each time is read.
///
/// # Errors
/// When a function fails.
pub fn run(cache: &TieredCache, runtime: &Runtime, job: &str) -> Result<Noticed, Box<dyn Error>> {
    // Slices shorter than the bench waits for an answer.
    let warmer = function("warmer")?.with("JOB_SLICE_MS", "5000").start()?;
    let entries = reader()?;
    let (mut gets, over) = (Vec::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        let reads = scope.spawn(|| -> std::io::Result<()> {
            while !over.load(Relaxed) {
                gets.extend(entries.take_turn(&event::get(event::KEY), PER_TURN)?.wall);
            }
            Ok(())
        });
        let worked = work(cache, runtime, &warmer, job);
        over.store(true, Relaxed);
        reads.join().expect("reading does not panic")?;
        worked
    })?;
    Ok(Noticed { peak_memory: warmer.peak_memory()?, gets })
}

/// Slice after slice, as the stream would call.
fn work(cache: &TieredCache, runtime: &Runtime, warmer: &Running, job: &str) -> Result<(), Box<dyn Error>> {
    let called = event::of_job(job);
    while !runtime.block_on(cache.job(job))?.ok_or("there is no such job")?.is_over() {
        warmer.api.invoke(&called, 1)?;
    }
    Ok(())
}

/// An `entries` that asks Redis before every answer.
fn reader() -> Result<Running, Box<dyn Error>> {
    let entries = function("entries")?.with("COHERENCE_WINDOW_MS", "0").with("RATE_LIMITS", "off").start()?;
    entries.api.invoke(&event::put(event::KEY), 1)?;
    entries.api.invoke(&event::get(event::KEY), 100)?;
    Ok(entries)
}

/// The measurements of a small job and of one ten times as large.
///
/// # Errors
/// When a function fails.
pub fn section(small: &Noticed, large: &Noticed) -> Result<Section, Box<dyn Error>> {
    let entries = reader()?;
    let mut idle = Vec::new();
    for _ in 0..IDLE_TURNS {
        idle.extend(entries.take_turn(&event::get(event::KEY), PER_TURN)?.wall);
    }
    let time = |gets: &[Duration]| Summary::of(gets.iter().copied().map(micros).collect());
    let slowest = |gets: &[Duration]| Summary::single(percentile(gets, 99));
    let noticed = &large.gets;
    Ok(Section {
        title: "The warmer as a process".into(),
        baseline: "memory: a job of a tenth of the entries; time: the same GET while no job runs".into(),
        rows: vec![
            Row::new("Peak memory of a job", Unit::Megabytes, megabytes(large.peak_memory))
                .beside(megabytes(small.peak_memory))
                .aim("1×: flat"),
            Row::new("GET that asks Redis, while a job runs", Unit::Microseconds, time(noticed)).beside(time(&idle)),
            Row::new("its 99th percentile", Unit::Microseconds, slowest(noticed)).beside(slowest(&idle)),
        ],
    })
}
