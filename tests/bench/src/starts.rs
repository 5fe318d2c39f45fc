//! Every function that is deployed beside the one that answers a constant: how soon it asks for work, and how much of
//! it has to be brought to a machine first.

use crate::{
    binaries,
    engines::Engines,
    process::Function,
    report::{Row, Section, Unit},
    stats::Summary,
    whole::megabytes,
};
use std::{error::Error, fs, io};

/// Starts of each function.
const STARTS: usize = 41;

/// Measures all functions in turns.
///
/// # Errors
/// When one cannot be built or started.
pub fn measure(engines: &Engines) -> Result<Vec<Section>, Box<dyn Error>> {
    let names = binaries::functions()?;
    let (functions, hello) = engines.built(&names)?;
    let mut starts = times(&functions, &hello)?;
    let baseline = starts.pop().expect("the baseline is measured as well");
    let starts = names.iter().zip(starts).map(|(name, times)| {
        let row = Row::new(format!("{name}: start of the process to its first poll"), Unit::Milliseconds, times);
        row.beside(baseline).aim("≤ 1.5×")
    });
    let mut rows: Vec<Row> = starts.collect();
    for (name, function) in names.iter().zip(&functions) {
        rows.extend(sizes(name, function, &hello)?);
    }
    Ok(vec![Section {
        title: "Start and size of every function".into(),
        baseline: "a lambda_http function that answers a constant, built in the same profile".into(),
        rows,
    }])
}

/// Milliseconds to the first poll, of the baseline last.
fn times(functions: &[Function], hello: &Function) -> io::Result<Vec<Summary>> {
    let all: Vec<&Function> = functions.iter().chain([hello]).collect();
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

fn sizes(name: &str, function: &Function, hello: &Function) -> io::Result<[Row; 2]> {
    let row = |what: &str, size: fn(&Function) -> io::Result<u64>| {
        let row = Row::new(format!("{name}: {what}"), Unit::Megabytes, megabytes(size(function)?));
        io::Result::Ok(row.beside(megabytes(size(hello)?)))
    };
    let whole = row("size of the binary", |function| Ok(fs::metadata(&function.binary)?.len()))?;
    let deflated = row("size of the binary, deflated", |function| binaries::deflated(&function.binary))?;
    Ok([whole.aim("≤ 9 MB"), deflated])
}
