//! Every function that is deployed beside the one that answers a constant: how soon it asks for work, and how much of
//! it has to be brought to a machine first.

use crate::{
    binaries,
    engines::Engines,
    event,
    process::Function,
    report::{Row, Section, Unit},
    stats::Summary,
    whole::megabytes,
};
use std::{collections::BTreeMap, error::Error, fs, io};
use strata_cache::Level;

/// What the baseline with a client of DynamoDB is called in the report.
const WITH_SDK: &str = "the baseline with DynamoDB's client";
/// Starts of each function.
const STARTS: usize = 41;

/// Measures all functions in turns.
///
/// # Errors
/// When one cannot be built or started.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let names = binaries::functions()?;
    let (functions, hello) = engines.built(&names)?;
    let with_sdk = Function { binary: hello.binary.with_file_name(binaries::HELLO_SDK), env: Vec::new() };
    let mut functions: BTreeMap<String, Function> = names.into_iter().zip(functions).collect();
    functions.insert(WITH_SDK.to_owned(), with_sdk);
    let mut starts = times(functions.values().chain([&hello]))?;
    let baseline = starts.pop().expect("the baseline is measured as well");
    let starts = functions.keys().zip(starts).map(|(name, times)| {
        let row = Row::new(format!("{name}: start of the process to its first poll"), Unit::Milliseconds, times);
        if name == WITH_SDK { row.beside(baseline) } else { row.beside(baseline).aim("≤ 1.5×") }
    });
    let mut rows: Vec<Row> = starts.collect();
    for (name, function) in &functions {
        rows.extend(sizes(name, function, &hello)?);
    }
    rows.extend(share_of_sdk(&functions, &hello)?);
    let baseline = "a lambda_http function that answers a constant, built in the same profile";
    let first = [
        first_answer(&functions["entries"], &hello, Level::L2)?,
        first_answer(&functions["entries"], &hello, Level::L3)?,
    ];
    Ok(vec![
        Section { title: "Start and size of every function".into(), baseline: baseline.into(), rows },
        Section { title: "A cold start".into(), baseline: baseline.into(), rows: first.into() },
    ])
}

/// From the start of the process to its first answer, which is a GET from this level; nothing is connected yet.
fn first_answer(entries: &Function, hello: &Function, level: Level) -> Result<Row, Box<dyn Error>> {
    let get = event::get(level.name());
    entries.start()?.api.invoke(&event::put_into(level.name(), level), 1)?;
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..STARTS {
        for (times, function) in times.iter_mut().zip([entries, hello]) {
            let running = function.start()?;
            let (answered, answer) = running.api.invoke(&get, 1)?;
            if function.binary == entries.binary && !answer.contains(level.name()) {
                return Err(format!("not answered by {level:?}: {answer}").into());
            }
            times.push((running.start + answered[0]).as_secs_f64() * 1e3);
        }
    }
    let [ours, theirs] = times.map(Summary::of);
    let what = format!("entries: start of the process to its first answer, a GET from {}", level.name());
    Ok(Row::new(what, Unit::Milliseconds, ours).beside(theirs))
}

/// Milliseconds to the first poll of each.
fn times<'a>(functions: impl Iterator<Item = &'a Function>) -> io::Result<Vec<Summary>> {
    let all: Vec<&Function> = functions.collect();
    let mut times = vec![Vec::with_capacity(STARTS); all.len()];
    for round in 0..=STARTS {
        for (times, function) in times.iter_mut().zip(&all) {
            let time = function.start()?.start.as_secs_f64() * 1e3;
            // The first start of a binary reads it from the disk; later ones are what is compared.
            if round > 0 {
                times.push(time);
            }
        }
    }
    Ok(times.into_iter().map(Summary::of).collect())
}

/// What a client of DynamoDB adds to a bare function, beside all of `entries`.
fn share_of_sdk(functions: &BTreeMap<String, Function>, hello: &Function) -> io::Result<[Row; 2]> {
    let row = |what: &str, size: fn(&Function) -> io::Result<u64>| {
        let added = size(&functions[WITH_SDK])?.saturating_sub(size(hello)?);
        let row = Row::new(format!("entries, {what}: the AWS SDK / all of it"), Unit::Megabytes, megabytes(added));
        io::Result::Ok(row.beside(megabytes(size(&functions["entries"])?)))
    };
    Ok([row("size", whole)?, row("deflated", deflated)?])
}

fn whole(function: &Function) -> io::Result<u64> {
    Ok(fs::metadata(&function.binary)?.len())
}

fn deflated(function: &Function) -> io::Result<u64> {
    binaries::deflated(&function.binary)
}

fn sizes(name: &str, function: &Function, hello: &Function) -> io::Result<[Row; 2]> {
    let row = |what: &str, size: fn(&Function) -> io::Result<u64>| {
        let row = Row::new(format!("{name}: {what}"), Unit::Megabytes, megabytes(size(function)?));
        io::Result::Ok(row.beside(megabytes(size(hello)?)))
    };
    let whole = row("size of the binary", whole)?;
    let whole = if name == WITH_SDK { whole } else { whole.aim("≤ 9 MB") };
    Ok([whole, row("size of the binary, deflated", deflated)?])
}
