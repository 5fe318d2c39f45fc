//! What concerns the fleet as a whole: its configuration, its limits, its state, its history, and its upkeep.

mod admit;
pub(crate) mod configure;
mod counting;
pub(crate) mod follow;
pub(crate) mod history;
mod maintain;
mod permits;
mod status;
mod strain;
pub(crate) mod waiting;
