//! What keeps Redis from being of full use although it answers.

use crate::tiered::view::View;
use crate::{
    level::Level,
    outcome::CacheError,
    redis::{Batch, Down, Evictions, FleetTotals, Order, Reply, refusal},
    stats::Strain,
};

/// From one count of Redis' evictions that is remembered to the next, in ms. What it evicts is told of the last one or two
/// such times.
const SAMPLE_MS: i64 = 300_000;

impl View<'_> {
    /// What the replies to the trials, and to the question for evictions, say.
    pub(crate) fn strain(&self, totals: &FleetTotals, evictions: Reply, trials: Vec<Reply>) -> Strain {
        // Not every Redis says it.
        let now = Evictions::of(evictions, self.clock.now_ms()).ok();
        let known = now.zip(totals.evicted_before.or(totals.evicted));
        let evicted = known.map_or(0, |(now, before)| now.since(before));
        Strain { refused: refusal(trials), evicted, since_ms: known.map(|(_, before)| before.at_ms) }
    }

    /// Remembers from time to time how much Redis has evicted.
    pub(crate) async fn sample_evictions(&self) -> Result<(), CacheError> {
        if !self.uses(Level::L2) {
            return Ok(());
        }
        let batch = Batch::from_iter([self.fleet.totals(0), self.fleet.evictions()]);
        let mut replies = self.link.run(&batch, Order::Any).await?.into_iter();
        let mut next = || replies.next().ok_or(Down::Odd("no reply"));
        let totals = FleetTotals::parse(next()?)?;
        let Ok(now) = Evictions::of(next()?, self.clock.now_ms()) else { return Ok(()) };
        let last = totals.evicted.filter(|last| last.at_ms <= now.at_ms);
        if last.is_none_or(|last| now.at_ms - last.at_ms >= SAMPLE_MS) {
            self.ask(self.fleet.remember_evictions(last.unwrap_or(now), now)).await?;
        }
        Ok(())
    }
}
