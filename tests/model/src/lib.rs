//! An explicit-state model of the coherence protocol.

pub mod faults;
pub mod history;
pub mod knowledge;
pub mod operation;
pub mod properties;
pub mod scenario;
pub mod state;
pub mod turn;

mod canonical;
mod get;
mod invalidate;
mod notes;
mod write;
