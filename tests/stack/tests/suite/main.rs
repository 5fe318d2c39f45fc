//! The stack itself, with a function that does what its event says (examples/probe.rs).

#![allow(clippy::unwrap_used)]

mod command;
mod containers;
mod engines;
mod fixture;
mod gateway;
mod invoke;
