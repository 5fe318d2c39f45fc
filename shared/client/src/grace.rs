//! What has expired and is kept for a while, for who takes it.

use crate::{
    batch::{Batch, Operation},
    entries::{Get, Put},
    get_or_load::GetOrLoad,
    lease::GetOrLease,
};
use std::time::Duration;

/// What a read says of the age of what it takes.
pub(crate) fn cache_control(fresh: bool, max_stale: Option<Duration>) -> Option<String> {
    let stale = max_stale.map(|time| format!("max-stale={}", time.as_secs().min(u32::MAX.into())));
    let said: Vec<String> = fresh.then(|| "no-cache".to_owned()).into_iter().chain(stale).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_says_what_it_takes() {
        let said = |fresh, seconds: Option<u64>| cache_control(fresh, seconds.map(Duration::from_secs));
        assert_eq!((said(false, None), said(true, None).as_deref()), (None, Some("no-cache")));
        assert_eq!(said(false, Some(5)).as_deref(), Some("max-stale=5"));
        assert_eq!(said(true, Some(u64::MAX)).as_deref(), Some("no-cache, max-stale=4294967295"));
    }
}
