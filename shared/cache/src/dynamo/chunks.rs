//! Chunks: an envelope above the item limit, in items of their own.
//!
//! Each chunk has a partition key of its own, because one partition takes a thousand write units a second and a
//! chunk is hundreds of them. Chunks are named by version: a reader never mixes two values, and the writer that
//! loses drops only its own.

use super::{Item, client::Store, error::L3Error, number, text, text_of};
use crate::{entry::Entry, version::Version};
use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest},
};
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;

/// Bytes of one chunk: an item has at most 400 KiB with its names and its key.
const CHUNK_BYTES: usize = 390_000;

/// How many chunks an envelope of so many bytes has.
pub(super) fn count(bytes: usize) -> usize {
    bytes.div_ceil(CHUNK_BYTES)
}

impl Store {
    /// Writes the chunks of an envelope under a name; returns how many.
    pub(super) async fn write_chunks(
        &self,
        key: &str,
        name: Version,
        entry: &Entry,
        envelope: &Bytes,
    ) -> Result<usize, L3Error> {
        let ttl = number(entry.kept_until_ms() / 1000 + 1);
        let requests: Vec<WriteRequest> = (0..count(envelope.len()))
            .map(|index| {
                let bytes = &envelope[index * CHUNK_BYTES..envelope.len().min((index + 1) * CHUNK_BYTES)];
                let mut item = chunk_key(key, name, index);
                item.insert("body".to_owned(), AttributeValue::B(Blob::new(bytes)));
                item.insert("ttl".to_owned(), ttl.clone());
                let put = PutRequest::builder().set_item(Some(item)).build().expect("the item is given");
                WriteRequest::builder().put_request(put).build()
            })
            .collect();
        let chunks = requests.len();
        self.write_batches(&self.entries, requests).await?;
        Ok(chunks)
    }

    /// Reads the chunks of a value; `None` when one is gone.
    pub(super) async fn read_chunks(
        &self,
        key: &str,
        version: Version,
        chunks: usize,
    ) -> Result<Option<Bytes>, L3Error> {
        let items = self.read_batches(chunk_keys(key, version, chunks).collect(), None).await?;
        let body = |mut item: Item| match (text_of(&item, "pk").map(str::to_owned), item.remove("body")) {
            (Some(pk), Some(AttributeValue::B(body))) => Some((pk, body)),
            _ => None,
        };
        Ok(join(key, version, chunks, items.into_iter().filter_map(body).collect()))
    }
}

/// A request to delete the item of that key.
pub(super) fn delete(key: Item) -> WriteRequest {
    let delete = DeleteRequest::builder().set_key(Some(key)).build().expect("the key is given");
    WriteRequest::builder().delete_request(delete).build()
}

fn join(key: &str, version: Version, chunks: usize, mut found: HashMap<String, Blob>) -> Option<Bytes> {
    let mut envelope = BytesMut::with_capacity(chunks * CHUNK_BYTES);
    for index in 0..chunks {
        envelope.extend_from_slice(found.remove(&chunk_name(key, version, index))?.as_ref());
    }
    Some(envelope.freeze())
}

fn chunk_name(key: &str, version: Version, index: usize) -> String {
    format!("c#{index}#{}#{key}", version.0)
}

/// The keys of all chunks of a value.
pub(super) fn chunk_keys(key: &str, version: Version, chunks: usize) -> impl Iterator<Item = Item> {
    (0..chunks).map(move |index| chunk_key(key, version, index))
}

fn chunk_key(key: &str, version: Version, index: usize) -> Item {
    Item::from([("pk".to_owned(), text(chunk_name(key, version, index))), ("sk".to_owned(), text("-"))])
}
