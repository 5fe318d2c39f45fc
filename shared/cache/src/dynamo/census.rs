//! How much L3 holds, and whether it answers.

use super::{
    Item,
    client::Store,
    error::L3Error,
    rows::{Write, WriteRow},
    schema::partition_name,
    text, text_of,
};
use crate::stats::{Amount, Breakdown, Kept};

impl Store {
    /// Asks for an item that is not there: whether L3 answers.
    pub(crate) async fn probe(&self) -> Result<(), L3Error> {
        let asked = self
            .client()
            .await?
            .get_item()
            .table_name(&self.entries)
            .key("pk", text("probe"))
            .key("sk", text("-"))
            .send()
            .await;
        asked.map(|_| ()).map_err(|error| self.failed(error))
    }

    /// Counts the live values in the page of a partition that begins after the row of that name, and says after which
    /// row the next page begins.
    ///
    /// DynamoDB charges for what it reads and not for what it answers, so this costs half a read unit for every 4 KB of
    /// values; it is not worth the price of a consistent read.
    pub(crate) async fn count_page(
        &self,
        shard: u64,
        after: Option<&str>,
        counted: &mut Breakdown,
    ) -> Result<Option<String>, L3Error> {
        let row = |name| Item::from([("pk".to_owned(), text(partition_name(shard))), ("sk".to_owned(), text(name))]);
        let query = self
            .client()
            .await?
            .query()
            .table_name(&self.entries)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(partition_name(shard)))
            .projection_expression("sk, #k, #x, #b, #v")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#x", "expires_at")
            .expression_attribute_names("#b", "bytes")
            .expression_attribute_names("#v", "version")
            .set_exclusive_start_key(after.map(row));
        let page = query.customize().config_override(self.bulk()).send().await.map_err(|error| self.failed(error))?;
        let now_ms = self.clock.now_ms();
        for item in page.items.unwrap_or_default() {
            let head = self.head_of(&item);
            if let Some(key) = text_of(&item, "sk").filter(|_| head.is_live(now_ms)) {
                counted.add(key, head.bytes);
            }
        }
        Ok(page.last_evaluated_key.as_ref().and_then(|last| text_of(last, "sk")).map(str::to_owned))
    }

    /// What DynamoDB itself says of the table, about six hours old: every item of it, whatever it is for.
    pub(crate) async fn describe(&self) -> Result<Amount, L3Error> {
        let told = self.client().await?.describe_table().table_name(&self.entries).send().await;
        let table = told.map_err(|error| self.failed(error))?.table;
        let whole = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        Ok(table.map_or(Amount::default(), |table| Amount {
            entries: whole(table.item_count),
            bytes: whole(table.table_size_bytes),
        }))
    }

    /// Counts a row that was written.
    pub(super) fn count(&self, row: &WriteRow<'_>) {
        if let Write::Value { envelope, .. } = row.content {
            self.tally.stored(envelope.len(), self.clock.now_ms());
        }
    }

    /// Counts a value that was replaced or removed.
    pub(crate) fn count_gone(&self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.tally.gone(kept, self.clock.now_ms());
        }
    }
}
