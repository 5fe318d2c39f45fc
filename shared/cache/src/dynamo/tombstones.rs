//! How a tombstone takes the place of a row: of one that an invalidation means, of one whose value it keeps, and of a
//! tombstone that is to keep its value no longer.

use super::{
    Item,
    client::Store,
    doomed::{Buried, Doomed},
    error::L3Error,
    number,
    schema::{KEEP_SECONDS, row_key, tombstone},
    text,
};
use crate::version::Version;
use aws_sdk_dynamodb::{
    operation::put_item::builders::PutItemFluentBuilder,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};

impl Store {
    /// Puts a tombstone in place of what is doomed, and keeps nothing of it.
    pub(super) async fn bury(&self, key: &str, doomed: Doomed<'_>) -> Result<Buried, L3Error> {
        let (condition, values) = doomed.condition();
        let version = doomed.version.of_tombstone();
        let buried = self.put_tombstone(key, version, |put| {
            let put = put.condition_expression(condition).expression_attribute_names("#k", "kind");
            put.set_expression_attribute_values(Some(values))
        });
        Ok(buried.await?.unwrap_or_else(|current| Buried::refused(version, current)))
    }

    /// Puts a tombstone of this version in place of the row of `key` under a condition; returns what became of the row, or
    /// else what stands there.
    async fn put_tombstone(
        &self,
        key: &str,
        version: Version,
        under: impl FnOnce(PutItemFluentBuilder) -> PutItemFluentBuilder,
    ) -> Result<Result<Buried, Option<Item>>, L3Error> {
        let put = self.client().await?.put_item().table_name(&self.entries);
        let sent = under(put.set_item(Some(tombstone(key, version, self.clock.now_ms()))))
            .expression_attribute_names("#v", "version")
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(self.conditional(sent)?.map(|put| put.attributes.map_or(Buried::No(None), Buried::Yes)))
    }

    /// Puts a tombstone that keeps the value in place of a value that is older than `version`, and the very one that was
    /// `seen`, or has that name, if that is given.
    pub(super) async fn keep(&self, key: &str, version: Version, seen: Option<Version>) -> Result<Buried, L3Error> {
        let mut values = Item::from([
            (":v".to_owned(), number(version.0)),
            (":floor".to_owned(), number(self.floors().l3.0)),
            (":value".to_owned(), text("value")),
            (":gone".to_owned(), text("gone")),
            (":ttl".to_owned(), number(self.clock.now_ms() / 1000 + KEEP_SECONDS)),
        ]);
        let mut condition = "#v < :v AND #k = :value AND #v >= :floor".to_owned();
        if let Some(seen) = seen {
            condition.push_str(" AND (#v = :seen OR parts = :seen)");
            values.insert(":seen".to_owned(), number(seen.0));
        }
        let set = "SET born = #v, parts = if_not_exists(parts, #v), #v = :v, #k = :gone, #ttl = :ttl";
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.entries)
            .set_key(Some(row_key(key)))
            .update_expression(set)
            .condition_expression(condition)
            .expression_attribute_names("#v", "version")
            .expression_attribute_names("#k", "kind")
            .expression_attribute_names("#ttl", "ttl")
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        Ok(match self.conditional(sent)? {
            Ok(kept) => kept.attributes.map_or(Buried::No(None), Buried::Yes),
            Err(current) => Buried::refused(version, current),
        })
    }

    /// Takes the value from the tombstone of version `current`, which keeps one; the tombstone is of that version then, or
    /// of `version` if that is greater.
    pub(super) async fn strip(&self, key: &str, current: Version, version: Version) -> Result<Buried, L3Error> {
        let buried = self.put_tombstone(key, current.max(version), |put| {
            put.condition_expression("#v = :seen AND attribute_exists(born)")
                .expression_attribute_values(":seen", number(current.0))
        });
        Ok(buried.await?.unwrap_or_else(Buried::No))
    }
}
