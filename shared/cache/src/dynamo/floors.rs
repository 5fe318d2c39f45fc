//! Rows from before a level was switched on again.

use crate::version::Version;

/// Versions below which rows are from before a level was switched on again: they count as tombstones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Floors {
    /// For every row.
    pub(crate) l3: Version,
    /// For rows that point to a value kept in L2.
    pub(crate) l2: Version,
}
