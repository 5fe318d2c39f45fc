//! The history checker: concurrent clients against the local stack while things fail, and a judge of what they saw.
//!
//! What the cache promises is said in terms of what a client can see, so it is checked in those terms and no others:
//! every operation is written down with the time it started and ended, the process that answered and how it ended.
//! What a run did is then looked through for reads that no order of the operations can explain. The judge knows
//! nothing of journals, certificates or levels: it cannot share a mistake with what it judges.
//!
//! # Map
//! ```text
//! soak ──► run ──► workload ──► client ──► the stack        one seed after another, each on a stack of its own
//!           │        faults ─── rig ─────► the stack        what fails meanwhile
//!           ▼
//!        history ──► rules ──► violation ──► report         what was seen, what is wrong with it, and how to show it
//! ```
//! `keys` and `value` say what is read and written.
//!
//! # What is checked
//! * **Stale**: a read that starts more than the bound after the end of an acknowledged mutation returns nothing that
//!   was certainly written before that mutation. The bound is Δ; nothing for a read that says `no-cache`, and in the
//!   process that acknowledged the mutation; Λ where the acknowledgement said `degraded`. A value that comes back
//!   after it was deleted is the same mistake.
//! * **Divided**: once every mutation of a key was acknowledged, and long enough ago, all reads of it say the same. Of
//!   two concurrent mutations either may be the later one, but it is the later one for everybody.
//! * **Vanished**: what was stored in L3 is there until it is deleted, invalidated or expires.
//! * **Expired**: nothing is returned when it should have expired.
//! * **Altered**: a value has every byte that was stored.
//! * **Unavailable**: while L3 is well, no process refuses for seconds everything that L3 alone can answer. So with Redis
//!   cut off, stopped, or full, mutations are acknowledged, be it as `degraded`, and reads are answered.
//!
//! An operation that was answered 5xx, or never, may have happened or not, and may still happen for as long as an
//! operation lives.
//!
//! That an invalidation touches every match and nothing else is judged by what later reads find: a match that it left
//! is Stale, anything else that it took has Vanished. So some keys and tags look like matches and are none: they begin
//! like them, or one byte of theirs is where one character is meant. What its answer says (how many, in which levels)
//! is not judged; the suites in `tests/it` do that.
//!
//! # Who checks the checker
//! `tests/planted.rs` runs it against binaries with one mistake each, which it has to find, and `rules/tests.rs` gives
//! the judge histories made by hand.

pub mod history;
pub mod report;
pub mod rules;
pub mod soak;
pub mod value;

mod client;
mod faults;
mod keys;
mod rig;
mod run;
mod timestamp;
mod warming;
mod workload;

pub use faults::Fault;
pub use rig::{PLANTED, Setup};
pub use run::Verdict;
