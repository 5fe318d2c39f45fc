//! The suites: what users of the running system can see, a module for each topic.
#![allow(clippy::unwrap_used, missing_docs)]

mod authorizer;
mod coherence;
mod config;
mod degradation;
mod engines;
mod entries;
mod events;
mod invalidate;
mod jobs;
mod json;
mod library;
mod limits;
mod maintenance;
mod monitoring;
mod openapi;
mod prefetch;
mod races;
mod readme;
mod status;
mod support;
mod tables;
mod template;
mod tidy;
mod warm;
mod warming;
