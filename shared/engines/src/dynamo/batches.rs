//! Many items in one request. Of a batch a part may be left undone, which the answer says.

use super::{
    Answer, Tables,
    error::Failure,
    expression::projection,
    item::Item,
    operations::{Write, put},
};
use serde_json::{Map, Value, json};

/// Most keys and writes of one batch.
const MOST_KEYS: usize = 100;
const MOST_WRITES: usize = 25;

impl Tables {
    pub(super) fn batch_get(&mut self, request: &Value) -> Answer {
        let (mut responses, mut unprocessed, mut left) = (Map::new(), Map::new(), self.batch_items);
        for (table, asked) in request["RequestItems"].as_object().into_iter().flatten() {
            let keys = asked["Keys"].as_array().map(Vec::as_slice).unwrap_or_default();
            if keys.len() > MOST_KEYS {
                return Err(Failure::invalid("Too many items requested for the BatchGetItem call"));
            }
            let names = projection(asked)?;
            let done = keys.len().min(left);
            left -= done;
            let (now, later) = keys.split_at(done);
            let held = self.table(&json!({"TableName": table}))?;
            let mut found = Vec::new();
            for key in now {
                let (pk, sk) = Item::of(key).key()?;
                found.extend(held.get(&pk).and_then(|items| items.get(&sk)).map(|item| item.only(names.as_deref())));
            }
            responses.insert(table.clone(), Value::Array(found));
            if !later.is_empty() {
                let mut rest = asked.clone();
                rest["Keys"] = later.into();
                unprocessed.insert(table.clone(), rest);
            }
        }
        Ok([("Responses", responses), ("UnprocessedKeys", unprocessed)]
            .map(|(name, parts)| (name.to_owned(), Value::Object(parts)))
            .into_iter()
            .collect())
    }

    pub(super) fn batch_write(&mut self, request: &Value) -> Answer {
        let (mut unprocessed, mut left) = (Map::new(), self.batch_items);
        for (table, asked) in request["RequestItems"].as_object().into_iter().flatten() {
            let writes = asked.as_array().map(Vec::as_slice).unwrap_or_default();
            if writes.len() > MOST_WRITES {
                return Err(Failure::invalid("Too many items requested for the BatchWriteItem call"));
            }
            let done = writes.len().min(left);
            left -= done;
            let (now, later) = writes.split_at(done);
            let held = self.table(&json!({"TableName": table}))?;
            for write in now {
                let (kind, part) = match write.get("PutRequest") {
                    Some(part) => (Write::Put, part),
                    None => (Write::Delete, &write["DeleteRequest"]),
                };
                let item = kind.prepare(held, part)?;
                put(held, kind.key(part)?, item);
            }
            if !later.is_empty() {
                unprocessed.insert(table.clone(), later.into());
            }
        }
        Ok([("UnprocessedItems".to_owned(), Value::Object(unprocessed))].into_iter().collect())
    }
}
