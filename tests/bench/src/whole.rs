//! The `entries` function beside the function that answers a constant, from the outside.

use crate::{
    corpus, event,
    process::{Function, Running},
    report::{Row, Section, Unit},
    stats::{Summary, micros},
};
use std::io::{self, Error};

/// The variable with what the function answers that `entries` is compared with.
const ANSWER: &str = "ANSWER";
/// Bytes of the values that are read.
const SMALL_BYTES: usize = 300;
const LARGE_BYTES: usize = 100_000;
/// Turns in which each function answers [`PER_TURN`] requests.
const TURNS: usize = 40;
const PER_TURN: usize = 250;
/// Entries whose memory is measured, and the bytes of each.
const ENTRIES: usize = 10_000;
const ENTRY_BYTES: usize = 1000;
/// A configuration with room for all of them.
const ROOMY: &str = r#"{"l1_config":{"max_capacity":20000}}"#;
/// PUTs after which the function has all that it needs for one.
const WARM_PUTS: usize = 100;

/// The two functions that are compared.
pub struct Functions {
    /// `entries`.
    pub entries: Function,
    /// The baseline.
    pub hello: Function,
}

/// All measurements of whole processes.
pub fn measure(functions: &Functions) -> io::Result<Section> {
    let (small, large) = (corpus::text(SMALL_BYTES), corpus::text(LARGE_BYTES));
    let [wall, cpu, memory] = answers(functions, &String::from_utf8_lossy(&small), "300 B")?;
    let [large_wall, large_cpu, _] = answers(functions, &String::from_utf8_lossy(&large), "100 KB")?;
    let leased = leased(&functions.entries, &String::from_utf8_lossy(&small))?;
    Ok(Section {
        title: "The entries function as a process".into(),
        baseline: "a lambda_http function that answers a constant as long as the value, built in the same profile"
            .into(),
        rows: vec![wall, cpu, large_wall, large_cpu, leased, memory, full_memory(&functions.entries)?],
    })
}

/// Time and processor time of a warm GET of this value, and the peak memory after all of them.
fn answers(functions: &Functions, value: &str, size: &str) -> io::Result<[Row; 3]> {
    let (entries, hello) = (functions.entries.start()?, functions.hello.with(ANSWER, value).start()?);
    entries.api.invoke(&event::put_text(event::KEY, value), 1)?;
    let get = event::get(event::KEY);
    warm_up(&entries, &get)?;
    hello.api.invoke(&get, 1)?;
    let (mut ours, mut baseline) = (Answers::default(), Answers::default());
    for _ in 0..TURNS {
        ours.take_turn(&entries, &get)?;
        baseline.take_turn(&hello, &get)?;
    }
    let wall =
        Row::new(format!("Warm GET of {size} from L1, event to answer"), Unit::Microseconds, Summary::of(ours.wall));
    let cpu =
        Row::new(format!("Warm GET of {size} from L1, processor time"), Unit::Microseconds, Summary::of(ours.cpu));
    let memory = Row::new("Peak memory after 10,000 GETs", Unit::Megabytes, megabytes(entries.peak_memory()?));
    Ok([
        wall.beside(Summary::of(baseline.wall)).aim("≤ 1.3×"),
        cpu.beside(Summary::of(baseline.cpu)).aim("≤ 1.3×"),
        memory.beside(megabytes(hello.peak_memory()?)).aim("≤ 10 MB"),
    ])
}

/// Processor time of a warm GET that would take the lease, beside one with a header that means nothing in its place.
fn leased(entries: &Function, value: &str) -> io::Result<Row> {
    let entries = entries.start()?;
    entries.api.invoke(&event::put_text(event::KEY, value), 1)?;
    let get = event::get(event::KEY);
    warm_up(&entries, &get)?;
    let [with, without] = ["Fill-Lease", "Not-Leased"].map(|name| event::with_header(&get, name, "10"));
    let (mut ours, mut baseline) = (Answers::default(), Answers::default());
    for _ in 0..TURNS {
        ours.take_turn(&entries, &with)?;
        baseline.take_turn(&entries, &without)?;
    }
    let row = Row::new(
        "Warm GET from L1, processor time, with Fill-Lease / without",
        Unit::Microseconds,
        Summary::of(ours.cpu),
    );
    Ok(row.beside(Summary::of(baseline.cpu)).aim("≤ 1.02×"))
}

/// What the process takes for entries in L1, beside the bytes of their values.
fn full_memory(entries: &Function) -> io::Result<Row> {
    let container = entries.with("CACHE_CONFIG", ROOMY).with("RATE_LIMITS", "off").start()?;
    let text = corpus::text(ENTRY_BYTES);
    let put = |number: usize| event::put_text(&format!("entry-{number}"), &String::from_utf8_lossy(&text));
    container.api.invoke(&put(0), WARM_PUTS)?;
    let before = container.peak_memory()?;
    for number in 0..ENTRIES {
        container.api.invoke(&put(number), 1)?;
    }
    let after = container.peak_memory()?;
    for number in (0..ENTRIES).step_by(ENTRIES / 10) {
        answered_by_l1(&container.api.invoke(&event::get(&format!("entry-{number}")), 1)?.1)?;
    }
    let row =
        Row::new("Memory of 10,000 entries of 1 KB in L1 / their JSON", Unit::Megabytes, megabytes(after - before));
    Ok(row.beside(megabytes((ENTRIES * text.len()) as u64)).aim("≤ 1.5×"))
}

#[derive(Default)]
struct Answers {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Answers {
    fn take_turn(&mut self, running: &Running, event: &str) -> io::Result<()> {
        let turn = running.take_turn(event, PER_TURN)?;
        self.cpu.push(turn.cpu_us);
        self.wall.extend(turn.wall.into_iter().map(micros));
        Ok(())
    }
}

/// Makes sure that what follows is answered by L1.
pub(crate) fn warm_up(entries: &Running, get: &str) -> io::Result<()> {
    entries.api.invoke(get, 100)?;
    answered_by_l1(&entries.api.invoke(get, 1)?.1)
}

/// Makes sure that an answer came from L1.
pub(crate) fn answered_by_l1(answer: &str) -> io::Result<()> {
    if answer.contains("L1_MEMORY") { Ok(()) } else { Err(Error::other(format!("not answered by L1: {answer}"))) }
}

/// So many bytes, for [`Unit::Megabytes`].
#[allow(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
pub(crate) fn megabytes(bytes: u64) -> Summary {
    Summary::single(bytes as f64 / 1e6)
}
