//! The configuration in force, and what follows from it.

use super::TieredCache;
use crate::{
    config::{Config, document::Document},
    lock::whole,
    redis::{Copies, Keyspace},
    source_of_truth::SourceOfTruth,
    version::Position,
};
use std::sync::Arc;

/// A configuration, and what follows from it.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) config: Arc<Config>,
    /// What of it was changed by the API.
    pub(super) document: Document,
    pub(super) source_of_truth: SourceOfTruth,
    /// Where a level was switched last.
    pub(super) switched: Position,
    pub(super) copies: Copies,
}

impl Setup {
    pub(super) fn new(config: Config, document: Document, switched: Position) -> Setup {
        let source_of_truth = if config.l3_config.enabled { SourceOfTruth::L3 } else { SourceOfTruth::L2 };
        let since = (source_of_truth == SourceOfTruth::L2).then_some(switched);
        let copies = Copies::new(Keyspace::new(&config), since);
        Setup { config: Arc::new(config), document, source_of_truth, switched, copies }
    }
}

impl TieredCache {
    pub(super) fn setup(&self) -> Arc<Setup> {
        // One takes the place of another in one step.
        Arc::clone(&self.setup.enter(whole))
    }

    /// The configuration in force, as far as this container knows: a change is known within Δ of it, when something is
    /// asked of the cache.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.setup().config)
    }
}
