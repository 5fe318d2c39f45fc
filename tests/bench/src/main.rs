//! `make bench`: every measurement, one report in `target/bench`.

#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::{
    error::Error,
    path::Path,
    process::{Command, ExitCode, Stdio},
};
use strata_bench::{
    binaries, level2, parts,
    process::Function,
    report::{self, Row, Section, Unit},
    stats::in_turns,
    whole::{self, Functions},
};
use strata_stack::{Options, Stack};

/// The argument by which the program runs [`level2::measure`] in a process of its own.
const LEVEL2: &str = "level2";

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some(LEVEL2) => print_level2(),
        _ => run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let binaries = binaries::build()?;
    let runtime = tokio::runtime::Runtime::new()?;
    // Engines only: no gateway and no container of the stack is in what is measured.
    let stack = runtime.block_on(Stack::start(Options::default().functions([""; 0])))?;
    let env = environment(&stack);
    let entries = Function { binary: binaries.join("entries"), env: env.clone() };
    let functions = Functions { entries, hello: Function { binary: binaries.join("hello"), env: Vec::new() } };
    let sections = [whole::measure(&functions)?, level2(&env)?, library()];
    let target = binaries.parent().unwrap_or(Path::new("target"));
    let (file, text) = report::write(&target.join("bench"), &sections)?;
    println!("{text}\nwritten to {}", file.display());
    runtime.block_on(stack.shutdown());
    Ok(())
}

/// What a function needs to find the engines.
fn environment(stack: &Stack) -> Vec<(String, String)> {
    let info = stack.info();
    [
        ("REDIS_URL", stack.redis().url()),
        ("TABLE_NAME", &info.table),
        ("CONTROL_TABLE_NAME", &info.control_table),
        ("AWS_ENDPOINT_URL_DYNAMODB", stack.l3().engine_endpoint()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("KEY_PREFIX", "bench:"),
        ("FUNCTION_TIMEOUT_SECONDS", "30"),
        // The limiter works as it does everywhere, but never refuses.
        ("RATE_LIMIT_READ", "1000000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn level2(env: &[(String, String)]) -> Result<Section, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    child.arg(LEVEL2).env_clear().envs(env.iter().map(|(name, value)| (name, value))).stderr(Stdio::inherit());
    let output = child.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stdout).into());
    }
    Ok(Section {
        title: "A GET answered by Redis",
        baseline: "GET of the same text with the same client on the same kind of connection",
        rows: serde_json::from_slice(&output.stdout)?,
    })
}

fn print_level2() -> Result<(), Box<dyn Error>> {
    println!("{}", serde_json::to_string(&level2::measure()?)?);
    Ok(())
}

fn library() -> Section {
    let row = |pair: parts::Pair| {
        let (strata, baseline) = in_turns(pair.ours, pair.theirs);
        Row::new(format!("{} / {}", pair.name, pair.baseline), Unit::Microseconds, strata).beside(baseline)
    };
    Section {
        title: "Parts of the library",
        baseline: "the crate that does the main work, alone; it neither checks nor keeps what a cache must",
        rows: parts::all().into_iter().map(row).collect(),
    }
}
