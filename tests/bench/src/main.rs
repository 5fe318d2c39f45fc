//! `make bench`: every measurement, or those that SUITES names, and one report in `target/bench`, whatever fails.

#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::{error::Error, path::Path, process::ExitCode, time::Instant};
use strata_bench::{
    batches, copies, engines::DynamoAlone, growth, invalidate, level2, level3, limits, loads, machine, report::Report,
    suites::Choice, warm,
};

fn main() -> ExitCode {
    let done = match std::env::args().nth(1) {
        Some(server) if server == DynamoAlone::NAME => DynamoAlone::serve(),
        Some(measurement) => print(&measurement),
        None => run(),
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
    let choice = Choice::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    let program = std::env::current_exe()?;
    let folder = program.ancestors().nth(2).unwrap_or(Path::new("target")).join("bench");
    let mut report = Report::default();
    for suite in &choice.suites {
        println!("measuring {}", suite.name);
        let start = Instant::now();
        let measured = suite.run(&choice);
        report.add(suite.name, measured, start.elapsed());
        // After each, so that a run that is stopped has told what it measured.
        report.write(&folder)?;
    }
    println!("{}\nwritten to {}", report.markdown(&machine::describe()), folder.display());
    let failed: Vec<&str> = report.failures.iter().map(|failure| failure.suite.as_str()).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// Runs one measurement of the library with the settings in the environment, for
/// [`Engines::in_a_process`](strata_bench::engines::Engines::in_a_process).
fn print(measurement: &str) -> Result<(), Box<dyn Error>> {
    let sections = match measurement {
        level2::NAME => vec![level2::measure()?],
        level3::NAME => vec![level3::measure()?],
        batches::NAME => vec![batches::measure()?],
        copies::NAME => vec![copies::measure()?],
        loads::NAME => vec![loads::measure()?],
        limits::NAME => vec![limits::in_the_library()?],
        growth::entries::NAME => growth::entries::measure(&std::env::args().nth(2).unwrap_or_default())?,
        warm::NAME => warm::measure(&std::env::args().nth(2).unwrap_or_default())?,
        invalidate::level3::NAME => invalidate::level3::measure(&std::env::args().nth(2).unwrap_or_default())?,
        _ => return Err(format!("there is no measurement {measurement}").into()),
    };
    println!("{}", serde_json::to_string(&sections)?);
    Ok(())
}
