//! `soak`: as many runs as wanted, and a report of them.
//!
//! Variables: `SEEDS` (how many, 500), `FIRST` (the first seed, 1), `SEED` (just this one), `STACKS` (how many run at
//! the same time, 2), `FAULTS` (names of [`Fault`] with a comma between them, all), `BINARIES` (the folder of the
//! functions, that of this build), `PLANTED` (the mistake that those of `make planted` are to make), `REPORT`
//! (target/soak/report.md). Ends with status 1 when a promise was broken.
//!
//! What needs a cluster happens on the last of several stacks, or on one that has nothing else to do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use strata_checker::history::History;
use strata_checker::report::describe;
use strata_checker::{Fault, Setup, Verdict, soak::soak};
use strata_stack::repository;

/// The windows of the stacks in turn, in milliseconds.
const WINDOWS_MS: [u64; 3] = [300, 1000, 0];

#[tokio::main]
async fn main() -> ExitCode {
    let first = number("FIRST", 1);
    let seeds = match number("SEED", 0) {
        0 => first..first + number("SEEDS", 500),
        seed => seed..seed + 1,
    };
    let tally = soak(&setups(), seeds, say).await;
    let report = variable("REPORT").map_or_else(|| repository().join("target/soak/report.md"), PathBuf::from);
    write(&report, &tally.markdown());
    line(&format!("{} runs, {} violations: {}", tally.runs, tally.unexplained, report.display()));
    if tally.unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn setups() -> Vec<Setup> {
    let stacks = usize::try_from(number("STACKS", 2)).expect("a machine has fewer stacks");
    let windows = WINDOWS_MS.into_iter().cycle().take(stacks);
    let (binaries, planted) = (variable("BINARIES").map(PathBuf::from), variable("PLANTED"));
    let faults: Vec<Fault> =
        variable("FAULTS").map_or_else(|| Fault::ALL.to_vec(), |names| names.split(',').map(fault).collect());
    let of_server: Vec<Fault> = faults.iter().copied().filter(|fault| !fault.needs_cluster()).collect();
    let setup = |(number, ms)| {
        // The last stack has the cluster, where there is one; the only one, when that is all that is asked for.
        let on_cluster = of_server.len() < faults.len() && number + 1 == stacks && (stacks > 1 || of_server.is_empty());
        let faults = if on_cluster { for_cluster(&faults) } else { of_server.clone() };
        // They have no functions for warm jobs.
        let (binaries, planted, warming) = (binaries.clone(), planted.clone(), planted.is_none());
        Setup { binaries, planted, warming, faults, ..Setup::keeping(Duration::from_millis(ms)) }
    };
    windows.enumerate().map(setup).collect()
}

/// What can happen on a cluster; every other run begins with what can happen nowhere else.
fn for_cluster(faults: &[Fault]) -> Vec<Fault> {
    let (own, shared): (Vec<Fault>, Vec<Fault>) =
        faults.iter().copied().filter(|fault| fault.allows_cluster()).partition(|fault| fault.needs_cluster());
    if shared.is_empty() {
        return own;
    }
    let own = own.into_iter().cycle();
    shared.into_iter().zip(own).flat_map(|(shared, own)| [own, shared]).collect()
}

fn fault(name: &str) -> Fault {
    Fault::named(name).unwrap_or_else(|| panic!("FAULTS: {name} is none of {:?}", Fault::ALL))
}

fn say(verdict: &Verdict) {
    if verdict.violations.is_empty() {
        let History { operations, incidents, .. } = &verdict.history;
        let failed: Vec<&str> = incidents.iter().map(|incident| incident.what.as_str()).collect();
        line(&format!("seed {}: {} operations, {}", verdict.seed, operations.len(), failed.join("; ")));
    } else {
        line(&describe(verdict));
    }
}

fn write(report: &Path, text: &str) {
    let folder = report.parent().expect("a report is a file in a folder");
    std::fs::create_dir_all(folder).expect("the folder of the report can be made");
    std::fs::write(report, text).expect("the report can be written");
}

fn line(text: &str) {
    // Nobody is listening any more: the report will say it all the same.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}
