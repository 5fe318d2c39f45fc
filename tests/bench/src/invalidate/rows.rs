//! Fills L3 with many entries: the library puts the first one of each tenant, and the others get the same rows under
//! their own keys, twenty-five to a request. Empties it the same way, without an index.

use super::tenant::{Tenant, partition, shard};
use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, AttributeValue, BillingMode, DeleteRequest, KeySchemaElement, KeyType, KeysAndAttributes,
        PutRequest, ScalarAttributeType, WriteRequest,
    },
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::{collections::HashMap, error::Error};
use strata_cache::{Key, Levels, TieredCache};

/// Requests of one BatchWriteItem: its limit.
const BATCH: usize = 25;
/// Keys of one BatchGetItem: its limit.
const READ_BATCH: usize = 100;
/// Of them under way at the same time: as many as a warm job has by default.
const READS_AT_ONCE: usize = 10;
/// Batches under way at the same time.
const AT_ONCE: usize = 8;

type Item = HashMap<String, AttributeValue>;

/// A table of entries and the SDK's client.
pub struct Rows {
    client: Client,
    table: String,
}

impl Rows {
    /// A table that is there already.
    pub fn open(client: Client, table: String) -> Rows {
        Rows { client, table }
    }

    /// Reads the rows of these keys, a hundred at once.
    ///
    /// # Errors
    /// When DynamoDB fails, or has not got them all.
    pub async fn read(&self, keys: &[Key]) -> Result<(), Box<dyn Error>> {
        let batches = keys.chunks(READ_BATCH).map(|keys| async {
            let name = |key: &Key| {
                let parts = [("pk", partition(key)), ("sk", key.as_str().to_owned())];
                HashMap::from(parts.map(|(name, value)| (name.to_owned(), AttributeValue::S(value))))
            };
            let rows = KeysAndAttributes::builder().set_keys(Some(keys.iter().map(name).collect()));
            let batch = rows.consistent_read(true).build()?;
            let found = self.client.batch_get_item().request_items(&self.table, batch).send().await?;
            let found = found.responses.into_iter().flatten().map(|(_, rows)| rows.len()).sum::<usize>();
            if found == keys.len() { Ok(()) } else { Err(Box::<dyn Error>::from("a batch was not read in full")) }
        });
        stream::iter(batches.collect::<Vec<_>>()).buffer_unordered(READS_AT_ONCE).try_collect().await
    }

    /// Makes an empty table with the keys of the entries' table.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn create(client: Client, table: String) -> Result<Rows, Box<dyn Error>> {
        let mut create = client.create_table().table_name(&table).billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            create = create.attribute_definitions(attribute.build()?).key_schema(key.build()?);
        }
        create.send().await?;
        Ok(Rows { client, table })
    }

    /// Writes all entries of `tenant` into L3, also over those that are there. `levels` are where they may go.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn load(&self, cache: &TieredCache, tenant: Tenant, levels: Levels) -> Result<(), Box<dyn Error>> {
        let mut keys = tenant.keys();
        let first = keys.next().expect("a tenant has entries");
        cache.put(&first, tenant.put().levels(levels)).await?;
        let (row, index) = (partition(&first), format!("t#{}#{}", shard(&first), tenant.tag()));
        let rows = [self.rows_of(&row, &first).await?, self.rows_of(&index, &first).await?].concat();
        let copies = keys.flat_map(|key| rows.iter().map(move |row| row_of(row, &key)).collect::<Vec<_>>());
        let puts = copies.map(|item| {
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            Ok(WriteRequest::builder().put_request(put).build())
        });
        self.write(puts.collect::<Result<_, Box<dyn Error>>>()?).await
    }

    /// Removes every row whose key begins with `prefix`, which it finds by going through the whole table; says how
    /// many there were.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn scan_and_delete(&self, prefix: &str) -> Result<usize, Box<dyn Error>> {
        let scan = self.client.scan().table_name(&self.table).consistent_read(true);
        let scan = scan.filter_expression("begins_with(sk, :prefix)").projection_expression("pk, sk");
        let scan = scan.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
        let found: Vec<Item> = scan.into_paginator().items().send().try_collect().await?;
        let deletes = found.iter().map(|item| {
            let delete = DeleteRequest::builder().set_key(Some(item.clone())).build()?;
            Ok(WriteRequest::builder().delete_request(delete).build())
        });
        self.write(deletes.collect::<Result<_, Box<dyn Error>>>()?).await?;
        Ok(found.len())
    }

    /// The rows of `key` in one partition.
    async fn rows_of(&self, partition: &str, key: &Key) -> Result<Vec<Item>, Box<dyn Error>> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :key)");
        let query = query.expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()));
        let found =
            query.expression_attribute_values(":key", AttributeValue::S(key.as_str().to_owned())).send().await?;
        let rows = found.items.unwrap_or_default();
        if rows.len() == 1 { Ok(rows) } else { Err(format!("{partition} has {} rows of a key", rows.len()).into()) }
    }

    async fn write(&self, requests: Vec<WriteRequest>) -> Result<(), Box<dyn Error>> {
        let batches = requests.chunks(BATCH).map(|batch| async {
            let batch = self.client.batch_write_item().request_items(&self.table, batch.to_vec());
            let left = batch.send().await?.unprocessed_items.unwrap_or_default();
            if left.is_empty() { Ok(()) } else { Err(Box::<dyn Error>::from("a batch was not written in full")) }
        });
        stream::iter(batches.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).try_collect().await
    }
}

/// The same row for another key of the same tenant: the second part of the partition is the shard, and the sort key
/// begins with the key.
fn row_of(row: &Item, key: &Key) -> Item {
    let mut row = row.clone();
    let change = |row: &mut Item, name: &str, change: &dyn Fn(&str) -> String| {
        if let Some(AttributeValue::S(text)) = row.get_mut(name) {
            *text = change(text);
        }
    };
    change(&mut row, "pk", &|pk| {
        let mut parts: Vec<&str> = pk.splitn(3, '#').collect();
        let shard = shard(key);
        parts[1] = &shard;
        parts.join("#")
    });
    // Keys of a tenant are all of the same length.
    change(&mut row, "sk", &|sk| format!("{}{}", key.as_str(), &sk[key.as_str().len()..]));
    row
}
