//! Undoing an invalidation: what it has removed from L3 is brought back, where nothing else has touched it since.
//!
//! A tombstone that keeps its value becomes that value again, as the version just above that of the invalidation. So what
//! else could put an end to it is to it what it would have been to the value: what is newer replaces or removes it; what
//! is older has taken the value from the tombstone, or is waited for; and what took its version before and is recorded
//! later is told to take a newer one, by a mark that is left first. Copies of before are as covered as they were, for none
//! has this version.

pub(crate) mod begin;
mod list;
mod pages;
pub(crate) mod tidy;

use self::{list::outcome, pages::Brought, tidy::GOES_ON_MS};
use crate::tiered::{
    TieredCache, ended,
    invalidate::sweep::{Pace, go_through},
    view::{Stop, View},
};
use crate::{
    cache_position::CachePosition,
    dynamo::UndoRecord,
    level::Level,
    outcome::CacheError,
    record::cut,
    redis::{Down, appended, marked},
    scan_checkpoint::Front,
    selector::{Invalidation, WrittenInvalidation},
    undo::{Undo, UndoRefusal, Undone},
    version::{Position, Version},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much longer than its budget an undo may take to finish the page it is at.
const GRACE: Duration = Duration::from_secs(4);
/// How far an undo has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// The part that it is at.
    part: usize,
    front: Front,
    brought: Brought,
}

impl TieredCache {
    /// Undoes an invalidation. When this returns, every read that starts more than Δ later finds what it has brought back.
    /// The same again is answered as the first time.
    ///
    /// # Errors
    /// [`CacheError::Undo`] says why it is not made; or a level cannot be reached, when it may be made in part, and the same
    /// again goes on.
    pub async fn undo(&self, undo: &Undo<'_>) -> Result<Undone, CacheError> {
        let pace = Pace::of(self.request_budget, GRACE);
        loop {
            if let Some(ended) = ended(self.view().undo(undo, pace).await) {
                return self.count_mutation(ended, |_| false);
            }
        }
    }
}

impl View<'_> {
    async fn undo(&self, undo: &Undo<'_>, pace: Pace) -> Result<Undone, Stop> {
        let record = self.store.undo_record(undo.id).await.map_err(CacheError::from)?;
        let record = record.filter(|record| self.listed(record).is_some_and(|listed| (undo.may)(&listed)));
        let record = record.ok_or(CacheError::Undo(UndoRefusal::Unknown))?;
        if let Some(undone) = outcome(&record) {
            // Where its record is, nobody has written down.
            let at_ms = u64::try_from(undone.at_ms).unwrap_or_default();
            return Ok(Undone { position: CachePosition::unrecorded(at_ms), ..undone });
        }
        self.catch_up().await?.synced.map_err(CacheError::from)?;
        let parts = self.parts_of(&record).await?;
        self.check_time(&record, &parts)?;
        self.wait_for_none(&parts).await?;
        let brought = self.bring_back(&record, &parts, pace).await?;
        let recorded = self.record_undo(&parts, undo.by).await?;
        let undone = Undone {
            restored: brought.restored,
            overwritten: record.removed.kept.saturating_sub(brought.restored + brought.expired),
            expired: brought.expired,
            level2_only: record.removed.elsewhere,
            at_ms: self.clock.now_ms(),
            position: CachePosition::recorded(recorded),
        };
        let json = serde_json::to_string(&undone).expect("numbers are always JSON");
        let first = self.store.end_undo(undo.id, &json).await.map_err(CacheError::from)?;
        let first = first.and_then(|first| serde_json::from_str(&first).ok()).unwrap_or(undone);
        Ok(Undone { position: undone.position, ..first })
    }

    /// What the records of an invalidation said.
    async fn parts_of(&self, record: &UndoRecord) -> Result<Vec<Invalidation>, CacheError> {
        let parts = self.store.undo_parts(&record.new.id).await?;
        let read = |part: &String| WrittenInvalidation::read(Position::ZERO, part);
        let parts: Option<Vec<Invalidation>> = parts.iter().map(read).collect();
        parts.ok_or_else(|| CacheError::unavailable(Level::L3, "an invalidation of a later release"))
    }

    /// Whether it is not too late. Since L3 was switched on again, what it had before does not exist.
    fn check_time(&self, record: &UndoRecord, parts: &[Invalidation]) -> Result<(), CacheError> {
        let until_ms = record.new.until_ms;
        let latest_ms = if record.progress.is_empty() { until_ms } else { until_ms + GOES_ON_MS };
        let floor = self.store.floors().l3;
        let is_from_before = parts.iter().any(|part| part.version < floor);
        match !self.uses(Level::L3) || is_from_before || self.clock.now_ms() > latest_ms {
            true => Err(CacheError::Undo(UndoRefusal::Expired { until_ms })),
            false => Ok(()),
        }
    }

    /// Makes sure that neither the invalidation nor one that is older is at work: by Redis, and by the notes of jobs. From
    /// then on none can begin to be.
    async fn wait_for_none(&self, parts: &[Invalidation]) -> Result<(), CacheError> {
        let newest = newest(parts);
        let replies = self.then_sync(vec![self.journal.mark_undone(newest.next())], 0).await?;
        replies.into_iter().next().ok_or(Down::Odd("no reply to a mark")).and_then(marked)?;
        let noted = self.store.bulletin().await?.open_invalidations;
        let is_older =
            |body: &String| WrittenInvalidation::read(Position::ZERO, body).is_none_or(|noted| noted.version <= newest);
        let knowledge = self.knowledge();
        let is_open = knowledge.has_unreadable_invalidation() || knowledge.open().any_up_to(newest);
        if is_open || noted.iter().any(is_older) {
            return Err(CacheError::Undo(UndoRefusal::Open));
        }
        Ok(())
    }

    /// Brings back what the parts have removed; where the time is up, what is done is written down.
    async fn bring_back(&self, record: &UndoRecord, parts: &[Invalidation], pace: Pace) -> Result<Brought, CacheError> {
        // Also where it has begun anew: nobody takes the later version for one that hides it.
        let back = newest(parts).next();
        let mut progress: Progress = serde_json::from_str(&record.progress).unwrap_or_default();
        while let Some(part) = parts.get(progress.part) {
            let counted = pages::Counted::default();
            let key_ranges = part.selector.key_ranges();
            let page = |key_range, last| self.bring_back_page(part, (key_range, last), back, &counted);
            let done = go_through(&key_ranges, &mut progress.front, pace, page).await;
            progress.brought.add(counted.brought());
            if matches!(done, Ok(true)) {
                (progress.part, progress.front) = (progress.part + 1, Front::default());
            }
            if !matches!(done, Ok(true)) || (pace.is_over() && progress.part < parts.len()) {
                let json = serde_json::to_string(&progress).expect("texts and numbers are always JSON");
                self.store.save_undo(&record.new.id, &json).await?;
                done?;
                return Err(CacheError::Undo(UndoRefusal::Unfinished));
            }
        }
        Ok(progress.brought)
    }

    /// Tells the journal, for people, and for who is to see it; no container trusts anything more or less for it. Returns
    /// where the last of the records stands.
    async fn record_undo(&self, parts: &[Invalidation], by: &str) -> Result<Position, CacheError> {
        let operation = self.bulk_operation();
        let by = Some(cut(by).into_owned());
        let undone = parts.iter().map(|part| WrittenInvalidation { by: by.clone(), undo: None, ..part.written() });
        let commands = undone.map(|undone| self.journal.undone(operation, &undone)).collect();
        let mut last = Position::ZERO;
        for reply in self.then_sync(commands, 0).await? {
            last = appended(reply)?.ok_or(Down::Odd("an undo was recorded too late"))?.max(last);
        }
        Ok(last)
    }
}

/// The newest version of an invalidation.
fn newest(parts: &[Invalidation]) -> Version {
    parts.iter().map(|part| part.version).max().unwrap_or(Version::ZERO)
}
