//! What a warm GET from L1 allocates, from the event's arrival until its answer is sent: counted in the process of the
//! function, runtime and log included, beside the same process with a handler that answers a constant.
//!
//! A copy of the value takes memory of its own, so what a longer value allocates more tells how often it is copied. Once
//! it must be: Lambda wants it escaped, within an answer of its own.

use crate::{
    binaries, corpus,
    engines::Engines,
    event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::Summary,
    whole::warm_up,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::error::Error;

/// The route that tells what has been counted.
pub const RESOURCE: &str = "/allocations";
/// The variable that makes the program the baseline.
pub const BASELINE: &str = "BASELINE";
/// The program.
const PROGRAM: &str = "counted";
/// Bytes of the values.
const SIZES: [usize; 2] = [300, 100_000];
/// Requests that are counted together. One of them, which asks for the counts, is another.
const REQUESTS: usize = 1000;

/// What has been allocated since the process started.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Counts {
    /// Times that memory was asked for, or more of it.
    pub allocations: usize,
    /// Bytes of it.
    pub bytes: usize,
}

/// What one request allocates.
struct Each {
    allocations: f64,
    bytes: f64,
}

/// Counts for a short and for a long value.
///
/// # Errors
/// When the function cannot be built or fails.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let entries = Function { binary: binaries::measuring(PROGRAM)?, env: engines.environment() };
    let hello = entries.with(BASELINE, "1").start()?;
    let entries = entries.start()?;
    let baseline = each(&hello, &event::get(event::KEY))?;
    let mut rows = Vec::new();
    let mut leased = Vec::new();
    let mut found = Vec::new();
    for size in SIZES {
        let text = corpus::text(size);
        let key = format!("of-{size}-bytes");
        entries.api.invoke(&event::put_text(&key, str::from_utf8(&text)?), 1)?;
        let get = event::get(&key);
        warm_up(&entries, &get)?;
        let what = format!("GET of a value of {} B", text.len());
        // Each has one header more, of the same length.
        let [with, without] = ["Fill-Lease", "Not-Leased"].map(|name| event::with_header(&get, name, "10"));
        leased.extend(rows_of(&what, &each(&entries, &with)?, &each(&entries, &without)?).map(|row| row.aim("1×")));
        let each = each(&entries, &get)?;
        rows.extend(rows_of(&what, &each, &baseline));
        found.push((text.len(), each));
    }
    let [(short, less), (long, more)] = &found[..] else { return Err("two sizes are measured".into()) };
    rows.push(slope((*short, less.bytes), (*long, more.bytes)));
    let title = "Allocations of a warm GET from L1";
    Ok(vec![
        Section {
            title: title.into(),
            baseline: "a lambda_http function that answers a constant, in the same program".into(),
            rows,
        },
        Section {
            title: format!("{title} with Fill-Lease"),
            baseline: "the same GET with a header that means nothing in its place".into(),
            rows: leased,
        },
    ])
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn each(container: &Running, get: &str) -> Result<Each, Box<dyn Error>> {
    container.api.invoke(get, REQUESTS)?;
    let before = counts(container)?;
    container.api.invoke(get, REQUESTS - 1)?;
    let after = counts(container)?;
    let of_one = |after: usize, before: usize| (after - before) as f64 / REQUESTS as f64;
    Ok(Each { allocations: of_one(after.allocations, before.allocations), bytes: of_one(after.bytes, before.bytes) })
}

fn counts(container: &Running) -> Result<Counts, Box<dyn Error>> {
    let (_, answer) = container.api.invoke(&event::of_resource(RESOURCE), 1)?;
    let answer: Value = serde_json::from_str(&answer)?;
    Ok(serde_json::from_str(answer["body"].as_str().ok_or("an answer without a body")?)?)
}

fn rows_of(what: &str, each: &Each, baseline: &Each) -> [Row; 2] {
    let row = |unit, name: &str, of: fn(&Each) -> f64| {
        Row::new(format!("{what}: {name}"), unit, Summary::single(of(each))).beside(Summary::single(of(baseline)))
    };
    [row(Unit::Count, "allocations", |each| each.allocations), row(Unit::Bytes, "allocated", |each| each.bytes)]
}

/// Bytes allocated for one more byte of value.
#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn slope((short, less): (usize, f64), (long, more): (usize, f64)) -> Row {
    let slope = (more - less) / (long - short) as f64;
    let escaped = escaped_length(&corpus::text(long)) as f64 / long as f64;
    Row::new(
        "Bytes allocated by one more byte of value / by one copy of it in a JSON string",
        Unit::Count,
        Summary::single(slope),
    )
    .beside(Summary::single(escaped))
    .aim("one copy: < 2×")
}

/// Bytes of a text within a JSON string.
fn escaped_length(text: &[u8]) -> usize {
    serde_json::to_string(&String::from_utf8_lossy(text)).map_or(0, |escaped| escaped.len())
}
