//! A file for each command: its options, and what it does.

pub mod completions;
pub mod config;
pub mod explain;
pub mod export;
pub mod get;
pub mod import;
pub mod invalidate;
pub mod jobs;
pub mod journal;
pub mod login;
pub mod ls;
pub mod put;
pub mod rm;
pub mod stats;
pub mod status;
pub mod top;
pub mod warm;
mod which;
