//! Rows from before a level was switched on again.

use super::{Item, client::Store, head::Head};
use crate::{lock::whole, version::Version};

/// Versions below which rows are from before a level was switched on again: they count as tombstones.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Floors {
    /// For every row.
    pub(crate) l3: Version,
    /// For rows that point to a value kept in L2.
    pub(crate) l2: Version,
}

impl Store {
    /// The floors in force.
    pub(crate) fn floors(&self) -> Floors {
        *self.floors.enter(whole)
    }

    /// From now on rows below these floors do not exist.
    pub(crate) fn raise_floors(&self, floors: Floors) {
        *self.floors.enter(whole) = floors;
    }

    /// What an item says but for its body. A row from before its level was switched on again says that the key is gone.
    pub(super) fn head_of(&self, item: &Item) -> Head {
        Head::of(item).above(self.floors())
    }
}
