//! Going by the configuration that is in force: as the sync says it is, or else the control table.

use crate::tiered::{TieredCache, setup::Setup};
use crate::{
    coherence::{Coherence, NOTES_INTERVAL_MS, Published},
    config::document::Document,
    dynamo::{Bulletin, Floors},
    lock::whole,
    version::Position,
};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// How long a configuration is taken to be in force where Redis does not tell, in ms.
pub(crate) const FOLLOW_INTERVAL_MS: i64 = NOTES_INTERVAL_MS as i64;

impl TieredCache {
    /// Asks the control table for the configuration, unless it was known less than `interval_ms` ago. Returns whether it
    /// is known now.
    pub(crate) async fn follow(&self, interval_ms: i64) -> bool {
        let now_ms = self.clock.steady_ms();
        if now_ms.saturating_sub(self.followed_ms.load(Relaxed)) < interval_ms {
            return true;
        }
        match self.store.bulletin().await {
            Ok(Bulletin { document: Some(document), open_invalidations, .. }) => {
                self.adopt_document(document);
                self.knowledge().take_noted(&open_invalidations, now_ms);
                self.followed_ms.fetch_max(now_ms, Relaxed);
                true
            }
            Ok(Bulletin { document: None, .. }) => {
                tracing::warn!(
                    "the configuration document is unreadable: the configuration stays as it was last known"
                );
                false
            }
            Err(error) => {
                tracing::warn!(%error, "the configuration stays as it was last known");
                false
            }
        }
    }

    /// Goes by a document of the control table, if it is newer than the one known.
    pub(crate) fn adopt_document(&self, document: Document) {
        let mut knowledge = self.knowledge();
        let switched = self.setup().switched;
        self.go_by(Some(document), switched, &mut knowledge);
    }

    /// Goes by what a sync said of the configuration.
    pub(crate) fn adopt_published(&self, published: &Published, sent_ms: i64, knowledge: &mut Coherence) {
        let document = published.document.as_deref().map(serde_json::from_str::<Document>);
        let document = document.and_then(|read| {
            read.inspect_err(|error| tracing::warn!(%error, "unreadable configuration document")).ok()
        });
        self.go_by(document, published.switched, knowledge);
        self.followed_ms.fetch_max(sent_ms, Relaxed);
    }

    fn go_by(&self, document: Option<Document>, switched: Position, knowledge: &mut Coherence) {
        let before = self.setup();
        let document = document.filter(|document| document.version > before.document.version);
        let switched = switched.max(before.switched);
        if document.is_none() && switched == before.switched {
            return;
        }
        let document = document.unwrap_or_else(|| before.document.clone());
        let config = document.over(&self.base).unwrap_or_else(|| {
            tracing::error!(
                version = document.version,
                "the configuration contradicts this deployment and is passed over"
            );
            before.config.as_ref().clone()
        });
        if document.switched > before.document.version {
            knowledge.begin_anew();
            self.memory.clear();
        }
        if config.l1_config != before.config.l1_config {
            self.memory.resize(&config.l1_config, self.clock.now_ms());
        }
        self.link.set_timeouts(&config.l2_config);
        self.store.configure(&config.l3_config);
        self.store.raise_floors(Floors { l3: document.l3_floor, l2: document.l2_floor });
        let setup = Setup::new(config, document, switched);
        knowledge.configure(setup.source_of_truth, setup.config.l2_config.enabled);
        *self.setup.enter(whole) = Arc::new(setup);
    }

    /// The document to put back where what Redis has is older than what this container knows, or lost.
    pub(crate) fn unpublished(&self) -> Option<Document> {
        let document = &self.setup().document;
        let published = self.knowledge().published().unwrap_or_default();
        (document.version > published).then(|| document.clone())
    }
}
