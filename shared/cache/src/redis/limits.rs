//! The fleet's count of each rate limit, and the permits it lends to containers.

use super::{Down, Keyspace, link::read, scripts};
use crate::limits::{LEASE_SECONDS, Lent, Renewal, WINDOW_SECONDS};
use redis::{Cmd, Value};

/// Makes the commands of the limits.
#[derive(Debug)]
pub(crate) struct Leases {
    keys: Keyspace,
    /// Tells the containers apart.
    container: String,
}

impl Leases {
    pub(crate) fn new(keys: Keyspace) -> Leases {
        Leases { keys, container: format!("{:016x}", fastrand::u64(..)) }
    }

    /// The command that reports uses and borrows permits.
    pub(crate) fn renew(&self, renewal: &Renewal) -> Cmd {
        let limit = self.keys.limit(&renewal.name, renewal.class.name());
        let own = format!("{limit}:{}", self.container);
        let mut call = scripts::LEASE.call(&[limit, own]);
        call.arg(renewal.report.number).arg(renewal.limit).arg(renewal.batch).arg(WINDOW_SECONDS).arg(LEASE_SECONDS);
        for (second, uses) in &renewal.report.uses {
            call.arg(second).arg(uses);
        }
        call
    }
}

impl Lent {
    /// Reads the reply to [`Leases::renew`].
    pub(crate) fn parse(reply: Value) -> Result<Lent, Down> {
        let (seconds, micros, granted, used, back) = read::<(i64, i64, i64, u32, i64)>(reply, "a lease")?;
        let granted = u32::try_from(granted).map_err(|_| Down::Odd("a report that came too late"))?;
        Ok(Lent { time_us: seconds * 1_000_000 + micros, granted, used, back })
    }
}
