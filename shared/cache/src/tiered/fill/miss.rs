//! What a read learns of a miss that is to be filled.

use crate::{
    dynamo::RowState,
    redis::{Down, Leased, Reply, Wanted, leased},
};

/// What a read learns of a miss that is to be filled.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) wanted: Wanted,
    /// What came of the lease; `None` when it was not asked for.
    pub(crate) leased: Option<Leased>,
    /// What stands in L3.
    pub(crate) seen: Option<RowState>,
}

impl Miss {
    /// Nobody knows what it is: nothing is to be filled.
    pub(crate) fn give_up(&mut self) {
        self.leased = None;
    }

    /// Takes the reply to a command that asks for the lease apart, and returns what it says of the copy.
    pub(crate) fn take_lease(&mut self, reply: Reply) -> Result<Reply, Down> {
        let (copy, leased) = leased(reply)?;
        self.leased = Some(leased);
        Ok(copy)
    }
}
