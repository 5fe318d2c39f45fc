//! The protocol holds, in every run of small configurations; and with a rule taken away it does not.
#![allow(missing_docs, clippy::unwrap_used)]

mod check;
mod fills;
mod positions;
mod protocol;
mod rules;
mod tags;
mod traces;
mod undo;
