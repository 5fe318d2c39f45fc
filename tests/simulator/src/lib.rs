//! The real cache in a simulated world: one seed decides everything.
//!
//! Many containers, each a [`TieredCache`](strata_cache::TieredCache) as it is deployed, and clients run in one thread, in
//! time that only moves when all of them wait. What they ask of Redis and DynamoDB goes over a network that delays, loses
//! and delivers late, to engines in memory that stall, refuse, restart and lose what they were told last; containers
//! freeze, die and have clocks of their own. All of it is drawn from the seed, so a run that goes wrong goes wrong again.
//! What the clients saw is judged by the history checker's rules.
//!
//! # Map
//! ```text
//! simulate ──► run ──► client ──► fleet, ask ──► container ──► TieredCache ──► network ──► engines   what happens
//!    │          │        mix, action                                                          what the seed draws
//!    │          │        failing ──► weather ──────────────────────► network                  what fails, and when
//!    │          ▼
//!    │       verdict ◄── explained, leaks ──► report                    what is wrong, and how it came
//!    └──► shrink ──► run                                                the same with less
//! ```
//!
//! Each seed draws a mix of its own, of work and of what fails: what no run does too often, some run does a lot.

mod action;
mod ask;
mod batch;
mod client;
mod container;
mod explained;
mod failing;
mod fleet;
mod leaks;
mod mix;
mod network;
mod omitted;
mod report;
mod run;
mod shrink;
mod weather;
mod world;

pub use explained::Judged;
pub use report::describe;
pub use run::{Verdict, run};
pub use shrink::shrink;
