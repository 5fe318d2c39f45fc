//! A miss that may be filled: who is to load the value, and with which token it can be stored.
//!
//! The lease is taken in the round trip that finds no copy in L2, and the miss counts from the sync in the same round trip.
//! L3 is read only after that: the fill's claim must find exactly what was there then.

mod fenced;
pub(crate) mod leases;
mod look;
mod miss;
mod wait;

pub(crate) use self::{fenced::OUTWAIT, miss::Miss};

use super::TieredCache;
use crate::{
    chance,
    fill::{Fill, Lease},
    key::Key,
    outcome::{CacheError, Lookup, Read},
    redis::Wanted,
};

impl TieredCache {
    /// Reads `key` as [`get`](TieredCache::get) does. Where nothing is found, or only what has expired, says who is to load
    /// the value.
    ///
    /// # Errors
    /// When no level that can be reached is able to answer.
    pub async fn get_or_lease(
        &self,
        key: &Key,
        read: Read,
        lease: &Lease,
    ) -> Result<(Lookup, Option<Fill>), CacheError> {
        let wanted = Wanted { lease: chance::u64(1..), seconds: lease.seconds };
        let mut found = self.look_or_lease(key, read, wanted).await;
        let is_missing = matches!(found, Ok((Lookup { hit: None, .. }, Some(Fill::Held { .. }))));
        if !lease.wait.is_zero() && is_missing {
            found = self.wait_for_fill(key, read, wanted, lease, found).await;
        }
        self.prefetch().await;
        found
    }
}
