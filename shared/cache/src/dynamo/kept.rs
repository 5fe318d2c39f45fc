//! Tombstones that keep the value whose place they have taken, so that it can be brought back.
//!
//! They are made, and undone, by changing what the row says and leaving the value where it is: that costs no more than a
//! tombstone without it. Chunks and index rows stay, named after the version that the value had. To releases that know
//! nothing of it such a row is a tombstone like any other.

use super::{
    Item,
    client::Store,
    doomed::Buried,
    error::L3Error,
    head::{Head, Kind},
    matches::Search,
    number,
    rows::{Before, RowWritten, WriteRow},
    schema::{KEEP_SECONDS, PARTS, row_key, tags_of},
    text, text_of,
};
use crate::{stats::Kept, version::Version};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use std::sync::Arc;

/// The attribute that says which version a kept value had.
pub(super) const BORN: &str = "born";
/// What is read of a row to see whether it is kept.
const ATTRIBUTES: [&str; 10] =
    ["sk", "version", "kind", "expires_at", "kept_until", "bytes", "chunks", "tags", PARTS, BORN];

/// A row that an invalidation has removed, or that was brought back.
#[derive(Debug, Clone)]
pub(crate) struct KeptRow {
    pub key: String,
    pub version: Version,
    pub state: KeptState,
    pub tags: Vec<Arc<str>>,
    /// When the value expires, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// When its grace is over.
    kept_until_ms: i64,
    kept: Kept,
    parts: Version,
    chunks: usize,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeptState {
    /// Its tombstone keeps the value.
    Kept,
    /// It holds a value.
    Back,
}

impl Store {
    /// Writes the tombstone of a DELETE, which keeps the value if there is one; returns whether it does.
    pub(crate) async fn write_kept(&self, row: &WriteRow<'_>) -> Result<(RowWritten, bool), L3Error> {
        match self.keep(row.key, row.version, None).await? {
            Buried::Yes(before) => {
                let before = self.before_of(&before);
                self.count_gone(before.kept);
                Ok((RowWritten::Yes(before), true))
            }
            // What stood there before is not known any more.
            Buried::Before => Ok((RowWritten::Yes(Before { live: true, ..Before::default() }), true)),
            Buried::No(_) => Ok((self.write(row).await?, false)),
        }
    }

    /// The rows of a page that keep a value or hold one, read consistently, and where the next page begins. By tag they are
    /// those that the index rows of the page name.
    pub(crate) async fn kept_page(
        &self,
        search: Search<'_>,
        limit: i32,
    ) -> Result<(Vec<KeptRow>, Option<String>), L3Error> {
        let by_tag = search.key_range.tag.is_some();
        let mut query = self.rows_of(search).await?.limit(limit);
        let names = if by_tag { &ATTRIBUTES[..1] } else { &ATTRIBUTES[..] };
        for name in names {
            query = query.expression_attribute_names(format!("#{name}"), *name);
        }
        let query = query.projection_expression(projection(names)).customize().config_override(self.bulk());
        let page = query.send().await.map_err(|error| self.failed(error))?;
        let last = page.last_evaluated_key.as_ref().and_then(|item| text_of(item, "sk")).map(str::to_owned);
        let mut items = page.items.unwrap_or_default();
        if by_tag {
            let mut keys: Vec<String> = items.iter().filter_map(|item| Some(self.index_row(item)?.key)).collect();
            keys.dedup();
            let all = (projection(&ATTRIBUTES), super::names(&ATTRIBUTES));
            items = self.read_batches(keys.iter().map(|key| row_key(key)).collect(), Some(&all)).await?;
        }
        Ok((items.iter().filter_map(kept_row).collect(), last))
    }

    /// Brings back what the tombstone of `row` keeps, as that version; returns whether it stands there, now or from an
    /// attempt before.
    pub(crate) async fn restore(&self, row: &KeptRow, version: Version) -> Result<bool, L3Error> {
        let now_ms = self.clock.now_ms();
        let ttl = (now_ms / 1000 + KEEP_SECONDS).max(row.kept_until_ms / 1000 + 1);
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.entries)
            .set_key(Some(row_key(&row.key)))
            .update_expression("SET #v = :next, #k = :value, #ttl = :ttl REMOVE born")
            .condition_expression("#v = :v AND #k = :gone AND attribute_exists(born)")
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":v", number(row.version.0))
            .expression_attribute_values(":next", number(version.0))
            .expression_attribute_values(":value", text("value"))
            .expression_attribute_values(":gone", text("gone"))
            .expression_attribute_values(":ttl", number(ttl))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match self.conditional(sent)? {
            Ok(_) => {
                self.tally.stored(usize::try_from(row.kept.bytes).unwrap_or(usize::MAX), now_ms);
                true
            }
            Err(current) => {
                let head = current.as_ref().map(Head::of);
                head.is_some_and(|head| head.kind == Kind::Value && head.version == version)
            }
        })
    }

    /// Takes the value from the tombstone of `row`, and drops what belongs to it.
    pub(crate) async fn forget_kept(&self, row: &KeptRow) -> Result<(), L3Error> {
        if let Buried::Yes(_) = self.strip(&row.key, row.version, row.version).await? {
            self.discard(&row.key, row.parts, row.chunks, row.tags.iter().map(|tag| &**tag)).await;
        }
        Ok(())
    }
}

fn kept_row(item: &Item) -> Option<KeptRow> {
    let head = Head::of(item);
    let state = match head.kind {
        Kind::Gone if head.born.is_some() => KeptState::Kept,
        Kind::Value => KeptState::Back,
        Kind::Gone | Kind::Stub => return None,
    };
    Some(KeptRow {
        key: text_of(item, "sk")?.to_owned(),
        version: head.version,
        state,
        tags: tags_of(item).into_iter().map(Arc::from).collect(),
        expires_at_ms: head.expires_at_ms,
        kept_until_ms: head.kept_until_ms,
        kept: Kept { bytes: head.bytes, expires_at_ms: head.expires_at_ms },
        parts: head.parts,
        chunks: head.chunks,
    })
}

fn projection(names: &[&str]) -> String {
    names.iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ")
}
