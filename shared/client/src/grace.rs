//! What has expired and is kept for a while, for who takes it.

use crate::{
    batch::{Batch, Operation},
    entries::{Get, Put},
    get_or_load::GetOrLoad,
    lease::GetOrLease,
};
use std::time::Duration;

impl Get<'_> {
    /// Also what has expired, whole seconds ago at most, as long as its [grace](Put::grace) lasts;
    /// [`stale`](crate::Metadata::stale) says so then.
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = Some(time);
        self
    }
}

impl Batch<'_> {
    /// Reads also what has expired, as [`Get::max_stale`] does.
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = Some(time);
        self
    }
}

impl GetOrLease<'_> {
    /// Also what has expired, as [`Get::max_stale`] does: it is [told of](crate::Lease::Stale) with the lease.
    pub fn max_stale(mut self, time: Duration) -> Self {
        self.max_stale = Some(time);
        self
    }
}

impl Put<'_> {
    /// Keeps it for so many whole seconds after it has expired, for who [takes](Get::max_stale) that.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace_seconds = Some(grace.as_secs());
        self
    }
}

impl Operation {
    /// For how many whole seconds a value that is stored is kept after it has expired.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Operation {
        self.options.grace_seconds = Some(grace.as_secs());
        self
    }
}

impl<F> GetOrLoad<'_, F> {
    /// Keeps what is loaded for so many whole seconds after it has expired, and goes on with what has expired no longer ago
    /// than that where it cannot be loaded, or not [in time](GetOrLoad::soft_timeout), or while another process loads it.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace_seconds = Some(grace.as_secs());
        self.grace = Some(grace);
        self
    }

    /// Gives a load up after so long where there is something to go on with; default never.
    pub fn soft_timeout(mut self, time: Duration) -> Self {
        self.soft_timeout = Some(time);
        self
    }
}
