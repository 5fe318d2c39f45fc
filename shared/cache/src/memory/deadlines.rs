//! When the copies in L1 expire, second by second, so that what has expired neither counts nor takes the place of what
//! lives.
//!
//! mini-moka knows of no such time: to it an expired copy is one that was read often, until somebody asks for it. To look
//! through all copies for those that have expired would make one request wait for it; here they stand together. A copy
//! that has left before its time stays listed, as a weak reference, until its second has come or there are many of them.

use super::{CachedEntry, Usage};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// So many listed copies that have left are not worth looking for.
const FEW_GONE: usize = 64;
/// Most groups that a forecast has.
const MOST_STEPS: usize = 16;

/// The copies by the second from which on they have expired: the one that begins at their deadline or after it.
#[derive(Debug, Default)]
pub(super) struct Deadlines(Mutex<Seconds>);

#[derive(Debug, Default)]
struct Seconds {
    by_second: BTreeMap<i64, Second>,
    /// Copies that are there, and that are listed.
    held: usize,
    listed: usize,
}

/// A place among the copies, where to go on through all of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    second: i64,
    number: usize,
}

/// The copies of one second.
#[derive(Debug, Default)]
struct Second {
    held: Usage,
    listed: Vec<Weak<CachedEntry>>,
}

impl Deadlines {
    /// A copy is there that has the size of `usage`.
    pub(super) fn add(&self, copy: &Arc<CachedEntry>, usage: Usage) {
        let mut seconds = self.seconds();
        let second = seconds.by_second.entry(second_of(copy)).or_default();
        second.held = second.held.plus(usage);
        second.listed.push(Arc::downgrade(copy));
        seconds.held += 1;
        seconds.listed += 1;
        if seconds.listed > seconds.held + seconds.held / 4 + FEW_GONE {
            seconds.tidy();
        }
    }

    /// A copy is there no more.
    pub(super) fn end(&self, copy: &CachedEntry, usage: Usage) {
        let mut seconds = self.seconds();
        let at = second_of(copy);
        let Some(second) = seconds.by_second.get_mut(&at) else { return };
        second.held = second.held.minus(usage);
        let (is_over, listed) = (second.held.entries == 0, second.listed.len());
        seconds.held -= 1;
        if is_over {
            seconds.by_second.remove(&at);
            seconds.listed -= listed;
        }
    }

    /// What is there and has expired by `now_ms`; for less than a second it may not be known to have.
    pub(super) fn expired(&self, now_ms: i64) -> Usage {
        let seconds = self.seconds();
        seconds.by_second.range(..=now_ms.div_euclid(1000)).fold(Usage::default(), |sum, (_, due)| sum.plus(due.held))
    }

    /// Some copies that have expired by `now_ms`, at most so many; each is handed out once.
    pub(super) fn take_expired(&self, now_ms: i64, most: usize) -> Vec<Weak<CachedEntry>> {
        let mut seconds = self.seconds();
        let mut taken = Vec::new();
        for (_, second) in seconds.by_second.range_mut(..=now_ms.div_euclid(1000)) {
            let from = second.listed.len().saturating_sub(most - taken.len());
            taken.extend(second.listed.drain(from..));
            if taken.len() == most {
                break;
            }
        }
        seconds.listed -= taken.len();
        taken
    }

    /// Some of the listed copies, at most so many, from `place` on, and where the next one stands.
    pub(super) fn some(&self, place: Place, most: usize) -> (Vec<Weak<CachedEntry>>, Option<Place>) {
        let seconds = self.seconds();
        let mut some = Vec::with_capacity(most.min(seconds.listed));
        for (at, second) in seconds.by_second.range(place.second..) {
            let from = if *at == place.second { place.number } else { 0 };
            let left = second.listed.get(from..).unwrap_or_default();
            let taken = left.len().min(most - some.len());
            some.extend_from_slice(&left[..taken]);
            if taken < left.len() {
                return (some, Some(Place { second: *at, number: from + taken }));
            }
        }
        (some, None)
    }

    /// How much will have expired by when, before `until_ms`: times in ms, and what expires by then since the time before.
    /// Where there are many seconds, several are one, which ends with the last of them.
    pub(super) fn forecast(&self, now_ms: i64, until_ms: i64) -> Vec<(i64, Usage)> {
        let seconds = self.seconds();
        let due: Vec<_> = seconds.by_second.range(now_ms.div_euclid(1000) + 1..until_ms.div_euclid(1000)).collect();
        let group = due.len().div_ceil(MOST_STEPS).max(1);
        let step = |group: &[(&i64, &Second)]| {
            let usage = group.iter().fold(Usage::default(), |sum, (_, second)| sum.plus(second.held));
            group.last().map(|(at, _)| (*at * 1000, usage))
        };
        due.chunks(group).filter_map(step).collect()
    }

    fn seconds(&self) -> MutexGuard<'_, Seconds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seconds {
    /// Forgets the listed copies that are gone. None is taken up for that: it could be the last reference, whose end
    /// comes back to this list.
    fn tidy(&mut self) {
        for second in self.by_second.values_mut() {
            second.listed.retain(|copy| copy.strong_count() > 0);
        }
        self.listed = self.by_second.values().map(|second| second.listed.len()).sum();
    }
}

fn second_of(copy: &CachedEntry) -> i64 {
    copy.deadline_ms.div_euclid(1000) + i64::from(copy.deadline_ms.rem_euclid(1000) > 0)
}
