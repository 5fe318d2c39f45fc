//! What an invalidation that can be undone writes down beside its work.

use crate::tiered::{TieredCache, view::View};
use crate::{
    chance,
    config::Refusal,
    dynamo::{NewUndo, RemovedCounts},
    key::Key,
    level::{Level, Levels},
    outcome::CacheError,
    record::cut,
    selector::{Selector, Undoable, WrittenInvalidation},
    undo::{MOST_SECONDS, MeantEntries},
    version::{Position, Version},
};
use std::sync::Arc;

/// Digits of the time that an id begins with, which sorts ids.
const TIME_DIGITS: usize = 12;

/// Whether an invalidation is to be undoable, and what is written down of it then.
pub(crate) struct Wish {
    undo: Option<Undoable>,
    /// The caller has said so, and not the configuration.
    pub(crate) is_explicit: bool,
    meant: MeantEntries,
    author: Author,
    created_ms: i64,
}

/// Who asks for an invalidation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Author {
    pub(crate) by: String,
    pub(crate) account: String,
    pub(crate) reason: Option<String>,
}

impl TieredCache {
    /// What is wished of an invalidation that says `seconds`, or nothing of it.
    ///
    /// # Errors
    /// When that is too long.
    pub(crate) fn wish(&self, seconds: Option<u32>, meant: MeantEntries, author: Author) -> Result<Wish, CacheError> {
        if seconds.is_some_and(|seconds| seconds > MOST_SECONDS) {
            return Err(refused(format!("must be from 0 to {MOST_SECONDS}")));
        }
        let created_ms = self.clock.now_ms();
        let wanted = seconds.map_or_else(|| self.config().l3_config.undo_seconds, u64::from);
        let until_ms = created_ms.saturating_add_unsigned(wanted.saturating_mul(1000));
        let undo = (wanted > 0).then(|| Undoable { id: unforeseen(created_ms), until_ms });
        Ok(Wish { undo, is_explicit: seconds.is_some_and(|seconds| seconds > 0), meant, author, created_ms })
    }

    /// The same of a DELETE.
    ///
    /// # Errors
    /// When that is too long.
    pub(crate) fn wish_of_delete(
        &self,
        key: &Key,
        by: &str,
        account: &str,
        seconds: Option<u32>,
    ) -> Result<Wish, CacheError> {
        let author = Author { by: by.to_owned(), account: account.to_owned(), reason: None };
        self.wish(seconds, MeantEntries::deleted(key), author)
    }
}

impl View<'_> {
    /// How an invalidation of those levels can be undone.
    ///
    /// # Errors
    /// When it cannot, and the caller wants that it can.
    pub(crate) fn undo_of(&self, wish: &Wish, levels: Levels) -> Result<Option<Undoable>, CacheError> {
        let Some(undo) = &wish.undo else { return Ok(None) };
        let why_not = if !self.uses(Level::L3) {
            "needs L3_DATABASE, which keeps what is removed, and is switched off"
        } else if !self.uses(Level::L2) {
            "needs L2_REDIS, whose journal orders invalidations, and is switched off"
        } else if !levels.has(Level::L3) {
            "needs L3_DATABASE among the levels: it keeps what is removed from it"
        } else {
            return Ok(Some(undo.clone()));
        };
        if wish.is_explicit { Err(refused(why_not.to_owned())) } else { Ok(None) }
    }

    /// Writes down an invalidation that can be undone, or a part of one; or what one has removed that has ended already.
    pub(crate) async fn begin_undoable(
        &self,
        wish: &Wish,
        written: &WrittenInvalidation,
        ended: Option<RemovedCounts>,
    ) -> Result<(), CacheError> {
        let Some(undo) = &written.undo else { return Ok(()) };
        let Author { by, account, reason } = wish.author.clone();
        let meant = serde_json::to_string(&wish.meant).expect("texts and numbers are always JSON");
        let new = NewUndo {
            id: undo.id.to_string(),
            meant,
            by: cut(&by).into_owned(),
            account,
            reason,
            created_ms: wish.created_ms,
            until_ms: undo.until_ms,
        };
        let (part, body) = (written.version.sortable(), written.to_json());
        Ok(self.store.begin_undoable(&new, (&part, &body), ended).await?)
    }

    /// Writes down a DELETE whose tombstone keeps the value; returns whether it can be undone now.
    pub(crate) async fn note_deleted(&self, key: &Key, version: Version, (wish, undo): (&Wish, &Undoable)) -> bool {
        let selector = Selector::Keys([key.clone()].into_iter().collect());
        let by = Some(wish.author.by.as_str());
        let written = WrittenInvalidation::new(version, &selector, Levels::ALL, None, by);
        let written = WrittenInvalidation { undo: Some(undo.clone()), ..written };
        let removed = RemovedCounts { matched: 1, kept: 1, elsewhere: 0 };
        match self.begin_undoable(wish, &written, Some(removed)).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = error.chain(), "a DELETE cannot be undone: it could not be written down");
                false
            }
        }
    }

    /// Adds what was removed, and whether with that a part has ended. People read it; an undo goes by what stands in L3.
    pub(crate) async fn note_removed(&self, undo: Option<&Undoable>, removed: RemovedCounts, ended: bool) {
        let Some(undo) = undo else { return };
        if let Err(error) = self.store.note_removed(&undo.id, removed, ended).await {
            tracing::warn!(%error, "it is not written down what an invalidation has removed");
        }
    }

    /// The versions of an invalidation's parts, and of those that were lost and begun anew.
    pub(crate) async fn versions_of(&self, id: &str) -> Result<Vec<Version>, CacheError> {
        let parts = self.store.undo_parts(id).await?;
        let version = |part: &String| WrittenInvalidation::read(Position::ZERO, part).map(|part| part.version);
        Ok(parts.iter().filter_map(version).collect())
    }
}

fn refused(message: String) -> CacheError {
    CacheError::Refused(vec![Refusal { field: "undo_seconds", message }])
}

/// A name that nobody can foretell, and that sorts by its time.
fn unforeseen(created_ms: i64) -> Arc<str> {
    format!("{:0TIME_DIGITS$x}{:032x}", created_ms.max(0), chance::unforeseen()).into()
}
