//! What coherence costs a container that answers from its L1: the real `entries` binary, asked for one key as fast as
//! it answers, with windows from "hardly ever looks" to "looks before every answer".
//!
//! The baseline is the same binary with the longest window, so that it syncs once in a minute and reads L1 alone.

use crate::{
    counters::Work,
    engines::{Engines, connect},
    event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::Summary,
    whole::{answered_by_l1, warm_up},
};
use redis::aio::MultiplexedConnection;
use std::{error::Error, time::Instant};
use tokio::runtime::{self, Runtime};

/// Δ in milliseconds; the first is the baseline, the longest there is.
const WINDOWS_MS: [u64; 4] = [60_000, 1000, 100, 0];
/// Turns of each window.
const TURNS: usize = 9;
/// Requests of a turn: some windows of a second long.
const PER_TURN: usize = 6000;
/// Requests before each turn: what is due since the turn before is no part of the steady state.
const BEFORE: usize = 20;

/// A container with its window, and what was measured of it.
struct Container {
    window_ms: u64,
    running: Running,
    rate: Vec<f64>,
    cpu: Vec<f64>,
    work: Vec<Work>,
}

/// Measures all windows in turns.
///
/// # Errors
/// When the function fails or Redis cannot be asked what it did.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let entries = engines.functions()?.entries;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut redis = runtime.block_on(connect(engines.redis_url()))?;
    let containers = WINDOWS_MS.into_iter().map(|window_ms| Container::start(&entries, window_ms));
    let mut containers = containers.collect::<Result<Vec<_>, _>>()?;
    for _ in 0..TURNS {
        for container in &mut containers {
            container.take_turn(&runtime, &mut redis)?;
        }
    }
    Ok(vec![section(&containers)])
}

fn section(containers: &[Container]) -> Section {
    let (baseline, others) = containers.split_first().expect("the baseline is the first window");
    Section {
        title: "Coherence of L1 hits".into(),
        baseline: "the same binary with Δ = 60 s, which syncs once in a minute".into(),
        rows: others.iter().flat_map(|container| container.rows(baseline)).collect(),
    }
}

impl Container {
    fn start(entries: &Function, window_ms: u64) -> Result<Container, Box<dyn Error>> {
        let entries = entries.with("COHERENCE_WINDOW_MS", window_ms.to_string());
        // More requests than a minute allows.
        let running = entries.with("RATE_LIMITS", "off").start()?;
        running.api.invoke(&event::put(event::KEY), 1)?;
        warm_up(&running, &event::get(event::KEY))?;
        Ok(Container { window_ms, running, rate: Vec::new(), cpu: Vec::new(), work: Vec::new() })
    }

    #[allow(clippy::cast_precision_loss, reason = "a small constant")]
    fn take_turn(&mut self, runtime: &Runtime, redis: &mut MultiplexedConnection) -> Result<(), Box<dyn Error>> {
        let get = event::get(event::KEY);
        self.running.api.invoke(&get, BEFORE)?;
        let before = runtime.block_on(Work::so_far(redis))?;
        let start = Instant::now();
        let turn = self.running.take_turn(&get, PER_TURN)?;
        let elapsed = start.elapsed();
        self.work.push(runtime.block_on(Work::so_far(redis))?.since(before));
        self.rate.push(PER_TURN as f64 / elapsed.as_secs_f64());
        self.cpu.push(turn.cpu_us);
        Ok(answered_by_l1(&turn.answer)?)
    }

    fn rows(&self, baseline: &Container) -> [Row; 5] {
        let row = |what: &str, unit, of: fn(&Container) -> Summary| {
            Row::new(format!("Δ = {} ms, {what}", self.window_ms), unit, of(self)).beside(of(baseline))
        };
        [
            row("requests", Unit::PerSecond, |container| Summary::of(container.rate.clone())),
            row("processor time of one", Unit::Microseconds, |container| Summary::of(container.cpu.clone())),
            row("round trips to Redis by one", Unit::Count, |container| container.by_request(|work| work.reads)),
            row("Redis commands sent by one", Unit::Count, |container| container.by_request(|work| work.sent)),
            row("Redis commands with those of scripts", Unit::Count, |container| {
                container.by_request(|work| work.executed)
            }),
        ]
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn by_request(&self, of: fn(&Work) -> u64) -> Summary {
        Summary::of(self.work.iter().map(|work| of(work) as f64 / PER_TURN as f64).collect())
    }
}
