//! What is kept so that it could be undone, and cannot be any more: maintenance takes it away.

use crate::tiered::{
    invalidate::sweep::{Pace, go_through},
    view::View,
};
use crate::{
    level::Level,
    outcome::{CacheError, Maintained},
    scan_checkpoint::Front,
    selector::WrittenInvalidation,
    version::Position,
};

/// How much longer than it can begin an undo that has begun can go on, in ms.
pub(super) const GOES_ON_MS: i64 = 300_000;
/// How much longer than an undo can go on what it needs is kept, in ms: clocks differ.
const MARGIN_MS: i64 = 60_000;

impl View<'_> {
    /// Takes what is kept away from invalidations that cannot be undone any more. One that is cut off begins anew, and finds
    /// less.
    pub(crate) async fn tidy_undone(&self, done: &mut Maintained, pace: Pace) -> Result<(), CacheError> {
        if !self.uses(Level::L3) {
            return Ok(());
        }
        for id in self.store.undos_due(self.clock.now_ms()).await? {
            if self.is_over(&id).await? {
                if !self.forget_kept(&id, pace).await? {
                    return Ok(());
                }
                self.store.undo_tidied(&id).await?;
                done.invalidations_tidied += 1;
            }
            if pace.is_over() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether an invalidation cannot be undone any more: an undo that has begun may go on for a while.
    async fn is_over(&self, id: &str) -> Result<bool, CacheError> {
        let Some(record) = self.store.undo_record(id).await? else { return Ok(true) };
        let is_under_way = record.outcome.is_none() && !record.progress.is_empty();
        let goes_on_ms = if is_under_way { GOES_ON_MS } else { 0 };
        Ok(record.new.until_ms + goes_on_ms + MARGIN_MS <= self.clock.now_ms())
    }

    /// Takes the values from the tombstones that an invalidation has left; returns whether it came to the end.
    async fn forget_kept(&self, id: &str, pace: Pace) -> Result<bool, CacheError> {
        let parts = self.store.undo_parts(id).await?;
        for part in parts.iter().filter_map(|part| WrittenInvalidation::read(Position::ZERO, part)) {
            let key_ranges = part.selector.key_ranges();
            let page = |key_range, last| self.forget_page(&part, key_range, last);
            if !go_through(&key_ranges, &mut Front::default(), pace, page).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
