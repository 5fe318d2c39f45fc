//! What there is.

use super::{error::Failure, item::Item};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) type Table = BTreeMap<String, BTreeMap<String, Item>>;

/// All tables.
#[derive(Debug, Clone)]
pub struct Tables {
    pub(super) tables: BTreeMap<String, Table>,
    /// Transactions that were done, by their tokens, and when, in seconds.
    pub(super) done: BTreeMap<String, i64>,
    pub(super) now_s: i64,
    /// About how many bytes of items one page of a query looks at: 1 MB with DynamoDB.
    pub page_bytes: usize,
    /// How many items of a batch are done; the rest is left unprocessed.
    pub batch_items: usize,
}

impl Tables {
    pub(super) fn table(&mut self, request: &Value) -> Result<&mut Table, Failure> {
        let name = request["TableName"].as_str().unwrap_or_default();
        self.tables
            .get_mut(name)
            .ok_or_else(|| Failure::new("ResourceNotFoundException", "Requested resource not found"))
    }
}
