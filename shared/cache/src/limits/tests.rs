//! The promises, against a fleet of containers that freeze, die and lose replies, in random orders.
//!
//! The fleet's count is a twin of `lease.lua`, whose time can be set. That it is one is tested in `redis/limits/tests.rs`,
//! against a real server.

#![allow(clippy::unwrap_used)]

mod books;
mod fleet;
mod meter;

pub(crate) use books::{Books, Terms};

use super::{Standing, meter::Meter};

/// Decides a request, which uses its permits if it may.
fn decide(meter: &mut Meter, now_ms: i64, permits: u32) -> Option<Result<Standing, Standing>> {
    meter.decide(now_ms, permits).map(|decided| decided.map(|()| meter.take(now_ms, permits)))
}

/// The same by the container alone.
fn decide_alone(meter: &mut Meter, now_ms: i64, permits: u32) -> Result<Standing, Standing> {
    meter.decide_alone(now_ms, permits).map(|()| meter.take_alone(now_ms, permits))
}
