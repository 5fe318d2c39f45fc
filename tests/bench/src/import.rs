//! `strata import` beside a bare client that sends the same batches: what reading lines, remembering the place and giving
//! way to the levels costs whoever imports.
//!
//! Both send to the same stack with limits off, in turns; each turn stores entries of its own keys, so that every one of
//! them is new. The bare client has its requests ready before the clock runs; of `strata` the whole process is timed.

use crate::{
    binaries,
    clients::{Clients, Question},
    corpus,
    engines::Engines,
    report::{Row, Section, Unit},
    stats::Summary,
};
use serde_json::{Value, json};
use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};
use strata_stack::{Claims, Options, Stack};
use tokio::runtime;

/// Containers of each function.
const CONTAINERS: usize = 4;
/// Batches that are under way at once, as many as `strata import` has when nobody says otherwise.
const AT_ONCE: usize = 8;
/// Entries of a batch, as many as `strata import` puts together.
const BATCH: usize = 100;
/// Turns of each side; one before them is not counted.
const TURNS: usize = 7;

/// Measures with the smallest number of entries.
///
/// # Errors
/// When the stack cannot be started, or an entry is not stored.
pub fn measure(engines: &Engines, sizes: &[usize]) -> Result<Vec<Section>, Box<dyn Error>> {
    engines.built(&["authorizer", "entries"])?;
    let strata = binaries::command_line()?;
    let entries = *sizes.iter().min().ok_or("there is no number of entries")?;
    let rows = compare(&binaries::folder()?, &strata, entries)?;
    Ok(vec![Section {
        title: format!("`strata import` of {entries} entries of some 200 bytes"),
        baseline: format!(
            "{AT_ONCE} plain sockets that send the same batches of {BATCH}, made beforehand, to the same stack; \
             {CONTAINERS} containers, limits off, in turns"
        ),
        rows,
    }])
}

fn compare(functions: &Path, strata: &Path, entries: usize) -> Result<Vec<Row>, Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // As long as a hundred rows at once take beside three other batches on the same cores: `strata import` would give way
    // and send again what a level refuses, and the bare client does not.
    let config = json!({"l2_config": {"timeout_ms": 10_000}, "l3_config": {"timeout_ms": 20_000}});
    let options = Options::default()
        .functions(["authorizer", "entries"])
        .binaries(functions)
        .containers(CONTAINERS)
        .env("CACHE_CONFIG", config.to_string())
        .parameter("RateLimits", "off");
    let stack = runtime.block_on(Stack::start(options))?;
    let home = Home::new()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let keys = |side: &str| (0..entries).map(|number| format!("{side}:{turn}:{number:07}")).collect::<Vec<_>>();
        ours.push(rate(entries, import(&stack, strata, &home, &keys("import"))?));
        theirs.push(rate(entries, send(&stack, &keys("bare"))?));
    }
    runtime.block_on(stack.shutdown());
    let [ours, theirs] = [ours, theirs].map(|turns| Summary::of(turns[1..].to_vec()));
    Ok(vec![Row::new("entries stored", Unit::PerSecond, ours).beside(theirs).aim("≥ 0.8×")])
}

#[allow(clippy::cast_precision_loss, reason = "numbers of entries are far below 2^52")]
fn rate(entries: usize, took: Duration) -> f64 {
    entries as f64 / took.as_secs_f64()
}

/// An entry, as a line has it and an operation as well.
fn entry(number: usize, key: &str) -> Value {
    json!({"key": key, "value": corpus::record(number), "tags": ["imported"], "ttl_seconds": 3600})
}

/// Has `strata` import a file with these keys.
fn import(stack: &Stack, strata: &Path, home: &Home, keys: &[String]) -> Result<Duration, Box<dyn Error>> {
    let lines: String = keys.iter().enumerate().map(|(number, key)| format!("{}\n", entry(number, key))).collect();
    let file = home.0.join("entries.jsonl");
    fs::write(&file, lines)?;
    let mut command = Command::new(strata);
    command.args(["import", "--json", "--parallel", &AT_ONCE.to_string()]).arg(&file).env_clear();
    command.env("HOME", &home.0).env("STRATA_URL", stack.url()).env("STRATA_TOKEN", stack.token(Claims::default()));
    let began = Instant::now();
    let done = command.stderr(Stdio::inherit()).output()?;
    let took = began.elapsed();
    let told: Value = serde_json::from_slice(&done.stdout)?;
    if told["stored"] == keys.len() { Ok(took) } else { Err(format!("strata import: {}, {told}", done.status).into()) }
}

/// Sends the same as requests that are ready.
fn send(stack: &Stack, keys: &[String]) -> io::Result<Duration> {
    let (host, token) = (stack.url().trim_start_matches("http://"), stack.token(Claims::default()));
    let host = host.split('/').next().unwrap_or_default();
    let put = |number: usize, key: &str| {
        let mut operation = entry(number, key);
        operation["op"] = "put".into();
        operation
    };
    let operations: Vec<Value> = keys.iter().enumerate().map(|(number, key)| put(number, key)).collect();
    let questions = operations.chunks(BATCH).map(|operations| {
        let body = json!({ "operations": operations }).to_string();
        let head = format!("POST /v1/cache/batch HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}");
        let json = format!("content-type: application/json\r\ncontent-length: {}", body.len());
        let request = format!("{head}\r\n{json}\r\n\r\n{body}");
        Question { request, expected: "\"status\":201", times: operations.len() }
    });
    let questions: Vec<Question> = questions.collect();
    let began = Instant::now();
    Clients::connect(host, AT_ONCE)?.share(&questions)?;
    Ok(began.elapsed())
}

/// A folder for the file and for what `strata` remembers; removed when dropped.
struct Home(PathBuf);

impl Home {
    fn new() -> io::Result<Home> {
        let folder = env::temp_dir().join(format!("strata-bench-import-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Home(folder))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
