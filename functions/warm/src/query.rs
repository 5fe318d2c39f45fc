//! What the query of a request for jobs may say.

use std::ops::RangeInclusive;
use strata_api::{Event, Problem};

/// The query of a request that knows these parameters and no others.
pub struct Query<'a>(&'a Event);

impl<'a> Query<'a> {
    /// The query of `event`, in which only `known` parameters may stand.
    pub fn of(event: &'a Event, known: &[&str]) -> Result<Query<'a>, Problem> {
        let Some(other) = event.query.keys().find(|name| !known.contains(&name.as_str())) else {
            return Ok(Query(event));
        };
        let name: String = other.chars().take(64).collect();
        Err(Problem::new(name, format!("is not a known query parameter; known are {}", known.join(", "))))
    }

    /// The one value of a parameter.
    pub fn one(&self, name: &'static str) -> Result<Option<&'a str>, Problem> {
        match self.0.query.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(Problem::new(name, "must not be given twice")),
        }
    }

    /// The whole number that a parameter says.
    pub fn number(&self, name: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let problem = || Problem::new(name, format!("must be an integer from {} to {}", range.start(), range.end()));
        number.map(Some).ok_or_else(problem)
    }
}
