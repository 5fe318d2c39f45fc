//! What `top` has seen so far.

use std::collections::VecDeque;
use strata_client::{Level, LevelStatus, Mutation, Mutations, Result, Status};

/// Looks that are kept: an hour of them, two seconds apart.
const LOOKS: usize = 1800;
/// Mutations that are kept: more than a screen has lines.
const MUTATIONS: usize = 200;

/// What was seen.
pub struct Seen {
    pub url: String,
    pub status: Status,
    /// Hits by hits and misses between two looks, in percent; of each level, the oldest first. Nothing asked, no figure.
    pub ratios: [VecDeque<Option<u64>>; 3],
    /// The newest last.
    pub mutations: VecDeque<Mutation>,
    /// Why the last look saw nothing, or not all.
    pub trouble: Option<String>,
    position: Option<String>,
}

impl Seen {
    pub fn new(url: String, status: Status) -> Seen {
        let ratios = [const { VecDeque::new() }; 3];
        Seen { url, status, ratios, mutations: VecDeque::new(), trouble: None, position: None }
    }

    /// After which the journal goes on.
    pub fn position(&self) -> Option<String> {
        self.position.clone()
    }

    /// Takes in what was seen. A token that may not read the journal sees the rest.
    pub fn look(&mut self, status: Status, journal: Result<Mutations>) {
        for (level, ratios) in Level::ALL.into_iter().zip(&mut self.ratios) {
            let find = |status: &Status| status.levels.iter().find(|found| found.level == level).map(counts);
            let ratio = find(&self.status).zip(find(&status)).and_then(|(before, now)| ratio(before, now));
            keep(ratios, ratio, LOOKS);
        }
        self.status = status;
        self.trouble = None;
        match journal {
            Ok(page) => {
                self.position = page.next.or(self.position.take());
                page.mutations.into_iter().for_each(|mutation| keep(&mut self.mutations, mutation, MUTATIONS));
            }
            Err(error) => self.trouble = Some(format!("journal: {error}")),
        }
    }

    /// Notes why nothing was seen.
    pub fn blind(&mut self, why: String) {
        self.trouble = Some(why);
    }
}

fn keep<T>(kept: &mut VecDeque<T>, new: T, most: usize) {
    kept.push_back(new);
    if kept.len() > most {
        kept.pop_front();
    }
}

fn counts(level: &LevelStatus) -> (u64, u64) {
    (level.hits.unwrap_or_default(), level.misses.unwrap_or_default())
}

/// Percent of hits between two counts. After Redis has lost them they begin anew.
fn ratio(before: (u64, u64), now: (u64, u64)) -> Option<u64> {
    let hits = now.0.checked_sub(before.0)?;
    let all = hits + now.1.checked_sub(before.1)?;
    (all > 0).then(|| 100 * hits / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_what_was_asked_between_two_looks() {
        assert_eq!(ratio((10, 10), (13, 11)), Some(75));
        assert_eq!(ratio((10, 10), (10, 10)), None);
        assert_eq!(ratio((10, 10), (1, 0)), None, "counted anew");
    }

    #[test]
    fn an_hour_is_kept() {
        let mut kept = VecDeque::new();
        (0..5).for_each(|number| keep(&mut kept, number, 3));
        assert_eq!(kept, [2, 3, 4]);
    }
}
