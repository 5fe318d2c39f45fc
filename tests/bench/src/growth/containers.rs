//! More and more containers that answer from their L1: what each costs Redis, while nobody writes and while another
//! container does. Coherence is pulled, so each container asks for itself, and what all cost grows with their number; what
//! one costs must not. On a machine of few cores, how many requests they answer together would say nothing.

use crate::{
    engines::Engines,
    event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::Summary,
    tap::{Tap, Traffic},
    whole::{answered_by_l1, warm_up},
};
use std::{
    error::Error,
    io, thread,
    time::{Duration, Instant},
};

/// Containers that are read.
const CONTAINERS: [usize; 5] = [1, 2, 4, 8, 16];
/// Δ: shorter than by default, so that a second has more syncs than it rounds.
const WINDOW_MS: u64 = 100;
/// From one GET of a container to its next, and from one PUT to the next: 40 and 50 a second.
const PACE: Duration = Duration::from_millis(25);
const WRITE_PACE: Duration = Duration::from_millis(20);
/// How long each number of containers is watched.
const WATCHED: Duration = Duration::from_secs(3);

/// Measures all numbers of containers.
///
/// # Errors
/// When a function fails, or an answer does not come from L1.
pub fn grown(engines: &Engines) -> Result<Section, Box<dyn Error>> {
    let tap = Tap::start(engines.redis_url().trim_start_matches("redis://"))?;
    let entries = engines.functions()?.entries.with("RATE_LIMITS", "off");
    let writer = entries.start()?;
    writer.api.invoke(&event::put(event::KEY), 1)?;
    let read = entries.with("REDIS_URL", tap.url()).with("COHERENCE_WINDOW_MS", WINDOW_MS.to_string());
    let (mut rows, mut readers) = (Vec::new(), Vec::new());
    for containers in CONTAINERS {
        while readers.len() < containers {
            readers.push(reader(&read)?);
        }
        let (quiet, busy) = (watch(&tap, &readers, None)?, watch(&tap, &readers, Some(&writer))?);
        rows.extend(rows_of("asked", containers, quiet));
        rows.extend(rows_of("asked while another writes", containers, busy));
    }
    // The rows of one curve one after the other; a sort keeps the order of equals.
    rows.sort_by_key(|row| row.point.as_ref().map(|point| point.curve.clone()));
    rows.push(not_asked(&tap, readers.len()));
    Ok(Section {
        title: format!(
            "Growth with containers: what each costs Redis in a second, asked 40 times, Δ = {WINDOW_MS} ms, 0 or 50 \
             writes a second"
        ),
        baseline: "none; a slope of 0 says that a container costs the same, however many there are".into(),
        rows,
    })
}

fn reader(read: &Function) -> io::Result<Running> {
    let container = read.start()?;
    warm_up(&container, &event::get(event::KEY))?;
    Ok(container)
}

/// What so many containers send that nobody asks.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn not_asked(tap: &Tap, containers: usize) -> Row {
    let before = tap.traffic();
    thread::sleep(WATCHED);
    let traffic = tap.traffic() - before;
    let sent = Summary::single(traffic.commands as f64 / containers as f64 / WATCHED.as_secs_f64());
    Row::new(format!("Commands sent, not asked, of {containers} containers"), Unit::PerSecond, sent).aim("0")
}

/// What containers sent and got while they were asked for a while.
fn watch(tap: &Tap, readers: &[Running], writer: Option<&Running>) -> io::Result<Traffic> {
    let over = Instant::now() + WATCHED;
    let get = event::get(event::KEY);
    let before = tap.traffic();
    thread::scope(|scope| {
        let get = &get;
        let read = |reader| scope.spawn(move || paced(reader, over, PACE, |_| get.clone()));
        let reads: Vec<_> = readers.iter().map(read).collect();
        // Other entries than the one that is read.
        let put = |number| event::put(&format!("another-{number}"));
        let writes = writer.map(|writer| scope.spawn(move || paced(writer, over, WRITE_PACE, put)));
        for read in reads {
            answered_by_l1(&read.join().expect("reading does not panic")?)?;
        }
        writes.map_or(Ok(String::new()), |writes| writes.join().expect("writing does not panic"))
    })?;
    Ok(tap.traffic() - before)
}

/// Has a container answer one event after the other until it is over; returns the last answer.
fn paced(container: &Running, over: Instant, pace: Duration, event: impl Fn(usize) -> String) -> io::Result<String> {
    let mut last = String::new();
    for number in 0.. {
        let due = Instant::now() + pace;
        if due > over {
            break;
        }
        last = container.api.invoke(&event(number), 1)?.1;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(last)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn rows_of(name: &str, containers: usize, traffic: Traffic) -> [Row; 3] {
    let each = |count: u64| Summary::single(count as f64 / containers as f64 / WATCHED.as_secs_f64());
    let row =
        |what: &str, unit, count| Row::on(&format!("{what}, {name}"), "containers", containers, unit, each(count));
    [
        row("Round trips", Unit::PerSecond, traffic.round_trips),
        row("Commands sent", Unit::PerSecond, traffic.commands),
        row("Bytes received", Unit::Bytes, traffic.received),
    ]
}
