//! Waiting on somebody's behalf: for a job to be further, or for the next mutation. Each keeps a container busy, so that
//! only a few may, whatever they wait for.

use crate::dynamo::{L3Error, Store, Wait};
use crate::tiered::TieredCache;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_millis(500);

/// The right to wait, until it is given back.
pub(crate) struct Waiting<'a> {
    store: &'a Store,
    wait: Wait,
    until: Instant,
}

impl TieredCache {
    /// The right to wait for so long; `None` when as many wait on behalf of `account`, or in all, as may.
    pub(crate) async fn wait_on_behalf_of(
        &self,
        account: &str,
        time: Duration,
    ) -> Result<Option<Waiting<'_>>, L3Error> {
        let until = Instant::now() + time;
        let wait = self.store.begin_wait(account, time).await?;
        Ok(wait.map(|wait| Waiting { store: &self.store, wait, until }))
    }
}

impl Waiting<'_> {
    /// Waits until it is time to look again; whether there is time to.
    pub(crate) async fn goes_on(&self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(LOOK.min(left)).await;
        true
    }

    /// Gives the right back.
    pub(crate) async fn end(self) {
        if let Err(error) = self.store.end_wait(self.wait).await {
            tracing::debug!(%error, "a slot to wait in is held a little longer");
        }
    }
}
