//! What Strata costs, always beside something that is not Strata: the same machine, the same build profile, the same
//! run, in turns. A time alone says more about the machine; nothing here is asserted.
//!
//! - [`suites`], [`engines`]: which measurements there are, and the servers each of them gets.
//! - [`parts`], [`maps`], `pair`: pieces of the library against the crates they are built on, also for `cargo bench`.
//! - [`starts`], [`binaries`]: every function's start and size against a function that answers a constant.
//! - [`process`], [`runtime_api`], [`whole`]: the `entries` binary against that function, as Lambda would run both, with
//!   nothing between but the Runtime API served by the bench itself.
//! - [`gateway`], [`clients`], [`http`]: the same through the local stack, asked by more and more clients.
//! - [`allocations`]: what a GET from L1 allocates.
//! - [`level2`]: a GET answered by Redis against the bare command, with the same client.
//! - [`level3`]: a GET answered by DynamoDB, and a PUT into all levels, against the bare requests; both also with the
//!   delays of AWS, which [`distance`] makes.
//! - [`copies`]: what an entry takes in Redis and Valkey against a bare SET.
//! - [`loads`]: reading through the library beside plain reads, and a thousand tasks on one cold key.
//! - [`batches`]: a hundred operations at once against as many bare requests at once, and against one GET.
//! - [`limits`], [`audits`]: what rate limits, statistics and audits add to a GET from L1.
//! - [`round_trips`], [`tap`]: what requests of each kind cost Redis.
//! - [`journal`]: a container beside a journal that others fill.
//! - [`coherence`]: L1 hits of the binary that look at the journal more and more often.
//! - [`import`]: the command line's import beside a bare client that sends the same batches.
//! - [`neighbours`]: a quiet tenant beside another one's worst day.
//! - [`warm`]: a warm job against reading the same rows, and writing the same values.
//! - [`invalidate`]: a thousand matches among more and more entries, against going through all of them.
//! - [`growth`], [`plot`]: what more entries, longer values and more containers cost, with curves.
//! - [`costs`], [`capacity`]: what a million requests cost on AWS; [`port`]: what they, [`tap`] and [`distance`] listen on.
//! - [`counters`], [`stats`], [`report`], [`machine`]: work of Redis, medians, spread and where they were measured; `aims`:
//!   what misses its aim, and why.

mod aims;
pub mod allocations;
pub mod audits;
pub mod batches;
pub mod binaries;
pub mod capacity;
pub mod clients;
pub mod coherence;
pub mod copies;
pub mod corpus;
pub mod costs;
pub mod counters;
pub mod distance;
pub mod engines;
pub mod event;
pub mod gateway;
pub mod growth;
pub mod http;
pub mod import;
pub mod invalidate;
pub mod journal;
pub mod level2;
pub mod level3;
pub mod limits;
pub mod loads;
pub mod machine;
pub mod maps;
pub mod neighbours;
mod pair;
pub mod parts;
pub mod plot;
pub mod port;
pub mod process;
pub mod report;
pub mod round_trips;
pub mod runtime_api;
mod samples;
pub mod starts;
pub mod stats;
pub mod suites;
pub mod tap;
pub mod warm;
pub mod warmer;
pub mod whole;
