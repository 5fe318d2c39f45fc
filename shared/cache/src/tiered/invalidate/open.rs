//! The record of an invalidation while it is open: kept there, and closed when nothing is left of what it means.

use crate::tiered::view::View;
use crate::{
    level::Level,
    outcome::CacheError,
    redis::{Down, appended, closed},
    selector::{Invalidation, WrittenInvalidation},
};

/// How often a record that is lost again is put back at once.
const TRIES: usize = 3;

impl View<'_> {
    /// Closes a record of which nothing is left, and those before that meant no more, and reads the journal up to
    /// there, so that own L1 applies it as well. False when it was lost.
    pub(crate) async fn close(&self, done: &Invalidation, matched: u64) -> Result<bool, CacheError> {
        // Whoever undoes it must see which of those are still at work.
        let passed = if done.undo.is_some() { Vec::new() } else { self.knowledge().open().passed_by(done) };
        let reply = self.then_sync(vec![self.journal.close(done.at, matched, &passed)], 0).await?;
        reply.into_iter().next().ok_or(Down::Odd("no reply to a close")).and_then(closed).map_err(CacheError::from)
    }

    /// Makes sure that the record of a removal is open and that this container has read it, and says where it stands;
    /// `None` with L2 switched off.
    pub(crate) async fn ensure_open(
        &self,
        written: &WrittenInvalidation,
        body: &str,
    ) -> Result<Option<String>, CacheError> {
        if !self.uses(Level::L2) {
            return Ok(None);
        }
        for _ in 0..TRIES {
            self.sync(Vec::new()).await?;
            if let Some(at) = self.knowledge().open_at(written.version) {
                return Ok(Some(at.to_string()));
            }
            let raised = self.ask(self.journal.raise(self.operation(self.as_of()), body)).await;
            raised.and_then(appended)?;
        }
        Err(CacheError::Contended)
    }
}
