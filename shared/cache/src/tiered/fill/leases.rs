//! The lease of a load that goes on in this process.

use crate::tiered::{TieredCache, view::View};
use crate::{
    key::Key,
    redis::{Down, Leased, Wanted, leased},
};

/// A lease that this process has. Where nobody waits for its load any more, it goes back with the next sync, or ends by
/// itself.
pub(crate) struct OwnLease<'a> {
    cache: &'a TieredCache,
    key: &'a Key,
    name: u64,
}

impl<'a> OwnLease<'a> {
    pub(crate) fn new(cache: &'a TieredCache, key: &'a Key, name: u64) -> OwnLease<'a> {
        OwnLease { cache, key, name }
    }

    /// Gives it back now, so that whoever waits may load.
    pub(crate) async fn give_back(self) {
        let view = self.cache.view();
        if view.link.is_refusing() {
            return;
        }
        let given = view.ask(view.setup.copies.release(self.key.as_str(), self.name)).await;
        match given {
            Ok(_) => self.forget(),
            Err(down) => tracing::debug!(%down, "a lease is left to its end"),
        }
    }

    /// It is given back.
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for OwnLease<'_> {
    fn drop(&mut self) {
        self.cache.leave_lease(self.key, self.name);
    }
}

impl View<'_> {
    /// Takes the lease of a key that has a value, if nobody has it.
    pub(crate) async fn lease_anyway(&self, key: &Key, wanted: Wanted) -> bool {
        let mut commands = self.give_back_leases();
        commands.push(self.setup.copies.read_or_lease(key.as_str(), wanted, true, self.clock.now_ms()));
        let taken = self.ask_all(commands, 0).await;
        let taken = taken.and_then(|mut replies| leased(replies.pop().ok_or(Down::Odd("no reply"))?));
        matches!(taken, Ok((_, Leased::Yes)))
    }
}
