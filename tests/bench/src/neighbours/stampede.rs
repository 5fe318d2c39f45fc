//! What a stampede costs those who ask for other keys: many clients miss one key at once, one is granted the lease and loads
//! it, and the others come back when they are told to.

use super::{CONTAINERS as FEW, Client, PAUSE, Town, get, own, put};
use crate::{
    binaries,
    engines::{DynamoAlone, Engines},
    report::{Row, Section, Unit},
    stats::{Summary, percentile},
};
use std::{
    error::Error,
    io,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};
use strata_stack::{L3Store, Options, Stack};
use tokio::runtime;

/// The measurement's name.
pub const NAME: &str = "stampede";
/// Containers of each function.
const CONTAINERS: usize = 2 * FEW;
/// How many miss the key.
const CLIENTS: usize = 200;
/// Turns of each side.
const TURNS: usize = 10;
/// How long a load takes.
const LOAD_TIME: Duration = Duration::from_millis(700);
/// After how long those who are told to come back do.
const BACK: Duration = Duration::from_secs(1);
/// What takes the lease.
const LEASE: &str = "fill-lease: 10\r\n";

/// Measures how long others wait beside stampedes, and how often the key is loaded.
///
/// # Errors
/// When the stack cannot be started, or somebody is refused.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    engines.built(&binaries::functions()?)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let dynamo = DynamoAlone::start()?;
    let options = Options::default()
        .functions(["authorizer", "entries"])
        .binaries(binaries::folder()?)
        .containers(CONTAINERS)
        .l3(L3Store::Endpoint(dynamo.endpoint().to_owned()))
        .schedules(false);
    let town = Town::new(runtime.block_on(Stack::start(options))?, 0);
    town.move_in()?;
    let (mut calm, mut wild, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        calm.push(town.beside(|client, token| twice(client, token, &own(0)))?);
        let (key, loaded) = (format!("stampede:{turn}"), AtomicUsize::new(0));
        wild.push(town.beside(|client, token| read_through(client, token, &key, &loaded))?);
        loads.push(u32::try_from(loaded.load(Relaxed)).map(f64::from)?);
    }
    runtime.block_on(town.stack.shutdown());
    let row = |figure: &str, percent: usize| {
        let summary = |side: &[Vec<Duration>]| Summary::of(side.iter().map(|gets| percentile(gets, percent)).collect());
        let what = format!("GET of another key beside a stampede: {figure}");
        Row::new(what, Unit::Microseconds, summary(&wild)).beside(summary(&calm)).aim("≤ 1.3×")
    };
    Ok(vec![Section {
        title: format!("{CLIENTS} clients that miss one key at once, over {CONTAINERS} containers"),
        baseline: "the same beside as many GETs of a key that is there, in turns".into(),
        rows: vec![
            row("median", 50),
            row("99th percentile", 99),
            Row::new("Loads of the key", Unit::Count, Summary::of(loads)).aim("1"),
        ],
    }])
}

impl Town {
    /// How long the quiet tenant's GETs take while all clients do something at once.
    fn beside(&self, act: impl Fn(&mut Client, &str) -> io::Result<()> + Sync) -> io::Result<Vec<Duration>> {
        let (done, start) = (AtomicBool::new(false), Barrier::new(CLIENTS));
        let mut reader = self.client()?;
        let clients = (0..CLIENTS).map(|_| self.client()).collect::<io::Result<Vec<_>>>()?;
        thread::scope(|scope| {
            let read = scope.spawn(|| self.read_until(&done, &mut reader));
            let (act, start) = (&act, &start);
            let acting = clients.into_iter().enumerate().map(|(number, mut client)| {
                scope.spawn(move || {
                    start.wait();
                    act(&mut client, self.token(number))
                })
            });
            let acting: Vec<_> = acting.collect();
            let acted: io::Result<()> =
                acting.into_iter().try_for_each(|client| client.join().expect("a client does not panic"));
            // However that ended: the reader waits for it.
            thread::sleep(PAUSE);
            done.store(true, Relaxed);
            let gets = read.join().expect("a reader does not panic")?;
            acted.map(|()| gets)
        })
    }
}

/// As many GETs as one makes who is told to come back.
fn twice(client: &mut Client, token: &str, key: &str) -> io::Result<()> {
    client.ask_well(&get(key), token, LEASE)?;
    thread::sleep(BACK);
    client.ask_well(&get(key), token, LEASE).map(drop)
}

/// Reads until the value is there, and loads it if that is granted.
fn read_through(client: &mut Client, token: &str, key: &str, loads: &AtomicUsize) -> io::Result<()> {
    loop {
        let (_, answer) = client.ask(&get(key), token, LEASE)?;
        if answer.start().contains(" 200 ") {
            return Ok(());
        }
        if let Some(fill) = answer.header("fill-token") {
            loads.fetch_add(1, Relaxed);
            thread::sleep(LOAD_TIME);
            return client.ask_well(&put(key), token, &format!("fill-token: {fill}\r\n")).map(drop);
        }
        let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
        let seconds = seconds.ok_or_else(|| io::Error::other(answer.start().to_owned()))?;
        thread::sleep(Duration::from_secs(seconds));
    }
}
