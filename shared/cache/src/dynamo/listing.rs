//! Rows for a list: what they say but for their values.
//!
//! DynamoDB bills whole rows, whatever of them is sent, so each reading says how many bytes it has cost, nearly.

use super::{
    Item,
    client::Store,
    error::L3Error,
    head::Kind,
    matches::{INDEX_END, Search},
    number_of,
    schema::{row_key, tags_of},
    text_of,
};
use crate::{listing::Listed, version::Version};
use std::sync::Arc;

/// What is sent of a row.
const ATTRIBUTES: [&str; 10] =
    ["sk", "version", "kind", "expires_at", "levels", "bytes", "chunks", "created_at", "size", "tags"];
/// Bytes of a row beside its value, key and tags.
const ROW_BYTES: usize = 150;

/// A row of a live value.
#[derive(Debug, Clone)]
pub(crate) struct ListedRow {
    pub version: Version,
    /// Whether the value is kept in L2 only.
    pub elsewhere: bool,
    pub entry: Listed,
}

/// What one reading brought.
#[derive(Debug, Default)]
pub(crate) struct RowsRead {
    /// The rows of live values.
    pub rows: Vec<ListedRow>,
    /// All rows that were read, and their bytes.
    pub count: usize,
    pub bytes: usize,
    /// The key behind which the next reading begins; `None` at the end of the partition.
    pub next: Option<String>,
}

impl Store {
    /// Reads at most `limit` rows of a key range, consistently.
    pub(crate) async fn list_rows(&self, search: Search<'_>, limit: usize) -> Result<RowsRead, L3Error> {
        let mut query = self.rows_of(search).await?.limit(i32::try_from(limit).unwrap_or(i32::MAX));
        for (name, attribute) in projected() {
            query = query.expression_attribute_names(name, attribute);
        }
        let query = query.projection_expression(projection()).customize().config_override(self.bulk());
        let page = query.send().await.map_err(|error| self.failed(error))?;
        let next = page.last_evaluated_key.as_ref().and_then(|last| text_of(last, "sk")).map(str::to_owned);
        Ok(RowsRead { next, ..self.read_rows(page.items.unwrap_or_default()) })
    }

    /// The rows of these keys, as far as they are there, read consistently.
    pub(crate) async fn list_keys(&self, keys: &[String]) -> Result<RowsRead, L3Error> {
        let projection = (projection(), projected().collect());
        let items = self.read_batches(keys.iter().map(|key| row_key(key)).collect(), Some(&projection)).await?;
        Ok(self.read_rows(items))
    }

    /// Reads at most `limit` index rows of a tag's key range; returns the keys they name, each once, and, unless the key range
    /// ends, the key behind which the next reading begins. `search.after` is a key as well.
    pub(crate) async fn list_index(
        &self,
        search: Search<'_>,
        limit: usize,
    ) -> Result<(Vec<String>, Option<String>), L3Error> {
        // Behind the rows of all its versions.
        let after = search.after.map(|key| format!("{key}{INDEX_END}"));
        let query = self.rows_of(Search { after: after.as_deref(), ..search }).await?;
        let query = query.projection_expression("sk").limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.customize().config_override(self.bulk()).send().await.map_err(|error| self.failed(error))?;
        let key_of = |item: &Item| self.index_row(item).map(|found| found.key);
        let next = page.last_evaluated_key.as_ref().and_then(key_of);
        let mut keys: Vec<String> = page.items.iter().flatten().filter_map(key_of).collect();
        keys.dedup();
        Ok((keys, next))
    }

    fn read_rows(&self, items: Vec<Item>) -> RowsRead {
        let now_ms = self.clock.now_ms();
        let (count, mut bytes) = (items.len(), 0);
        let rows = items.into_iter().filter_map(|item| {
            let head = self.head_of(&item);
            let key = text_of(&item, "sk")?.to_owned();
            let tags: Vec<Arc<str>> = tags_of(&item).into_iter().map(Arc::from).collect();
            let inline = if head.chunks == 0 { usize::try_from(head.bytes).unwrap_or(usize::MAX) } else { 0 };
            bytes += ROW_BYTES + key.len() + tags.iter().map(|tag| tag.len()).sum::<usize>() + inline;
            let is_there = head.kind != Kind::Gone && !head.is_expired(now_ms);
            is_there.then(|| ListedRow {
                version: head.version,
                elsewhere: head.kind == Kind::Stub,
                entry: Listed {
                    key,
                    expires_at_ms: head.expires_at_ms,
                    created_at_ms: number_of(&item, "created_at"),
                    size_bytes: number_of(&item, "size"),
                    tags,
                    levels: head.levels,
                },
            })
        });
        let rows = rows.collect();
        RowsRead { rows, count, bytes, next: None }
    }
}

/// Names for the attributes, some of which are words of DynamoDB's own.
fn projected() -> impl Iterator<Item = (String, String)> {
    ATTRIBUTES.into_iter().map(|attribute| (format!("#{attribute}"), attribute.to_owned()))
}

fn projection() -> String {
    projected().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}
