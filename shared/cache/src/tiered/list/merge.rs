//! One list out of those of the sixteen shards, each of which is in order: no more of each is read than the page needs.
//!
//! A name may be answered once every shard has been read up to it, or to its end. Names are spread evenly, so that of a
//! page's names each shard has about a sixteenth: that much and a little more is read of all at once, and then of those
//! that turn out to have had more.

use crate::shard::SHARDS;
use std::collections::BTreeMap;

/// The lists of all shards, as far as they have been read.
#[derive(Debug)]
pub(crate) struct Merge<T> {
    runs: Vec<Run>,
    /// What was read and not taken yet.
    waiting: BTreeMap<String, T>,
}

/// How far the list of one shard has been read.
#[derive(Debug, Clone)]
struct Run {
    /// The last name that was seen: reading goes on behind it.
    behind: Option<String>,
    /// Whether anything was read.
    begun: bool,
    done: bool,
}

/// A reading that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub shard: u64,
    /// The name behind which it begins.
    pub behind: Option<String>,
}

impl<T> Merge<T> {
    /// Lists whose names are to come behind that one.
    pub(crate) fn new(behind: Option<&str>) -> Merge<T> {
        let run = Run { behind: behind.map(str::to_owned), begun: false, done: false };
        let runs = (0..SHARDS).map(|_| run.clone()).collect();
        Merge { runs, waiting: BTreeMap::new() }
    }

    /// The readings that must be made before `wanted` names can be taken; none when all lists are at their end.
    pub(crate) fn due(&self, wanted: usize) -> Vec<Due> {
        // A shard that has been read to where the page will end, as far as can be seen, need not be read on.
        let end = self.waiting.keys().nth(wanted.saturating_sub(1));
        let is_short = |run: &&Run| !run.begun || end.is_none_or(|end| run.behind.as_ref().is_none_or(|at| at < end));
        let due = self.runs.iter().zip(0..).filter(|(run, _)| !run.done && is_short(run));
        due.map(|(run, shard)| Due { shard, behind: run.behind.clone() }).collect()
    }

    /// Takes in what a reading brought: names in order, and behind which one the next begins; `None` at the end.
    pub(crate) fn add(&mut self, shard: u64, names: impl IntoIterator<Item = (String, T)>, next: Option<String>) {
        let run = &mut self.runs[usize::try_from(shard).expect("a shard is a small number")];
        run.begun = true;
        run.done = next.is_none();
        run.behind = next.or(run.behind.take());
        self.waiting.extend(names);
    }

    /// Takes what can be answered: all that comes before whatever has not been read.
    pub(crate) fn take(&mut self) -> Vec<(String, T)> {
        if self.runs.iter().any(|run| !run.begun) {
            return Vec::new();
        }
        let rest = match self.settled() {
            Some(settled) => self.waiting.split_off(&format!("{settled}\0")),
            None => BTreeMap::new(),
        };
        std::mem::replace(&mut self.waiting, rest).into_iter().collect()
    }

    /// The name up to which every list has been read; `None` when all are at their end, or one has not been begun.
    pub(crate) fn settled(&self) -> Option<&str> {
        self.runs.iter().filter(|run| !run.done).filter_map(|run| run.behind.as_deref()).min()
    }
}

/// How many names to read of each of `runs` lists that are to bring `wanted` together: the even share, and as much more
/// as chance makes likely.
pub(crate) fn share(wanted: usize, runs: usize) -> usize {
    let even = wanted.div_ceil(runs.max(1));
    even + 2 * even.isqrt() + 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::shard::shard;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Reads as a level would: at most `limit` names of one shard behind one.
    fn read(names: &BTreeSet<String>, due: &Due, limit: usize) -> (Vec<(String, ())>, Option<String>) {
        let behind = |name: &&String| due.behind.as_ref().is_none_or(|behind| *name > behind);
        let own = names.iter().filter(|name| shard(name) == due.shard).filter(behind);
        let read: Vec<(String, ())> = own.take(limit).map(|name| (name.clone(), ())).collect();
        let next = (read.len() == limit).then(|| read.last().unwrap().0.clone());
        (read, next)
    }

    proptest! {
        #[test]
        fn every_name_comes_once_and_in_order(
            names in prop::collection::btree_set("[ -~\u{e9}\u{1F600}]{1,8}", 0..200),
            wanted in 1_usize..60,
            limit in 1_usize..20,
        ) {
            let mut merge = Merge::new(None);
            let mut taken = Vec::new();
            loop {
                taken.extend(merge.take().into_iter().map(|(name, ())| name));
                let due = merge.due(wanted);
                if due.is_empty() {
                    break;
                }
                for due in due {
                    let (read, next) = read(&names, &due, limit);
                    merge.add(due.shard, read, next);
                }
            }
            prop_assert_eq!(taken, names.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_shard_that_is_far_ahead_is_not_read_on() {
        let mut merge = Merge::new(None);
        assert_eq!(merge.due(1).len(), 16);
        merge.add(0, [("a".to_owned(), ())], Some("a".to_owned()));
        (1..SHARDS).for_each(|shard| merge.add(shard, [(format!("b{shard}"), ())], Some(format!("b{shard}"))));
        assert_eq!(merge.settled(), Some("a"));
        assert_eq!(merge.take(), [("a".to_owned(), ())]);
        let due: Vec<u64> = merge.due(1).into_iter().map(|due| due.shard).collect();
        assert_eq!(due, [0], "b1 is the next, unless shard 0 has one before it");
    }
}
