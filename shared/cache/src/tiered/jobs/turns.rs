//! Whose turn it is: API keys in turn, however many jobs each has.
//!
//! The next job is one of the account that is worked on least now and was served longest ago; of that account's, a removal
//! before a warming, for what is invalidated but not yet removed costs everybody until it is; then the one that has
//! waited longest.

use crate::dynamo::{Line, Place};
use std::{cmp::Reverse, collections::HashMap};

/// Who is asked for, and what the line says of all.
pub(crate) struct Turns<'a> {
    line: &'a Line,
    now_ms: i64,
    /// How many jobs of each account are worked on.
    busy: HashMap<&'a str, usize>,
}

impl<'a> Turns<'a> {
    /// The turns of `line` at `now_ms`.
    pub(crate) fn of(line: &'a Line, now_ms: i64) -> Turns<'a> {
        let mut busy = HashMap::new();
        for place in line.places.iter().filter(|place| place.is_busy(now_ms)) {
            *busy.entry(place.account.as_str()).or_default() += 1;
        }
        Turns { line, now_ms, busy }
    }

    /// The jobs that wait for somebody, the one whose turn it is first.
    pub(crate) fn in_order(&self) -> Vec<&'a Place> {
        self.order(self.line.places.iter().filter(|place| place.waits(self.now_ms)))
    }

    /// The jobs that wait for maintenance, those of different accounts in turn.
    pub(crate) fn to_be_called(&self) -> Vec<&'a Place> {
        let waits = |place: &&Place| place.called_ms.is_none() && !place.is_busy(self.now_ms);
        let mut called = HashMap::<&str, usize>::new();
        let ordered = self.order(self.line.places.iter().filter(waits)).into_iter();
        let mut rounds: Vec<_> = ordered
            .map(|place| {
                let round = called.entry(place.account.as_str()).or_default();
                *round += 1;
                (*round, place)
            })
            .collect();
        rounds.sort_by_key(|(round, _)| *round);
        rounds.into_iter().map(|(_, place)| place).collect()
    }

    /// Whether whoever works on `mine` should leave it for another: for one of an account that is worked on no more than
    /// the rest of its own is, or for a removal of its own.
    pub(crate) fn should_yield(&self, mine: &Place) -> bool {
        let rest = self.busy.get(mine.account.as_str()).map_or(0, |busy| busy.saturating_sub(1));
        self.line.places.iter().filter(|place| place.waits(self.now_ms)).any(|other| {
            if other.account == mine.account {
                other.is_removal && !mine.is_removal
            } else {
                self.busy.get(other.account.as_str()).copied().unwrap_or_default() <= rest
            }
        })
    }

    fn order(&self, places: impl Iterator<Item = &'a Place>) -> Vec<&'a Place> {
        let mut places: Vec<&Place> = places.collect();
        places.sort_by_key(|place| {
            let account = place.account.as_str();
            let busy = self.busy.get(account).copied().unwrap_or_default();
            let served_ms = self.line.served_ms.get(account).copied().unwrap_or_default();
            (busy, served_ms, Reverse(place.is_removal), place.since_ms)
        });
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn place(job: &str, account: &str, since_ms: i64) -> Place {
        Place {
            job: job.to_owned(),
            run_at_ms: 0,
            account: account.to_owned(),
            is_removal: job.starts_with("removal"),
            since_ms,
            called_ms: Some(since_ms),
            busy_until_ms: 0,
        }
    }

    fn busy(job: &str, account: &str) -> Place {
        Place { busy_until_ms: NOW + 1, ..place(job, account, 0) }
    }

    fn line(places: Vec<Place>, served: &[(&str, i64)]) -> Line {
        let served_ms = served.iter().map(|(account, at)| ((*account).to_owned(), *at)).collect();
        Line { places, served_ms }
    }

    fn order(line: &Line) -> Vec<&str> {
        Turns::of(line, NOW).in_order().into_iter().map(|place| place.job.as_str()).collect()
    }

    #[test]
    fn the_account_that_is_worked_on_least_comes_first_and_then_who_was_served_longest_ago() {
        let places = vec![place("a1", "a", 1), busy("a2", "a"), place("b1", "b", 9), place("c1", "c", 5)];
        assert_eq!(order(&line(places.clone(), &[])), ["c1", "b1", "a1"]);
        assert_eq!(order(&line(places, &[("c", 7)])), ["b1", "c1", "a1"]);
    }

    #[test]
    fn a_removal_comes_before_the_warmings_of_its_account_and_no_others() {
        let places = vec![place("a1", "a", 1), place("removal", "a", 2), place("b1", "b", 3)];
        assert_eq!(order(&line(places.clone(), &[("a", 5)])), ["b1", "removal", "a1"]);
        assert_eq!(order(&line(places, &[])), ["removal", "a1", "b1"]);
    }

    #[test]
    fn who_works_on_one_of_many_leaves_it_for_one_who_waits() {
        let many: Vec<Place> = (0..3).map(|number| busy(&format!("a{number}"), "a")).collect();
        let beside = |other: Place| {
            let line = line(many.iter().cloned().chain([other, place("a9", "a", 0)]).collect(), &[]);
            Turns::of(&line, NOW).should_yield(&many[0])
        };
        assert!(beside(place("b", "b", 8)), "nobody works for b");
        assert!(beside(place("removal", "a", 8)), "its own removal");
        assert!(!beside(place("a8", "a", 0)), "its own warmings have their turn when its slice ends");
        assert!(!beside(busy("b", "b")), "nobody waits");
        assert!(!beside(Place { called_ms: None, ..place("b", "b", 8) }), "it waits for maintenance");
        let alone = line(vec![busy("a", "a"), busy("b0", "b"), place("b1", "b", 0)], &[]);
        assert!(!Turns::of(&alone, NOW).should_yield(&alone.places[0]), "each has one");
    }

    #[test]
    fn maintenance_calls_for_one_of_each_account_before_the_next() {
        let waiting = |job: &str, account: &str| Place { called_ms: None, ..place(job, account, 0) };
        let places = vec![waiting("a1", "a"), waiting("a2", "a"), waiting("a3", "a"), waiting("b1", "b")];
        let line = line(places, &[]);
        let called: Vec<_> = Turns::of(&line, NOW).to_be_called().into_iter().map(|place| place.job.as_str()).collect();
        assert_eq!(called, ["a1", "b1", "a2", "a3"]);
    }
}
