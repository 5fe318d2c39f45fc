//! The entries API: sections 2 to 4 of the contract, through the gateway and all three levels.

mod access;
mod conditional;
mod expiry;
mod fields;
mod head;
mod keys;
mod levels;
mod patch;
mod sliding;
mod telemetry;
mod validation;
mod values;
