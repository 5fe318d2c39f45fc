//! The part of maintenance that calls for jobs: for those whose time has come, those whose runner is gone, and those that
//! nobody came for. What is due is found by time, so that what waits for later costs nothing; and what is to be called
//! for, of each account in turn.

use crate::tiered::{invalidate::sweep::Pace, jobs::SILENCE_MS, jobs::turns::Turns, view::View};
use crate::{
    dynamo::{L3Error, Place},
    outcome::{CacheError, Maintained},
};
use futures_util::stream::{self, StreamExt, TryStreamExt};

/// How long a job that is ready may wait for whoever was called, in ms, before that is done again.
const UNANSWERED_MS: i64 = 120_000;
/// For how many it is done again at a time: as many as are worked on at once. Whoever comes takes the others as well.
const LANES: usize = 10;
/// Calls that are written at once.
const CALLS_AT_ONCE: usize = 8;

impl View<'_> {
    /// Calls for the jobs that nobody works on.
    pub(crate) async fn wake_jobs(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        for id in self.store.rows_of_the_release_before().await? {
            self.store.line_up(&id).await?;
        }
        let line = self.store.line().await?;
        let now_ms = self.clock.now_ms();
        let turns = Turns::of(&line, now_ms);
        // Of one that has died it is not said that nobody works on it.
        let busy = line.places.iter().filter(|place| place.is_busy(now_ms));
        let unanswered =
            turns.in_order().into_iter().filter(|place| place.called_ms.is_some_and(|at| at < now_ms - UNANSWERED_MS));
        let due = turns.to_be_called().into_iter().chain(busy).chain(unanswered.take(LANES));
        let due = due.take_while(|_| !pace.is_over());
        let calls = stream::iter(due.map(|place| self.call_for(place, now_ms))).buffer_unordered(CALLS_AT_ONCE);
        done.jobs_woken += calls.try_fold(0, async |sum, called| Ok(sum + u64::from(called))).await?;
        Ok(())
    }

    /// Calls for a job, unless somebody works on it; returns whether it did.
    async fn call_for(&self, place: &Place, now_ms: i64) -> Result<bool, L3Error> {
        let called = self.store.wake_job(place, (now_ms - UNANSWERED_MS, now_ms - SILENCE_MS)).await?;
        if !called && !place.is_busy(now_ms) {
            self.store.forget_if_over(place).await?;
        }
        Ok(called)
    }
}
