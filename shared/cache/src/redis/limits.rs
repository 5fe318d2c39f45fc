//! The fleet's count of each rate limit, and the permits it lends to containers.

use super::{Down, Keyspace, link::read, scripts};
use crate::{
    chance,
    limits::{LEASE_SECONDS, Lent, Renewal, Report, WINDOW_SECONDS},
};
use redis::{Cmd, Value};

#[cfg(test)]
mod tests;

/// Makes the commands of the limits.
#[derive(Debug)]
pub(crate) struct Leases {
    keys: Keyspace,
    /// Tells the containers apart.
    container: String,
}

impl Leases {
    pub(crate) fn new(keys: Keyspace) -> Leases {
        Leases { keys, container: chance::name() }
    }

    /// The command that reports uses and borrows permits.
    pub(crate) fn renew(&self, renewal: &Renewal) -> Cmd {
        let limit = self.keys.limit(&renewal.name, renewal.class.name());
        let own = format!("{limit}:{}", self.container);
        let terms = [renewal.limit, renewal.spare, WINDOW_SECONDS, LEASE_SECONDS];
        lease(&[limit, own], &renewal.report, terms)
    }
}

/// The call of the script for the two `keys`. `terms`: the limit, most permits to lend, seconds of the window, seconds a
/// lease lives.
fn lease(keys: &[String; 2], report: &Report, terms: [u32; 4]) -> Cmd {
    let mut call = scripts::LEASE.call(keys);
    let (second, permits) = report.asks.map_or((String::new(), 0), |(second, permits)| (second.to_string(), permits));
    call.arg(report.number).arg(&terms).arg(second).arg(permits);
    for (second, uses) in &report.uses {
        call.arg(second).arg(uses);
    }
    call
}

type RawLent = (i64, i64, i64, u8, u32, i64);

impl Lent {
    /// Reads the reply to [`Leases::renew`].
    pub(crate) fn parse(reply: Value) -> Result<Lent, Down> {
        let (seconds, micros, granted, counted, used, back): RawLent = read(reply, "a lease")?;
        let granted = u32::try_from(granted).map_err(|_| Down::Odd("a report that came too late"))?;
        Ok(Lent { time_us: seconds * 1_000_000 + micros, granted, counted: counted == 1, used, back })
    }
}
