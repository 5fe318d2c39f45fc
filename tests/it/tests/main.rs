//! The suites: what users of the running system can see, a module for each topic.
#![allow(clippy::unwrap_used, missing_docs)]

mod authorizer;
mod cluster;
mod coherence;
mod degradation;
mod entries;
mod events;
mod invalidate;
mod jobs;
mod maintenance;
mod monitoring;
mod status;
mod support;
mod tables;
mod template;
mod tidy;
