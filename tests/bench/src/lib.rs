//! What Strata costs, always beside something that is not Strata: the same machine, the same build profile, the same
//! run, in turns. A time alone says more about the machine; nothing here is asserted.
//!
//! - [`parts`]: pieces of the library against the crates they are built on, also for `cargo bench`.
//! - [`process`], [`runtime_api`], [`whole`]: the `entries` binary against a function that answers a constant, as
//!   Lambda would run both, with nothing between but the Runtime API served by the bench itself.
//! - [`level2`]: a GET answered by Redis against the bare command, with the same client.
//! - [`stats`], [`report`], [`machine`]: medians, spread and where they were measured.

#![cfg(feature = "harness")]

pub mod binaries;
pub mod corpus;
pub mod event;
pub mod level2;
pub mod machine;
pub mod parts;
pub mod process;
pub mod report;
pub mod runtime_api;
pub mod stats;
pub mod whole;
