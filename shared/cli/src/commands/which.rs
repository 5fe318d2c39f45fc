//! Which entries a command goes through, page by page.

use crate::exit::Failure;
use clap::Args;
use strata_client::{Client, KeyPage};

/// Names of a page: as many as the API gives.
pub(super) const PAGE: u64 = 1000;

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only keys that begin with this
    prefix: Option<String>,
    /// Only entries with this tag
    #[arg(long, short)]
    tag: Option<String>,
}

impl Which {
    /// The page after `cursor`, of so many at most.
    pub(super) async fn page(&self, client: &Client, most: u64, cursor: Option<String>) -> Result<KeyPage, Failure> {
        let mut keys = client.keys().limit(most);
        if let Some(prefix) = &self.prefix {
            keys = keys.prefix(prefix);
        }
        if let Some(tag) = &self.tag {
            keys = keys.tag(tag);
        }
        if let Some(cursor) = cursor {
            keys = keys.cursor(cursor);
        }
        Ok(keys.await?)
    }
}
