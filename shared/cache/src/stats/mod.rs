//! What a container counts, and how the fleet comes to know.
//!
//! A container knows only itself, and is frozen most of the time. It counts in its memory, which costs an L1 hit one
//! atomic addition, and tells Redis what came to it with a sync that is sent anyway. Counts of before the loss of Redis
//! are lost with it.
//!
//! | count | is added to when |
//! |---|---|
//! | hits of a level | it answered a read with a value |
//! | misses of a level | it was asked for a read and had no value that could be returned |
//! | stale of a level | such a miss, where it held a copy that could not be trusted |
//! | errors of a level | an operation went on, or failed, without it because it could not be reached |
//! | absent, failed | a read found no value at any level; a read could not be answered |
//! | promotions of a level | a read, or a prefetch, brought a value up into it, once for each level filled |
//! | evictions | L1 dropped a copy to make room: not one that expired, idled, was removed or replaced |
//! | demotions | such a copy that was put into a lower level as well, which serves it from then on |
//! | degraded | a mutation was acknowledged without Redis |
//! | syncs | the journal was read |

mod breakdown;
mod counters;
mod report;
mod rows;
mod status;
mod sync_times;

pub use breakdown::{Breakdown, Census, MAX_DEPTH, SEPARATORS};
pub use counters::{Count, Counters, Counts};
pub(crate) use report::{Holding, Report, Reporter};
pub use rows::Amount;
pub(crate) use rows::{Kept, RowChanges, RowTally};
pub use status::{FleetReport, Health, LevelStatus, Status, Strain};
pub(crate) use sync_times::SyncTimes;
