//! DynamoDB's tables without a network: the operations that the cache uses, in the JSON in which the SDK sends them.
//!
//! Every table has a text `pk` as its partition key and a text `sk` as its sort key. What an operation answers is held to an
//! engine that is itself tested against DynamoDB. It does what DynamoDB may do at bad times as well, when it is told to:
//! [short pages](Tables::page_bytes), batches that it leaves half done.

mod batches;
mod condition;
mod error;
mod expression;
mod item;
mod operations;
mod query;
mod tables;
mod transactions;
mod update;

pub use self::tables::Tables;
use self::{error::Failure, tables::Table};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an operation answers, or why it is refused.
type Answer = Result<Map<String, Value>, Failure>;

impl Tables {
    /// Empty tables of these names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Tables {
        Tables {
            tables: names.into_iter().map(|name| (name.to_owned(), Table::new())).collect(),
            done: BTreeMap::new(),
            now_s: 0,
            page_bytes: 1 << 20,
            batch_items: usize::MAX,
        }
    }

    /// Does what a request says at a time in milliseconds since the Unix epoch: `target` is its `X-Amz-Target`, `body` its
    /// JSON. Returns the status and the body of the answer.
    pub fn handle(&mut self, now_ms: i64, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.now_s = now_ms.div_euclid(1000);
        let operation = target.rsplit('.').next().unwrap_or_default();
        let request = serde_json::from_slice(body);
        let answer =
            request.map_err(|_| Failure::new("SerializationException", "")).and_then(
                |request: Value| match operation {
                    "GetItem" => self.get_item(&request),
                    "PutItem" => self.put_item(&request),
                    "DeleteItem" => self.delete_item(&request),
                    "UpdateItem" => self.update_item(&request),
                    "Query" => self.query(&request),
                    "BatchGetItem" => self.batch_get(&request),
                    "BatchWriteItem" => self.batch_write(&request),
                    "TransactWriteItems" => self.transact_write(&request),
                    _ => Err(Failure::new("UnknownOperationException", "")),
                },
            );
        let (status, answer) = match answer {
            Ok(answer) => (200, answer),
            Err(failure) => (400, failure.into_json()),
        };
        (status, Value::Object(answer).to_string().into_bytes())
    }

    /// Removes what has expired by its attribute `ttl` before `before_s`, in seconds; DynamoDB does so within days.
    pub fn sweep(&mut self, before_s: i64) {
        for table in self.tables.values_mut() {
            for partition in table.values_mut() {
                partition.retain(|_, item| item.number("ttl").is_none_or(|ttl| ttl >= i128::from(before_s)));
            }
            table.retain(|_, partition| !partition.is_empty());
        }
    }

    /// The keys of all items: of the table, partition and sort key.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.tables.iter().flat_map(|(table, partitions)| {
            partitions.iter().flat_map(move |(pk, items)| items.keys().map(move |sk| (&**table, &**pk, &**sk)))
        })
    }
}
