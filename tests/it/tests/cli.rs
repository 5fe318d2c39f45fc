//! The command line: the real binary, against the running system, as people and programs use it.

mod access;
mod entries;
mod manual;
mod operation;
mod strata;
mod transfer;
mod undo;
