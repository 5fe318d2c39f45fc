//! Rate limits: whether a request may go on. Mostly decided by the lease that the container holds.

use crate::tiered::{TieredCache, view::View};
use crate::{
    level::Level,
    limits::{Class, Standing},
    outcome::Read,
    redis::Down,
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
        self.admit_all(api_key, [(class, 1)]).await.map(|[standing]| standing)
    }

    /// Counts a request that does so many operations of some classes, each named once, all of them or none. Returns where
    /// whoever has `api_key` stands with each; nothing for a class that has no limit, or of which it does none.
    ///
    /// # Errors
    /// When they do not all fit what is left of the limits: where they stand with one that is too small. More operations
    /// than the limit itself never fit.
    pub async fn admit_all<const N: usize>(
        &self,
        api_key: &str,
        needs: [(Class, u32); N],
    ) -> Result<[Option<Standing>; N], Standing> {
        if let Ok(decided) = self.meters().decide(api_key, needs, self.clock.now_ms()) {
            return decided;
        }
        let is_exact = |(class, permits): (Class, u32)| permits > 0 && self.meters().is_exact(class);
        if needs.into_iter().any(is_exact) && self.view().uses(Level::L2) {
            self.link.meet().await;
        }
        // Several requests at once ask for the same permits, which one answer brings.
        let patience = Duration::from_millis(self.setup().config.l2_config.timeout_ms);
        let turn = timeout(patience, self.borrowing.lock()).await;
        for _ in 0..if turn.is_ok() { MOST_ASKED * N } else { 0 } {
            let class = match self.meters().decide(api_key, needs, self.clock.now_ms()) {
                Ok(decided) => return decided,
                Err(class) => class,
            };
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
        let decided = meters.decide(api_key, needs, now_ms);
        decided.unwrap_or_else(|_| meters.decide_alone(api_key, needs, now_ms))
    }

    /// How many requests of a class one API key may make within a minute; `None` when it has no limit.
    pub fn limit(&self, class: Class) -> Option<u32> {
        self.meters().limit(class)
    }
}

impl View<'_> {
    /// Reports and borrows, with a sync when one is due anyway: the request itself needs none then.
    async fn renew(&self, api_key: &str, class: Class) -> Result<(), Down> {
        if self.is_due(i64::MIN, self.clock.steady_ms(), self.window_ms(Read::default())) {
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
