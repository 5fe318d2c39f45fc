//! The `Cache-Status` header (RFC 9211): which level answered a read, and why the others did not.
//!
//! Levels are listed from the one nearest to the data to the one nearest to the client, as the RFC wants it; levels
//! that were not asked are left out.

use std::fmt::Write;
use strata_cache::{Level, Path, Step};

/// What each level did; `ttl` are the seconds that the answer has to live, and `stale` says whether it has expired.
pub fn of(path: &Path, ttl: Option<i64>, stale: bool) -> String {
    let mut list = String::with_capacity(128);
    for (level, step) in path.steps().into_iter().rev() {
        if let Some(said) = said(step) {
            member(&mut list, level, said, ttl.filter(|_| step == Step::Hit));
            if stale && step == Step::Hit {
                list.push_str("; detail=stale");
            }
        }
    }
    list
}

/// The parameters for a step; `None` when there is nothing to say.
fn said(step: Step) -> Option<&'static str> {
    match step {
        Step::Unasked => None,
        Step::Hit => Some("hit"),
        Step::Miss => Some("fwd=uri-miss"),
        Step::Stale => Some("fwd=stale"),
        Step::Disabled => Some("fwd=bypass; detail=disabled"),
        Step::Unavailable => Some("fwd=bypass; detail=unavailable"),
    }
}

fn member(list: &mut String, level: Level, said: &str, ttl: Option<i64>) {
    let comma = if list.is_empty() { "" } else { ", " };
    write!(list, "{comma}{level}; {said}").expect("a string takes any text");
    if let Some(ttl) = ttl {
        write!(list, "; ttl={ttl}").expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_to_the_data_first() {
        let path = Path { l1: Step::Miss, l2: Step::Unavailable, l3: Step::Hit };
        let expected = "L3_DATABASE; hit; ttl=3599, L2_REDIS; fwd=bypass; detail=unavailable, L1_MEMORY; fwd=uri-miss";
        assert_eq!(of(&path, Some(3599), false), expected);
    }

    #[test]
    fn what_has_expired_is_said_to_be_stale_where_it_was_found() {
        let path = Path { l1: Step::Miss, l2: Step::Hit, ..Path::default() };
        assert_eq!(of(&path, Some(-3), true), "L2_REDIS; hit; ttl=-3; detail=stale, L1_MEMORY; fwd=uri-miss");
    }

    #[test]
    fn what_was_not_asked_is_left_out() {
        let path = Path { l1: Step::Hit, ..Path::default() };
        assert_eq!(of(&path, Some(5), false), "L1_MEMORY; hit; ttl=5");
        let path = Path { l1: Step::Stale, l2: Step::Miss, l3: Step::Disabled };
        let expected = "L3_DATABASE; fwd=bypass; detail=disabled, L2_REDIS; fwd=uri-miss, L1_MEMORY; fwd=stale";
        assert_eq!(of(&path, None, false), expected);
    }
}
