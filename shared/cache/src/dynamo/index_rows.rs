//! Index rows of tags: written with a value, and dropped with what else belongs to it.

use super::{
    chunks::{chunk_keys, delete},
    client::Store,
    error::L3Error,
    number,
    schema::index_key,
};
use crate::{entry::Entry, version::Version};
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};

impl Store {
    /// Writes the index rows of an entry's tags.
    pub(super) async fn write_index(&self, key: &str, entry: &Entry) -> Result<(), L3Error> {
        let ttl = number(entry.kept_until_ms() / 1000 + 1);
        let requests = entry
            .tags
            .iter()
            .map(|tag| {
                let mut item = index_key(key, entry.version, tag);
                item.insert("ttl".to_owned(), ttl.clone());
                let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is given");
                WriteRequest::builder().put_request(put).build()
            })
            .collect();
        self.write_batches(&self.entries, requests).await
    }

    /// Drops what belongs to one version of a key. What is left over goes with the table's time to live.
    pub(super) async fn discard<'a>(
        &self,
        key: &str,
        version: Version,
        chunks: usize,
        tags: impl Iterator<Item = &'a str>,
    ) {
        let index = tags.map(|tag| index_key(key, version, tag));
        let requests = chunk_keys(key, version, chunks).chain(index).map(delete).collect();
        if let Err(error) = self.write_batches(&self.entries, requests).await {
            tracing::warn!(%error, "parts of a replaced value are left to the time to live");
        }
    }
}
