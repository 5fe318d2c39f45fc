//! The permits that Redis lends this container: what is reported with a sync, and what it brings.

use crate::tiered::TieredCache;
use crate::{
    limits::{Lent, Meters, Renewal},
    lock::{Held, whole},
    redis::{Command, Down, Reply},
};

impl TieredCache {
    /// The reports for the next sync to take along.
    pub(crate) fn due_renewals(&self) -> Vec<(Command, Renewal)> {
        let due = self.meters().due(self.clock.now_ms());
        due.into_iter().map(|renewal| (self.leases.renew(&renewal), renewal)).collect()
    }

    /// Takes in the permits that Redis lent.
    pub(crate) fn settle_renewal(&self, renewal: &Renewal, reply: Reply) -> Result<(), Down> {
        let lent = Lent::parse(reply)?;
        self.meters().answered(renewal, &lent, self.clock.now_ms());
        Ok(())
    }

    /// A panic leaves at most one use or one answer out of the books.
    pub(crate) fn meters(&self) -> Held<'_, Meters> {
        self.meters.enter(whole)
    }
}
