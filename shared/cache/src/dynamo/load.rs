//! Reading many values for a warm job: by key, or by what their keys begin with.

use super::{
    Item,
    client::Store,
    error::L3Error,
    head::Kind,
    matches::Search,
    rows::Content,
    schema::{inline_body, owner_of, row_key},
    text_of,
};
use crate::key::Key;
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc};

/// What L3 has of a key.
#[derive(Debug)]
pub(crate) enum Stored {
    /// A live value, and in whose stock it is in L2.
    Value(Bytes, Option<Arc<str>>),
    /// A live value in chunks, which is read by itself.
    Large,
    /// A live value is kept in L2 only.
    Stub,
    /// Nothing.
    Gone,
}

impl Store {
    /// What stands under these keys; nothing of those that have no row.
    pub(crate) async fn load_keys(&self, keys: &[Key]) -> Result<HashMap<Key, Stored>, L3Error> {
        // A request that has a key twice is refused.
        let mut wanted: Vec<&Key> = keys.iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let items = self.read_batches(wanted.into_iter().map(|key| row_key(key.as_str())).collect(), None).await?;
        Ok(items.into_iter().filter_map(|item| self.stored(item)).collect())
    }

    /// The rows of a page of at most `limit`, and the sort key after which the next one begins. It has fewer where their
    /// values are large.
    pub(crate) async fn load_page(
        &self,
        search: Search<'_>,
        limit: usize,
    ) -> Result<(Vec<(Key, Stored)>, Option<String>), L3Error> {
        let query = self.rows_of(search).await?.limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let page = query.customize().config_override(self.bulk()).send().await.map_err(|error| self.failed(error))?;
        let next = page.last_evaluated_key.as_ref().and_then(|last| text_of(last, "sk")).map(str::to_owned);
        Ok((page.items.into_iter().flatten().filter_map(|item| self.stored(item)).collect(), next))
    }

    /// What stands under one key, however large.
    pub(crate) async fn load(&self, key: &Key) -> Result<Stored, L3Error> {
        let row = self.read_for_long(key.as_str()).await?;
        let now_ms = self.clock.now_ms();
        Ok(match row.map(|row| (row.content, row.owner)) {
            Some((Content::Value { expires_at_ms, envelope }, owner)) if now_ms < expires_at_ms => {
                Stored::Value(envelope, owner)
            }
            Some((Content::Stub { expires_at_ms }, _)) if now_ms < expires_at_ms => Stored::Stub,
            _ => Stored::Gone,
        })
    }

    fn stored(&self, item: Item) -> Option<(Key, Stored)> {
        let key = Key::new(text_of(&item, "sk")?).ok()?;
        let head = self.head_of(&item);
        let stored = match head.kind {
            _ if head.is_expired(self.clock.now_ms()) => Stored::Gone,
            Kind::Value if head.chunks > 0 => Stored::Large,
            Kind::Value => {
                let owner = owner_of(&item);
                inline_body(item).map_or(Stored::Gone, |envelope| Stored::Value(head.sealed(envelope), owner))
            }
            Kind::Stub => Stored::Stub,
            Kind::Gone => Stored::Gone,
        };
        Some((key, stored))
    }
}
