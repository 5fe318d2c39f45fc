//! The invalidations that are open, and those that can be undone, or could lately.

use crate::tiered::{TieredCache, view::View};
use crate::{
    dynamo::UndoRecord,
    level::Level,
    outcome::CacheError,
    redis::open_now,
    selector::WrittenInvalidation,
    undo::{InvalidationState, Invalidations, ListedInvalidation, MayKnow, MeantEntries, Undone},
    version::{Position, Version},
};
use std::collections::BTreeMap;

/// Records that are read at once, and at most for one page, of those that a caller may know of.
const READ_AT_ONCE: usize = 100;
const MOST_READ: usize = 1000;

impl TieredCache {
    /// A page of the invalidations that the caller may know of, `most` at most besides those that are open and cannot be
    /// undone, which the first page begins with.
    ///
    /// # Errors
    /// When a level cannot be reached.
    pub async fn invalidations(
        &self,
        after: Option<&str>,
        most: usize,
        may: &MayKnow<'_>,
    ) -> Result<Invalidations, CacheError> {
        let view = self.view();
        let mut page = Invalidations::default();
        if after.is_none() {
            page.invalidations = view.open_for_good().await?.into_iter().filter(|open| may(open)).collect();
        }
        let (mut after, mut read, mut found) = (after.map(str::to_owned), 0, 0);
        loop {
            let (records, more) = self.store.undo_records(after.as_deref(), READ_AT_ONCE).await?;
            read += records.len();
            for record in &records {
                if found == most {
                    page.next = after;
                    return Ok(page);
                }
                after = Some(record.new.id.clone());
                let listed = view.listed(record).filter(|listed| may(listed));
                found += usize::from(listed.is_some());
                page.invalidations.extend(listed);
            }
            if !more || records.is_empty() {
                return Ok(page);
            }
            if read >= MOST_READ {
                page.next = after;
                return Ok(page);
            }
        }
    }
}

impl View<'_> {
    /// Those that are open and cannot be undone, by Redis and by the notes of jobs.
    async fn open_for_good(&self) -> Result<Vec<ListedInvalidation>, CacheError> {
        let mut open: BTreeMap<Version, WrittenInvalidation> = BTreeMap::new();
        let noted = self.store.bulletin().await?.open_invalidations;
        let recorded = match self.uses(Level::L2) {
            true => self.ask(self.journal.open_now()).await.and_then(open_now)?,
            false => Vec::new(),
        };
        for body in noted.into_iter().chain(recorded) {
            if let Ok(written) = serde_json::from_str::<WrittenInvalidation>(&body) {
                open.insert(written.version, written);
            }
        }
        Ok(open.into_values().rev().filter(|written| written.undo.is_none()).filter_map(listed_open).collect())
    }

    /// What is told of one that can be undone, or could; `None` of one of a later release.
    pub(super) fn listed(&self, record: &UndoRecord) -> Option<ListedInvalidation> {
        let undone = outcome(record);
        let state = match undone {
            Some(_) => InvalidationState::Undone,
            None if record.open > 0 => InvalidationState::Open,
            None if self.clock.now_ms() <= record.new.until_ms => InvalidationState::Undoable,
            None => InvalidationState::Expired,
        };
        Some(ListedInvalidation {
            id: record.new.id.clone(),
            meant: serde_json::from_str(&record.new.meant).ok()?,
            by: Some(record.new.by.clone()).filter(|by| !by.is_empty()),
            account: Some(record.new.account.clone()),
            reason: record.new.reason.clone(),
            // What was made stale cannot be undone.
            makes_stale: false,
            created_ms: record.new.created_ms,
            state,
            until_ms: Some(record.new.until_ms),
            matched: Some(record.removed.matched),
            undone,
        })
    }
}

fn listed_open(written: WrittenInvalidation) -> Option<ListedInvalidation> {
    let (by, reason, version) = (written.by.clone(), written.reason.clone(), written.version);
    let makes_stale = written.stale_seconds.is_some();
    let meant = MeantEntries::of(&written.recorded_at(Position::ZERO)?.selector);
    Some(ListedInvalidation {
        id: format!("open-{:x}", version.0),
        meant,
        by,
        account: None,
        reason,
        makes_stale,
        created_ms: i64::try_from(version.micros() / 1000).unwrap_or(i64::MAX),
        state: InvalidationState::Open,
        until_ms: None,
        matched: None,
        undone: None,
    })
}

/// What came of an undo, if one was made.
pub(super) fn outcome(record: &UndoRecord) -> Option<Undone> {
    serde_json::from_str(record.outcome.as_deref()?).ok()
}
