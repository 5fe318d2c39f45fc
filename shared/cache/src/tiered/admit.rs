//! Rate limits: whether a request may go on. Mostly decided by the lease that the container holds.

use super::{TieredCache, view::View};
use crate::{
    level::Level,
    limits::{Class, Lent, Meters, Renewal, Standing},
    redis::{Command, Down, Reply},
};
use futures_util::FutureExt;
use std::sync::{MutexGuard, PoisonError};

/// How often one request asks Redis: for the answer to a report that was lost, for its time, and to be counted.
const MOST_ASKED: usize = 3;

impl TieredCache {
    /// Counts a request of a class by whoever has `api_key`. Returns where they stand, or nothing when the class has no
    /// limit. [`limits`](crate::limits) says what holds.
    ///
    /// Asks Redis only when the container holds no permit of theirs, and never waits for it longer than a read would.
    ///
    /// # Errors
    /// When as many requests as the limit were admitted within the last minute: where they stand then.
    pub async fn admit(&self, api_key: &str, class: Class) -> Result<Option<Standing>, Standing> {
        for _ in 0..MOST_ASKED {
            if let Some(decided) = self.meters().decide(api_key, class, self.clock.now_ms()) {
                return decided;
            }
            let view = self.view();
            if !view.uses(Level::L2) {
                break;
            }
            // Boxed, because it is seldom needed, and every request would carry the room for it.
            if let Err(down) = view.renew(api_key, class).boxed().await {
                tracing::debug!(%down, "no permits from Redis");
                break;
            }
        }
        let now_ms = self.clock.now_ms();
        let mut meters = self.meters();
        let decided = meters.decide(api_key, class, now_ms);
        decided.unwrap_or_else(|| meters.decide_alone(api_key, class, now_ms))
    }

    /// The reports for the next sync to take along.
    pub(super) fn due_renewals(&self) -> Vec<(Command, Renewal)> {
        let due = self.meters().due(self.clock.now_ms());
        due.into_iter().map(|renewal| (self.leases.renew(&renewal), renewal)).collect()
    }

    /// Takes in the permits that Redis lent.
    pub(super) fn settle_renewal(&self, renewal: &Renewal, reply: Reply) -> Result<(), Down> {
        let lent = Lent::parse(reply)?;
        self.meters().answered(renewal, &lent, self.clock.now_ms());
        Ok(())
    }

    fn meters(&self) -> MutexGuard<'_, Meters> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View<'_> {
    /// Reports and borrows, with a sync when one is due anyway: the request itself needs none then.
    async fn renew(&self, api_key: &str, class: Class) -> Result<(), Down> {
        let now_ms = self.clock.now_ms();
        if self.is_due(i64::MIN, now_ms) {
            return self.sync(Vec::new()).await.map(|_| ());
        }
        let renewal = self.meters().renewal(api_key, class, now_ms);
        match renewal {
            Some(_) if self.link.is_refusing() => Err(Down::Refusing),
            Some(renewal) => self.settle_renewal(&renewal, self.ask(self.leases.renew(&renewal)).await?),
            None => Ok(()),
        }
    }
}
