//! Operations on one item.

use super::{
    Answer, Table, Tables, condition::holds, error::Failure, expression::projection, item::Item, update::updated,
};
use serde_json::{Map, Value};

/// A write of one item, as an operation of its own or as part of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Put,
    Delete,
    Update,
    Check,
}

impl Tables {
    pub(super) fn get_item(&mut self, request: &Value) -> Answer {
        let (pk, sk) = Item::of(&request["Key"]).key()?;
        let names = projection(request)?;
        let found = self.table(request)?.get(&pk).and_then(|partition| partition.get(&sk));
        Ok(found.map(|item| ("Item".to_owned(), item.only(names.as_deref()))).into_iter().collect())
    }

    pub(super) fn put_item(&mut self, request: &Value) -> Answer {
        self.write(Write::Put, request)
    }

    pub(super) fn delete_item(&mut self, request: &Value) -> Answer {
        self.write(Write::Delete, request)
    }

    pub(super) fn update_item(&mut self, request: &Value) -> Answer {
        self.write(Write::Update, request)
    }

    fn write(&mut self, write: Write, request: &Value) -> Answer {
        let table = self.table(request)?;
        let after = write.prepare(table, request)?;
        let key = write.key(request)?;
        let before = standing(table, &key).cloned();
        put(table, key, after.clone());
        let told = match request["ReturnValues"].as_str() {
            Some("ALL_OLD") => before,
            Some("ALL_NEW") => after,
            _ => None,
        };
        Ok(told.map(|item| ("Attributes".to_owned(), item.to_json())).into_iter().collect::<Map<_, _>>())
    }
}

impl Write {
    /// The key of the item that is written.
    pub(super) fn key(self, request: &Value) -> Result<(String, String), Failure> {
        Item::of(&request[if self == Write::Put { "Item" } else { "Key" }]).key()
    }

    /// What is to stand there, if the condition holds; nothing where the item is to be gone.
    pub(super) fn prepare(self, table: &Table, request: &Value) -> Result<Option<Item>, Failure> {
        let standing = standing(table, &self.key(request)?);
        if let Some(condition) = request["ConditionExpression"].as_str()
            && !holds(condition, request, standing)?
        {
            let is_asked = request["ReturnValuesOnConditionCheckFailure"].as_str() == Some("ALL_OLD");
            return Err(Failure::condition(standing.filter(|_| is_asked).map(Item::to_json)));
        }
        Ok(match self {
            Write::Put => Some(Item::of(&request["Item"])),
            Write::Delete => None,
            Write::Update => Some(updated(request, standing)?),
            Write::Check => standing.cloned(),
        })
    }
}

fn standing<'t>(table: &'t Table, (pk, sk): &(String, String)) -> Option<&'t Item> {
    table.get(pk)?.get(sk)
}

/// Lets an item stand under a key, or none.
pub(super) fn put(table: &mut Table, (pk, sk): (String, String), item: Option<Item>) {
    match item {
        Some(item) => drop(table.entry(pk).or_default().insert(sk, item)),
        None => {
            if let Some(partition) = table.get_mut(&pk) {
                partition.remove(&sk);
                if partition.is_empty() {
                    table.remove(&pk);
                }
            }
        }
    }
}
