//! Values of more and more bytes through the `entries` binary: a GET from L1, and a PUT into all levels.

use crate::{
    corpus,
    engines::Engines,
    event,
    process::Running,
    report::{Row, Section, Unit},
    stats::{Summary, micros},
    whole::{Functions, answered_by_l1},
};
use std::error::Error;

/// Bytes of the values; the last is about the longest that still fits into an answer of Lambda.
const SIZES: [usize; 6] = [100, 1_000, 10_000, 100_000, 1_000_000, 5_000_000];
/// Turns of each size.
const TURNS: usize = 7;
/// Bytes of a turn, so that long values are not asked for as often as short ones.
const PER_TURN_BYTES: usize = 10_000_000;
/// Requests of a turn.
const PER_TURN: std::ops::RangeInclusive<usize> = 2..=50;

/// What one turn of each side says: times of the answers and processor time of one, in microseconds.
#[derive(Default)]
struct Samples {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

/// Measures all sizes.
///
/// # Errors
/// When a function fails, or an answer does not come from L1.
pub fn grown(engines: &Engines) -> Result<Section, Box<dyn Error>> {
    let Functions { entries, hello } = engines.functions()?;
    let (entries, hello) = (entries.with("RATE_LIMITS", "off").start()?, hello.start()?);
    let (mut gets, mut puts) = (Vec::new(), Vec::new());
    for size in SIZES {
        let text = corpus::text(size);
        let key = format!("of-{size}-bytes");
        let (get, put) = (event::get(&key), event::put_text(&key, str::from_utf8(&text)?));
        puts.extend(compare("PUT", size, &put, &entries, &hello, |_| Ok(()))?);
        gets.extend(compare("GET from L1", size, &get, &entries, &hello, answered_by_l1)?);
    }
    let mut rows = [gets, puts].concat();
    // The rows of one curve one after the other; a sort keeps the order of equals.
    rows.sort_by_key(|row| row.what.split_once(", of ").map(|(curve, _)| curve.to_owned()));
    Ok(Section {
        title: "Growth with the bytes of a value".into(),
        baseline: "a lambda_http function that answers a constant to the same event".into(),
        rows,
    })
}

fn compare(
    what: &str,
    size: usize,
    event: &str,
    entries: &Running,
    hello: &Running,
    check: impl Fn(&str) -> std::io::Result<()>,
) -> Result<[Row; 2], Box<dyn Error>> {
    let requests = (PER_TURN_BYTES / size).clamp(*PER_TURN.start(), *PER_TURN.end());
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for _ in 0..TURNS {
        check(&ours.take(entries, event, requests)?)?;
        theirs.take(hello, event, requests)?;
    }
    let row = |what: String, of: fn(&Samples) -> &Vec<f64>| {
        let row = Row::on(&what, "B", size, Unit::Microseconds, Summary::of(of(&ours).clone()));
        row.beside(Summary::of(of(&theirs).clone()))
    };
    Ok([row(what.to_owned(), |samples| &samples.wall), row(format!("{what}, processor time"), |samples| &samples.cpu)])
}

impl Samples {
    /// Takes a turn; returns the last answer.
    fn take(&mut self, running: &Running, event: &str, requests: usize) -> Result<String, Box<dyn Error>> {
        let turn = running.take_turn(event, requests)?;
        self.wall.extend(turn.wall.into_iter().map(micros));
        self.cpu.push(turn.cpu_us);
        Ok(turn.answer)
    }
}
