//! What stands under a key, whatever that is: for people who want to know why.

use super::{
    Item,
    client::Store,
    error::L3Error,
    head::{Head, Kind},
    names,
    row_state::RowKind,
    schema::{row_key, tags_of},
    text_of,
};
use crate::{key::Key, level::Levels, version::Version};
use std::{collections::HashMap, sync::Arc};
use tokio::time::timeout;

/// A row but for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundRow {
    pub version: Version,
    pub kind: RowKind,
    /// Milliseconds since the Unix epoch; 0 of a tombstone.
    pub expires_at_ms: i64,
    /// When its grace is over.
    pub kept_until_ms: i64,
    pub tags: Vec<Arc<str>>,
    pub levels: Levels,
    /// It is from before its level was switched on again, and counts as gone.
    pub is_from_before: bool,
}

impl Store {
    /// The row of `key`, consistently.
    pub(crate) async fn found(&self, key: &str) -> Result<Option<FoundRow>, L3Error> {
        let Some(item) = self.head_item(key).await? else { return Ok(None) };
        let head = Head::of(&item);
        // What a tombstone keeps is nothing to a reader.
        let is_gone = head.kind == Kind::Gone;
        let tags = if is_gone { Vec::new() } else { tags_of(&item) };
        Ok(Some(FoundRow {
            version: head.version,
            kind: head.row_kind,
            expires_at_ms: if is_gone { 0 } else { head.expires_at_ms },
            kept_until_ms: if is_gone { 0 } else { head.kept_until_ms },
            tags: tags.into_iter().map(Arc::from).collect(),
            levels: if is_gone { Levels::NONE } else { head.levels },
            is_from_before: self.head_of(&item).kind != head.kind,
        }))
    }

    /// The versions of the rows of keys, as far as there are any, consistently and within the level's timeout.
    pub(crate) async fn versions(&self, keys: &[&Key]) -> Result<HashMap<Key, Version>, L3Error> {
        let wanted = keys.iter().map(|key| row_key(key.as_str())).collect();
        let projection = ("sk, #version".to_owned(), names(&["version"]));
        let read = timeout(self.timeout(), self.read_batches(wanted, Some(&projection)));
        let items = read.await.unwrap_or_else(|elapsed| Err(L3Error::Failed(elapsed.into())))?;
        let version = |item: &Item| Some((Key::new(text_of(item, "sk")?).ok()?, Head::of(item).version));
        Ok(items.iter().filter_map(version).collect())
    }
}
