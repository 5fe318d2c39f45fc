//! Requests that wait, for a job to progress or for the next mutation: each holds one slot of all and one of its account
//! until it is answered. A slot whose holder has died becomes free a little later.

use super::{Item, client::Store, error::L3Error, names, number, number_of, text, text_of};
use crate::chance;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use std::{collections::HashSet, time::Duration};

/// The partition of the slots.
const WAITS: &str = "waits";
/// How many may wait at a time, in all and of one account: each keeps a container busy.
const IN_ALL: usize = 10;
const OF_ACCOUNT: usize = 2;
/// How often a slot is looked for that others take in that moment.
const TRIES: usize = 5;
/// How much longer than its time a slot is held when nobody frees it, in ms.
const GRACE_MS: i64 = 10_000;

/// The right to wait.
pub(crate) struct Wait([Item; 2]);

impl Store {
    /// Takes a slot for so long; `None` when as many wait as may.
    pub(crate) async fn begin_wait(&self, account: &str, time: Duration) -> Result<Option<Wait>, L3Error> {
        for _ in 0..TRIES {
            let now_ms = self.clock.now_ms();
            let held = self.held_waits(now_ms).await?;
            let slots = free(&held, "", IN_ALL).zip(free(&held, account, OF_ACCOUNT));
            let Some((of_all, of_account)) = slots else { return Ok(None) };
            let wait = Wait([key(&of_all), key(&of_account)]);
            let until_ms = now_ms + i64::try_from(time.as_millis()).unwrap_or_default() + GRACE_MS;
            let writes = wait.0.iter().map(|key| self.hold_wait(key, now_ms, until_ms)).collect();
            if self.transact(writes).await? {
                return Ok(Some(wait));
            }
        }
        Ok(None)
    }

    /// The request that takes a slot which is free, for a transaction.
    fn hold_wait(&self, key: &Item, now_ms: i64, until_ms: i64) -> TransactWriteItem {
        let mut item = key.clone();
        item.insert("until".to_owned(), number(until_ms));
        item.insert("ttl".to_owned(), number(until_ms / 1000));
        let put = Put::builder()
            .table_name(&self.control)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #until <= :now")
            .set_expression_attribute_names(Some(names(&["until"])))
            .expression_attribute_values(":now", number(now_ms));
        TransactWriteItem::builder().put(put.build().expect("table and item are given")).build()
    }

    /// Frees a slot.
    pub(crate) async fn end_wait(&self, wait: Wait) -> Result<(), L3Error> {
        let delete = |key: Item| {
            let delete = Delete::builder().table_name(&self.control).set_key(Some(key));
            TransactWriteItem::builder().delete(delete.build().expect("both are given")).build()
        };
        self.transact(wait.0.into_iter().map(delete).collect()).await.map(drop)
    }

    async fn held_waits(&self, now_ms: i64) -> Result<HashSet<String>, L3Error> {
        let found = self.page(self.control_query(text(WAITS)).await?).await?;
        let held =
            found.items.iter().flatten().filter(|item| number_of(item, "until").is_some_and(|at: i64| at > now_ms));
        Ok(held.filter_map(|item| text_of(item, "sk")).map(str::to_owned).collect())
    }
}

/// A slot of that name which nobody holds; not always the first, so that those who come at once seldom want the same.
fn free(held: &HashSet<String>, name: &str, most: usize) -> Option<String> {
    let first = chance::usize(..most);
    let mut slots = (0..most).map(|step| format!("{name}#{}", (first + step) % most));
    slots.find(|slot| !held.contains(slot))
}

fn key(slot: &str) -> Item {
    Item::from([("pk".to_owned(), text(WAITS)), ("sk".to_owned(), text(slot))])
}
