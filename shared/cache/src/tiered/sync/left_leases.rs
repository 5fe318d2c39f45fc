//! Leases that nobody needs any more go back with the next sync.

use crate::tiered::{TieredCache, view::View};
use crate::{key::Key, lock::whole, redis::Command};

/// Most that wait for that: more than the tasks that one process drops at once, mostly. Others end by themselves.
const MOST_LEFT: usize = 1000;

impl TieredCache {
    /// Has a lease given back.
    pub(crate) fn leave_lease(&self, key: &Key, name: u64) {
        let mut left = self.left_leases.enter(whole);
        if left.len() < MOST_LEFT {
            left.push((key.clone(), name));
        }
    }
}

impl View<'_> {
    /// The commands that give back what was left.
    pub(crate) fn give_back_leases(&self) -> Vec<Command> {
        let left = std::mem::take(&mut *self.left_leases.enter(whole));
        left.into_iter().map(|(key, name)| self.setup.copies.release(key.as_str(), name)).collect()
    }
}
