//! Many items in one request, and again what DynamoDB leaves of it.

use super::{
    Item,
    client::{BULK_FACTOR, Store},
    error::L3Error,
};
use crate::chance;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, WriteRequest};
use std::{collections::HashMap, time::Duration};

/// Which attributes of an item are sent: an expression, and the names in it.
pub(super) type Projection = (String, HashMap<String, String>);

/// Items of one BatchGetItem.
const READ_BATCH: usize = 100;
/// Items of one BatchWriteItem.
const WRITE_BATCH: usize = 25;
/// How often what a batch left undone is sent again.
const BATCH_TRIES: u32 = 6;
/// First pause before what a batch left undone is sent again, in ms; doubled each time, with jitter.
const BATCH_PAUSE_MS: u64 = 10;
/// How much longer than a read of one value one of many may take, and an attempt of it half of that: its answer may have
/// 16 MB.
const MANY_FACTOR: u32 = 2;

impl Store {
    /// The items of the table of entries that have these keys, as far as they are there, read consistently; of a projection
    /// the attributes it names.
    pub(super) async fn read_batches(
        &self,
        mut keys: Vec<Item>,
        projection: Option<&Projection>,
    ) -> Result<Vec<Item>, L3Error> {
        let mut found = Vec::with_capacity(keys.len());
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(READ_BATCH));
            self.read_batch(std::mem::replace(&mut keys, rest), projection, &mut found).await?;
        }
        Ok(found)
    }

    async fn read_batch(
        &self,
        mut wanted: Vec<Item>,
        projection: Option<&Projection>,
        found: &mut Vec<Item>,
    ) -> Result<(), L3Error> {
        for attempt in 0..BATCH_TRIES {
            let (items, left) = self.read_part(wanted, projection, BULK_FACTOR).await?;
            found.extend(items);
            if left.is_empty() {
                return Ok(());
            }
            wanted = left;
            pause(attempt).await;
        }
        Err(L3Error::Failed("dynamodb kept leaving items unread".into()))
    }

    /// The same, but only as many as have so many bytes together, or a little more, and as DynamoDB is willing to read; and
    /// the keys of the others.
    pub(super) async fn read_some(
        &self,
        mut keys: Vec<Item>,
        most_bytes: usize,
    ) -> Result<(Vec<Item>, Vec<Item>), L3Error> {
        let (mut found, mut bytes, mut attempt) = (Vec::with_capacity(keys.len()), 0, 0);
        while !keys.is_empty() && bytes <= most_bytes && attempt < BATCH_TRIES {
            let rest = keys.split_off(keys.len().min(READ_BATCH));
            let (items, left) = self.read_part(keys, None, MANY_FACTOR).await?;
            bytes += items.iter().map(body_bytes).sum::<usize>();
            found.extend(items);
            if !left.is_empty() {
                pause(attempt).await;
                attempt += 1;
            }
            keys = left;
            keys.extend(rest);
        }
        Ok((found, keys))
    }

    /// The items that one request reads, within so many times the time of another request, and the keys of the others.
    async fn read_part(
        &self,
        wanted: Vec<Item>,
        projection: Option<&Projection>,
        factor: u32,
    ) -> Result<(Vec<Item>, Vec<Item>), L3Error> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(wanted))
            .set_projection_expression(projection.map(|(expression, _)| expression.clone()))
            .set_expression_attribute_names(projection.map(|(_, names)| names.clone()))
            .consistent_read(true)
            .build();
        let got = self
            .client()
            .await?
            .batch_get_item()
            .request_items(&self.entries, keys.expect("the keys are given"))
            .customize()
            .config_override(self.longer(factor))
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        let items = got.responses.into_iter().flatten().flat_map(|(_, items)| items).collect();
        Ok((items, got.unprocessed_keys.into_iter().flatten().flat_map(|(_, rest)| rest.keys).collect()))
    }

    /// Sends write requests in batches, and again what a batch left undone.
    pub(super) async fn write_batches(&self, table: &str, requests: Vec<WriteRequest>) -> Result<(), L3Error> {
        for batch in requests.chunks(WRITE_BATCH) {
            self.write_batch(table, batch.to_vec()).await?;
        }
        Ok(())
    }

    async fn write_batch(&self, table: &str, mut batch: Vec<WriteRequest>) -> Result<(), L3Error> {
        for attempt in 0..BATCH_TRIES {
            let sent = self
                .client()
                .await?
                .batch_write_item()
                .request_items(table, batch)
                .customize()
                .config_override(self.bulk())
                .send()
                .await
                .map_err(|error| self.failed(error))?;
            batch = sent.unprocessed_items.into_iter().flatten().flat_map(|(_, rest)| rest).collect();
            if batch.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
        }
        Err(L3Error::Failed("dynamodb kept leaving items unwritten".into()))
    }
}

/// Bytes of the envelope that a row holds itself.
fn body_bytes(item: &Item) -> usize {
    match item.get("body") {
        Some(AttributeValue::B(body)) => body.as_ref().len(),
        _ => 0,
    }
}

async fn pause(attempt: u32) {
    let most = BATCH_PAUSE_MS << attempt;
    tokio::time::sleep(Duration::from_millis(chance::u64(most / 2..=most))).await;
}
