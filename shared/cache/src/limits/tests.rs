//! The promises, against a fleet of containers that freeze, die and lose replies, in random orders.
//!
//! The fleet's count is a twin of `lease.lua`, whose time can be set. That it is one is tested in `redis/limits/tests.rs`,
//! against a real server.

#![allow(clippy::unwrap_used)]

mod books;
mod fleet;
mod meter;

pub(crate) use books::{Books, Terms};
