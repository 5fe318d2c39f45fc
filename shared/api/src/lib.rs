//! What every Strata function needs around the cache.
//!
//! A request goes one way, all of it visible in [`pipeline`]: the gateway's [`event`] → request id → [`principal`] →
//! [`route`] → scope → [`rate_limit`] → the function's handler → [`error`] map → [`response`]. A function brings a table
//! of [`Route`]s and hands it to [`serve()`], or what it does with other events to [`serve_events`]; its handlers read
//! bodies with [`body`], and answer with a [`Response`] or an
//! [`ApiError`], which always has the contract's shape.
//!
//! # Layout
//! | module | room for |
//! |---|---|
//! | [`event`], [`headers`], [`etag`], [`body`], `encoding`, [`query`], [`cursor`], [`fill`], [`lists`], [`warming`] | reading requests |
//! | [`principal`], [`denial`] | who is calling, scopes, key prefixes; why a caller is not known |
//! | [`rate_limit`] | what answers say of the caller's rate limit |
//! | [`route`], [`pipeline`] | which handler, in which order |
//! | [`error`], [`fill_offer`], [`response`], [`mutation`], [`timestamp`], [`answer_size`], [`cors`] | writing answers |
//! | [`settings`], [`telemetry`], [`keyed`], `sealed`, [`metrics`], [`serve`](mod@serve) | environment, log, keyed hashes and seals, metrics, start-up |

pub mod answer_size;
pub mod body;
pub mod cache_control;
pub mod cors;
pub mod cursor;
pub mod denial;
mod encoding;
pub mod error;
pub mod etag;
pub mod event;
pub mod fill;
pub mod fill_offer;
pub mod headers;
mod invocation;
pub mod keyed;
pub mod lists;
pub mod metrics;
pub mod mutation;
mod nearest;
pub mod pipeline;
pub mod position;
pub mod principal;
pub mod problem;
pub mod query;
pub mod rate_limit;
mod respond;
pub mod response;
pub mod route;
pub mod scope;
mod sealed;
pub mod serve;
pub mod settings;
pub mod telemetry;
pub mod timestamp;
pub mod warming;

pub use body::{Body, Fields};
pub use cors::Cors;
pub use cursor::CursorOf;
pub use denial::Denial;
pub use error::ApiError;
pub use event::Event;
pub use fill_offer::{FILL_TOKEN, FillOffer};
pub use headers::Headers;
pub use lambda_http::http;
pub use lambda_runtime::{Diagnostic, Error};
pub use pipeline::App;
pub use principal::Principal;
pub use problem::Problem;
pub use query::Query;
pub use response::{Answer, Response, Woven};
pub use route::{Call, Route, Standings, Times};
pub use scope::Scope;
pub use serve::{Invocation, serve, serve_events};
pub use strata_cache::Class;
pub use timestamp::Timestamp;

/// `Cache-Status` (RFC 9211): what each level did for an answer.
pub const CACHE_STATUS: http::HeaderName = http::HeaderName::from_static("cache-status");
