//! The suites: what users of the running system can see, a module for each topic.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
mod authorizer;
mod batch;
mod coherence;
mod config;
mod degradation;
mod doubt;
mod engines;
mod entries;
mod events;
mod indexes;
mod invalidate;
mod jobs;
mod json;
mod library;
mod limits;
mod maintenance;
mod monitoring;
mod openapi;
mod outage;
mod pages;
mod prefetch;
mod quota;
mod races;

mod status;
mod support;
mod tables;
mod template;
mod tidy;
mod unfinished;
mod warm;
mod warming;
