//! A row and its outage note in one transaction: a container that is killed half-way leaves neither.

use super::{
    client::Store,
    control::is_refused,
    error::L3Error,
    notes::{Noted, put as note_of},
    rows::{Before, RowWritten, WriteRow},
};
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};

impl Store {
    /// Writes a row over one of a smaller version, together with a note that Redis was not told, in the generation that was
    /// read last; and makes sure that the note is in the one that is read.
    pub(crate) async fn write_with_note(&self, row: &WriteRow<'_>) -> Result<RowWritten, L3Error> {
        let generation = self.known_generation();
        let written = self.write_and_note(row, generation).await?;
        if matches!(written, RowWritten::Yes(_)) {
            let note = Noted::Changed { key: row.key.to_owned(), version: row.version };
            let sure = self.make_sure_of_note(&note, Some(generation)).await;
            // The row is written.
            sure.map_err(|error| L3Error::Failed(error.into()))?;
        }
        Ok(written)
    }

    async fn write_and_note(&self, row: &WriteRow<'_>, generation: u64) -> Result<RowWritten, L3Error> {
        let put = self.prepare(row).await?;
        let entry = Put::builder()
            .table_name(&self.entries)
            .set_item(Some(put.item))
            .condition_expression(put.condition)
            .set_expression_attribute_names(Some(put.names))
            .set_expression_attribute_values(put.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are given");
        let note = note_of(&self.control, row.key, row.version, self.clock.now_ms(), generation);
        let sent = self
            .client()
            .await?
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(entry).build())
            .transact_items(TransactWriteItem::builder().put(note).build())
            .send()
            .await;
        match sent {
            // A transaction does not tell what it replaced: the caller has read that before.
            Ok(_) => {
                self.count(row);
                Ok(RowWritten::Yes(Before::default()))
            }
            Err(SdkError::ServiceError(error)) if is_refused(error.err()) => {
                let reasons = match error.into_err() {
                    TransactWriteItemsError::TransactionCanceledException(canceled) => canceled.cancellation_reasons,
                    _ => None,
                };
                // That of the row, which is the first part.
                let reason = reasons.unwrap_or_default().into_iter().next();
                self.refused(row, reason.and_then(|reason| reason.item)).await
            }
            Err(error) => Err(self.failed(error)),
        }
    }
}
