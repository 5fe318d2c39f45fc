//! The suites: what users of the running system can see, a module for each topic.
#![allow(clippy::unwrap_used, missing_docs)]

mod authorizer;
mod entries;
mod events;
mod template;
mod tidy;
