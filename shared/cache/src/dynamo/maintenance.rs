//! When the indexes of L2 were swept last, in the control table, so that one sweeper of the fleet does it at a time.

use super::{
    Item,
    client::{L3Error, Store},
    number, text, text_of,
};
use aws_sdk_dynamodb::{error::SdkError, types::ReturnValue};

/// What a sweeper is told when it may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// Where the sweep before was cut off; empty when it came to the end.
    pub progress: String,
    /// Until when nobody else sweeps, in ms; names the sweeper as well.
    until_ms: i64,
}

impl Store {
    /// Claims the sweep until `until_ms`, if it is due and nobody else is at it.
    pub(crate) async fn claim_sweep(&self, until_ms: i64) -> Result<Option<Due>, L3Error> {
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.control)
            .set_key(Some(key()))
            .update_expression("SET next_at = :until")
            .condition_expression("attribute_not_exists(next_at) OR next_at <= :now")
            .expression_attribute_values(":until", number(until_ms))
            .expression_attribute_values(":now", number(self.clock.now_ms()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match sent {
            Ok(claimed) => {
                let progress = claimed.attributes.as_ref().and_then(|item| text_of(item, "progress"));
                Ok(Some(Due { progress: progress.unwrap_or_default().to_owned(), until_ms }))
            }
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Writes down how far the sweep has come, and when it is due again, unless somebody else has begun meanwhile.
    pub(crate) async fn end_sweep(&self, due: &Due, progress: &str, next_at_ms: i64) -> Result<(), L3Error> {
        let sent = self
            .client()
            .await?
            .update_item()
            .table_name(&self.control)
            .set_key(Some(key()))
            .update_expression("SET next_at = :next, #progress = :progress")
            .condition_expression("next_at = :until")
            .expression_attribute_names("#progress", "progress")
            .expression_attribute_values(":next", number(next_at_ms))
            .expression_attribute_values(":progress", text(progress))
            .expression_attribute_values(":until", number(due.until_ms))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }
}

fn key() -> Item {
    Item::from([("pk".to_owned(), text("maintenance")), ("sk".to_owned(), text("index"))])
}
