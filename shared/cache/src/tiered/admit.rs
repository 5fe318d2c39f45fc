//! Rate limits: whether a request may go on. Mostly decided by the lease that the container holds.

use super::{TieredCache, view::View};
use crate::{
    level::Level,
    limits::{Class, Lent, Meters, Renewal, Standing},
    lock::{Held, whole},
    redis::{Command, Down, Reply},
};
use futures_util::FutureExt;
use std::time::Duration;
use tokio::time::timeout;

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
        if let Some(decided) = self.meters().decide(api_key, class, self.clock.now_ms()) {
            return decided;
        }
        if self.meters().is_exact(class) && self.view().uses(Level::L2) {
            self.link.meet().await;
        }
        // Several requests at once ask for the same permits, which one answer brings.
        let patience = Duration::from_millis(self.setup().config.l2_config.timeout_ms);
        let turn = timeout(patience, self.borrowing.lock()).await;
        for _ in 0..if turn.is_ok() { MOST_ASKED } else { 0 } {
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

    /// A panic leaves at most one use or one answer out of the books.
    fn meters(&self) -> Held<'_, Meters> {
        self.meters.enter(whole)
    }
}

impl View<'_> {
    /// Reports and borrows, with a sync when one is due anyway: the request itself needs none then.
    async fn renew(&self, api_key: &str, class: Class) -> Result<(), Down> {
        if self.is_due(i64::MIN, self.clock.steady_ms()) {
            return self.sync(Vec::new()).await.map(|_| ());
        }
        let renewal = self.meters().renewal(api_key, class, self.clock.now_ms());
        match renewal {
            Some(_) if self.link.is_refusing() => Err(Down::Refusing),
            Some(renewal) => self.settle_renewal(&renewal, self.ask(self.leases.renew(&renewal)).await?),
            None => Ok(()),
        }
    }
}
