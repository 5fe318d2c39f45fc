//! How the single items of the control table are read and changed: always consistently, and only under a condition.

use super::{Item, client::Store, error::L3Error};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        query::{QueryOutput, builders::QueryFluentBuilder},
        transact_write_items::TransactWriteItemsError,
        update_item::{UpdateItemOutput, builders::UpdateItemFluentBuilder},
    },
    types::{AttributeValue, TransactWriteItem},
};

impl Store {
    /// The item of that key.
    pub(super) async fn control_item(&self, key: Item) -> Result<Option<Item>, L3Error> {
        let got = self
            .client()
            .await?
            .get_item()
            .table_name(&self.control)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.failed(error))?;
        Ok(got.item)
    }

    /// A consistent query of one partition, to be narrowed and sent.
    pub(super) async fn control_query(&self, partition: AttributeValue) -> Result<QueryFluentBuilder, L3Error> {
        let query = self.client().await?.query().table_name(&self.control);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", partition);
        Ok(query.consistent_read(true))
    }

    /// One page of what a query finds.
    pub(super) async fn page(&self, query: QueryFluentBuilder) -> Result<QueryOutput, L3Error> {
        query.send().await.map_err(|error| self.failed(error))
    }

    /// All that a query finds, page by page.
    pub(super) async fn pages(&self, query: QueryFluentBuilder) -> Result<Vec<Item>, L3Error> {
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let page = self.page(query.clone().set_exclusive_start_key(after)).await?;
            items.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(items);
            }
        }
    }

    /// An update of the item of that key, to be completed and handed to [`Store::update`].
    pub(super) async fn control_update(&self, key: Item) -> Result<UpdateItemFluentBuilder, L3Error> {
        Ok(self.client().await?.update_item().table_name(&self.control).set_key(Some(key)))
    }

    /// Sends an update; `None` when its condition does not hold.
    pub(super) async fn update(&self, update: UpdateItemFluentBuilder) -> Result<Option<UpdateItemOutput>, L3Error> {
        Ok(self.conditional(update.send().await)?.ok())
    }

    /// Writes all or nothing; false when a condition does not hold.
    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<bool, L3Error> {
        Ok(self.refused_of(writes).await?.is_empty())
    }

    /// Writes all or nothing; which of the writes have a condition that does not hold, none when all is written.
    pub(super) async fn refused_of(&self, writes: Vec<TransactWriteItem>) -> Result<Vec<usize>, L3Error> {
        match self.client().await?.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(Vec::new()),
            Err(SdkError::ServiceError(error)) if is_refused(error.err()) => Ok(refused(error.err())),
            Err(error) => Err(self.failed(error)),
        }
    }
}

/// Whether a transaction was cancelled because a condition does not hold.
pub(super) fn is_refused(error: &TransactWriteItemsError) -> bool {
    !refused(error).is_empty()
}

/// Which writes of a transaction have a condition that does not hold.
fn refused(error: &TransactWriteItemsError) -> Vec<usize> {
    let TransactWriteItemsError::TransactionCanceledException(canceled) = error else { return Vec::new() };
    let reasons = canceled.cancellation_reasons().iter().enumerate();
    reasons.filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed")).map(|(index, _)| index).collect()
}
