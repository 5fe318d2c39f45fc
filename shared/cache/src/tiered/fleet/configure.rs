//! Changing the configuration while containers run, and following a change.
//!
//! The control table holds the document of record: a change in it survives the loss of Redis and of every container. A copy
//! lies beside the journal, so that a sync brings it along if it differs from the container's. If that copy is lost, or older
//! than what a container knows, the first container to notice puts it back. Without Redis, or with L2 switched off,
//! containers ask the control table: reads once every Λ, mutations always.
//!
//! # Switching a level
//!
//! A switch of L2 or L3 is a record that begins an epoch: L1 is emptied, and every older copy in L2 waits for L3 to
//! confirm it. What may still be under way, for T after it began, is the question:
//!
//! - **L3 off.** From the record on L2 decides, and a copy stamped before the record does not exist. Whoever writes
//!   with the configuration before has synced before the record, so all that its operations still bring into L2 is
//!   stamped before it as well.
//! - **L3 on.** Its rows are from before it was switched off. They are all of smaller versions than the *floor* that the
//!   document names from then on, and rows below the floor count as tombstones. No operation of the configuration
//!   before writes L3, what it writes into L2 is stamped before the record, and L3 does not confirm it. A write from
//!   before L3 was switched off, however late, has a version below the floor.
//! - **L2 off.** Containers of the configuration before go by the journal, others have stopped to write it. Whoever can
//!   read it learns of the switch with the next sync. If Redis was not told, they learn by the control table, within Λ;
//!   so for Λ and T mutations leave the notes of an outage, and say that they are degraded.
//! - **L2 on.** Containers of the configuration before write L3 without telling the journal, for Λ and T. So for that
//!   time L1 and L2 are filled, or not, but L3 answers alone; then another epoch begins. A value that was kept in L2
//!   only, and is from before, does not come back: L3 points to it with a version below L2's own floor.

use crate::tiered::{TieredCache, write::TRIES};
use crate::{
    chance,
    config::{
        Assignment, Config, FieldChange,
        document::{Document, Moment, Update},
    },
    outcome::{CacheError, Configured},
    redis::{Down, is_published},
};
use std::sync::atomic::Ordering::Relaxed;

/// Whether Redis has a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Published {
    Yes,
    No,
    /// It has another that is as new or newer.
    Overtaken,
}

impl TieredCache {
    /// The configuration in force, and its version: what the next update goes by. Without the control table, as Redis
    /// says it is; without both, as this container knew it last.
    ///
    /// # Errors
    /// When neither could ever be asked.
    pub async fn configuration(&self) -> Result<(Config, u64), CacheError> {
        let _ = self.view().sync(Vec::new()).await;
        match self.store.document().await {
            Ok(document) => self.adopt_document(document),
            Err(error) if self.followed_ms.load(Relaxed) == i64::MIN => return Err(error.into()),
            Err(error) => tracing::warn!(%error, "the configuration is told as it was last known"),
        }
        let setup = self.setup();
        Ok((setup.config.as_ref().clone(), setup.document.version))
    }

    /// Changes fields of the configuration on behalf of `by`, for every container and for good. With `expected`, only if
    /// its version is one of those.
    ///
    /// # Errors
    /// When a value is refused, the version is another, or the control table cannot be reached; then nothing is changed,
    /// but for a table that failed while it wrote.
    pub async fn configure(
        &self,
        assignments: &[Assignment],
        by: &str,
        expected: Option<&[u64]>,
    ) -> Result<Configured, CacheError> {
        self.count_mutation(self.try_configure(assignments, by, expected).await, |configured| configured.degraded)
    }

    async fn try_configure(
        &self,
        assignments: &[Assignment],
        by: &str,
        expected: Option<&[u64]>,
    ) -> Result<Configured, CacheError> {
        // For the time of Redis. Without it the control table is changed all the same.
        let _ = self.view().sync(Vec::new()).await;
        let mut overtaken = false;
        for _ in 0..TRIES {
            let current = self.store.document().await?;
            let known = self.newest(&current);
            if expected.is_some_and(|versions| !versions.contains(&known.version)) {
                return Err(CacheError::PreconditionFailed);
            }
            let update = known.update(&self.base, assignments, self.moment(by)).map_err(CacheError::Refused)?;
            let Update { document, changed, mends, .. } = update;
            let stored = changed.is_empty() && !mends && !overtaken && known == current;
            let document = if stored { known } else { document };
            if !stored && !self.store.write_document(&document, current.version).await? {
                continue;
            }
            match self.publish(&document).await {
                Published::Overtaken if !self.is_built_upon(&document).await? => overtaken = true,
                told => return Ok(configured(&document, changed, told == Published::No)),
            }
        }
        Err(CacheError::Contended)
    }

    /// The document that the next update begins with. It is another than the one of the control table only where the
    /// table was put back to an earlier state: Redis and the containers go on with what they have.
    fn newest(&self, current: &Document) -> Document {
        let known = &self.setup().document;
        if known.version >= current.version { known.clone() } else { current.clone() }
    }

    /// Whether the control table has a document after this one: an update that began with this one's fields.
    async fn is_built_upon(&self, document: &Document) -> Result<bool, CacheError> {
        let current = self.store.document().await?;
        Ok(current.version > document.version)
    }

    fn moment<'a>(&self, by: &'a str) -> Moment<'a> {
        let (now_ms, version) = (self.clock.now_ms(), self.version_above_all());
        Moment { by, now_ms, version, writer: chance::u64(..) }
    }

    /// Tells Redis of a document, unless there never was one, and goes by it.
    async fn publish(&self, document: &Document) -> Published {
        if document.version == 0 {
            return Published::Yes;
        }
        let told = match self.tell(document).await {
            Ok(true) => Published::Yes,
            Ok(false) => Published::Overtaken,
            Err(down) => {
                tracing::warn!(%down, "redis was not told of a configuration: it is found in the control table");
                Published::No
            }
        };
        // Does nothing where the sync has done it, or has brought a newer one.
        self.adopt_document(document.clone());
        told
    }

    async fn tell(&self, document: &Document) -> Result<bool, Down> {
        let replies = self.view().then_sync(vec![self.journal.configure(document)], 0).await?;
        is_published(replies.into_iter().next().ok_or(Down::Odd("no reply"))?)
    }
}

fn configured(document: &Document, changed: Vec<FieldChange>, degraded: bool) -> Configured {
    Configured { version: document.version, updated_at_ms: document.updated_at_ms, changed, degraded }
}
