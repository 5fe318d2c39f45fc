//! The suites: what users of the running system can see, a module for each topic.
#![allow(clippy::unwrap_used, missing_docs)]

mod answers;
mod authorizer;
mod batch;
mod cli;
mod client;
mod coherence;
mod config;
mod confinement;
mod degradation;
mod doubt;
mod engines;
mod entries;
mod events;
mod invalidate;
mod jobs;
mod json;
mod library;
mod limits;
mod lists;
mod maintenance;
mod monitoring;
mod openapi;
mod outage;
mod pages;
mod prefetch;
mod races;

mod status;
mod support;
mod tables;
mod template;
mod tidy;
mod unfinished;
mod warm;
mod warming;
