//! What `make bench` can measure, one suite after the other, each with engines of its own.

use crate::{
    allocations, batches, coherence, copies, costs, engines::Engines, gateway, growth, import, invalidate, journal,
    level2, level3, limits, loads, neighbours, parts, report::Section, round_trips, starts, warm, warmer, whole,
};
use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// How many entries an invalidation finds its matches among, and L1 holds.
pub const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// The sections of the report that a suite makes.
pub type Measured = Result<Vec<Section>, Box<dyn Error>>;

/// What to measure.
#[derive(Debug)]
pub struct Choice {
    /// The suites, in their own order.
    pub suites: Vec<&'static Suite>,
    /// How many entries an invalidation finds its matches among, one after the other; multiples of 1,000.
    pub sizes: Vec<usize>,
}

/// One kind of measurement.
#[derive(Debug)]
pub struct Suite {
    /// How it is chosen.
    pub name: &'static str,
    measure: fn(&Engines, &Choice) -> Measured,
}

/// All suites, the shortest first.
pub static ALL: [Suite; 21] = [
    Suite { name: "library", measure: |_, _| Ok(vec![parts::measure()]) },
    Suite { name: "functions", measure: |engines, _| starts::measure(engines) },
    Suite { name: "process", measure: |engines, _| Ok(vec![whole::measure(&engines.functions()?)?]) },
    Suite { name: "gateway", measure: |engines, _| gateway::measure(engines) },
    Suite { name: "allocations", measure: |engines, _| allocations::measure(engines) },
    Suite { name: "level2", measure: |engines, _| near_and_far(engines, level2::NAME) },
    Suite { name: "level3", measure: |engines, _| near_and_far(engines, level3::NAME) },
    Suite { name: batches::NAME, measure: |engines, _| batches::all(engines) },
    Suite { name: copies::NAME, measure: |_, _| copies::all() },
    Suite { name: loads::NAME, measure: |engines, _| engines.in_a_process(&[loads::NAME.to_owned()]) },
    Suite { name: "limits", measure: |engines, _| limits::measure(engines) },
    Suite { name: "round-trips", measure: |engines, _| round_trips::measure(engines) },
    Suite { name: "coherence", measure: |engines, _| coherence::measure(engines) },
    Suite { name: "journal", measure: |engines, _| journal::measure(engines) },
    Suite { name: "costs", measure: |engines, _| costs::measure(engines) },
    Suite { name: "growth", measure: |engines, choice| growth::measure(engines, &choice.sizes) },
    Suite { name: "warm", measure: warmed },
    Suite { name: "import", measure: |engines, choice| import::measure(engines, &choice.sizes) },
    Suite { name: "neighbours", measure: |engines, choice| neighbours::measure(engines, &choice.sizes) },
    Suite { name: "invalidate-l3", measure: |engines, choice| invalidate::in_dynamo(engines, &choice.sizes) },
    Suite { name: "invalidate", measure: |engines, choice| invalidate::in_redis(engines, &choice.sizes) },
];

impl Choice {
    /// What the variables `SUITES` (names with a comma between them) and `SIZES` (numbers with a comma between them)
    /// say; without them everything.
    ///
    /// # Errors
    /// When they name what there is not.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Choice, Box<dyn Error>> {
        let names = lookup("SUITES");
        let suites = match &names {
            None => ALL.iter().collect(),
            Some(names) => names.split(',').map(named).collect::<Result<_, _>>()?,
        };
        let sizes = match lookup("SIZES") {
            None => SIZES.to_vec(),
            Some(sizes) => parse_sizes(&sizes)?,
        };
        Ok(Choice { suites, sizes })
    }
}

impl Suite {
    /// Measures, with engines that are started for it.
    ///
    /// # Errors
    /// When what is measured does not work, or panics: the other suites are measured all the same.
    pub fn run(&self, choice: &Choice) -> Measured {
        let measured = catch_unwind(AssertUnwindSafe(|| self.run_alone(choice)));
        measured.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            Err(said.or_else(|| panic.downcast_ref().copied()).unwrap_or("it panicked").into())
        })
    }

    fn run_alone(&self, choice: &Choice) -> Measured {
        let engines = Engines::start()?;
        let sections = (self.measure)(&engines, choice)?;
        engines.stop();
        Ok(sections)
    }
}

/// Measures beside the engines, and with the delays of AWS between.
fn near_and_far(engines: &Engines, measurement: &str) -> Measured {
    let arguments = [measurement.to_owned()];
    Ok([engines.in_a_process(&arguments)?, engines.in_a_distant_process(&arguments)?].concat())
}

/// Warms the fewest entries of all sizes.
fn warmed(engines: &Engines, choice: &Choice) -> Measured {
    let fewest = choice.sizes.iter().min().ok_or("there is no number of entries")?;
    engines.built(&warmer::FUNCTIONS)?;
    engines.in_a_process(&[warm::NAME.to_owned(), fewest.to_string()])
}

fn named(name: &str) -> Result<&'static Suite, String> {
    let names = || ALL.each_ref().map(|suite| suite.name).join(", ");
    ALL.iter().find(|suite| suite.name == name.trim()).ok_or_else(|| format!("SUITES: {name} is none of {}", names()))
}

/// Reads numbers of entries with a comma between them.
///
/// # Errors
/// When one is not a multiple of what is removed at once.
pub fn parse_sizes(text: &str) -> Result<Vec<usize>, String> {
    let parse = |size: &str| {
        let size = size.trim().parse().ok();
        size.filter(|size| *size > 0 && size % invalidate::GROUP == 0)
    };
    let sizes: Option<Vec<usize>> = text.split(',').map(parse).collect();
    sizes.ok_or_else(|| format!("SIZES: multiples of {} with commas between", invalidate::GROUP))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(suites: Option<&str>, sizes: Option<&str>) -> Result<(Vec<&'static str>, Vec<usize>), String> {
        let given = |name: &str| if name == "SUITES" { suites } else { sizes }.map(str::to_owned);
        let choice = Choice::read(given).map_err(|error| error.to_string())?;
        Ok((choice.suites.iter().map(|suite| suite.name).collect(), choice.sizes))
    }

    #[test]
    fn everything_is_measured_unless_told_otherwise() {
        let (suites, sizes) = read(None, None).unwrap();
        assert_eq!((suites.len(), sizes), (ALL.len(), SIZES.to_vec()));
        assert_eq!(
            read(Some("coherence, level2"), Some("2000,5000")).unwrap(),
            (vec!["coherence", "level2"], vec![2000, 5000])
        );
    }

    #[test]
    fn a_suite_that_panics_has_failed() {
        let suite = Suite { name: "broken", measure: |engines, _| panic!("not at {}", engines.redis_url().len()) };
        let choice = Choice { suites: Vec::new(), sizes: Vec::new() };
        assert!(suite.run(&choice).unwrap_err().to_string().starts_with("not at 2"));
    }

    #[test]
    fn what_there_is_not_is_refused() {
        assert!(
            read(Some("coherence,level4"), None).unwrap_err().contains("level4 is none of library, functions, process")
        );
        for sizes in ["0", "1500", "many", "1000,"] {
            assert!(read(None, Some(sizes)).is_err(), "{sizes}");
        }
    }
}
