//! How far a sweep has come: what it needs to go on in another container after it was cut off anywhere.
//!
//! A sweep goes through key_ranges, each a part of one partition or shard, in a fixed order and a page of each at a time.
//! What is kept is bounded: the number of key_ranges that have been begun, and where each of those few under way stands.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most key_ranges under way at once: one for each partition.
const AT_ONCE: usize = 16;

/// How far a sweep of both shared levels has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScanCheckpoint {
    pub l3: Front,
    pub l2: Front,
}

/// How far a sweep of one level has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Front {
    /// The first stretch that has not been begun.
    next: usize,
    /// The key_ranges under way, and the last that was seen of each.
    under_way: BTreeMap<usize, Option<String>>,
}

impl Front {
    /// The key_ranges to take a page of now, out of `count`, each with what was seen of it last; none when all are done.
    pub(crate) fn due(&mut self, count: usize) -> Vec<(usize, Option<String>)> {
        while self.under_way.len() < AT_ONCE && self.next < count {
            self.under_way.insert(self.next, None);
            self.next += 1;
        }
        self.under_way.iter().map(|(key_range, last)| (*key_range, last.clone())).collect()
    }

    /// A page of a stretch is done: it goes on after `last`, or is done as a whole.
    pub(crate) fn advance(&mut self, key_range: usize, last: Option<String>) {
        match last {
            Some(last) => self.under_way.insert(key_range, Some(last)),
            None => self.under_way.remove(&key_range),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_stretch_is_gone_through_once_however_often_it_is_cut_off() {
        let pages = |key_range: usize| key_range % 3 + 1;
        let mut seen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut front = Front::default();
        loop {
            // In another container.
            front = serde_json::from_str(&serde_json::to_string(&front).unwrap()).unwrap();
            let due = front.due(40);
            assert!(due.len() <= AT_ONCE);
            let Some((key_range, last)) = due.into_iter().next_back() else { break };
            let page = last.map_or(0, |last| last.parse::<usize>().unwrap() + 1);
            seen.entry(key_range).or_default().push(page);
            front.advance(key_range, (page + 1 < pages(key_range)).then(|| page.to_string()));
        }
        let expected = (0..40).map(|key_range| (key_range, (0..pages(key_range)).collect())).collect();
        assert_eq!(seen, expected);
    }
}
