//! What is sent again that the SDK would not: what DynamoDB refused only because something else was writing the item, or
//! a part of a transaction was throttled. Nothing has happened then. Bounded, with jitter, within the operation's time,
//! as every retry.

use aws_sdk_dynamodb::{
    config::{
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::CancellationReason,
};

/// Why a part of a transaction is cancelled for a moment only; `None` is a part that nothing is wrong with.
const PASSING: [&str; 4] = ["None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// Tells the SDK's client.
#[derive(Debug)]
pub(super) struct Conflicts;

impl ClassifyRetry for Conflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let passes = error.is_some_and(|error| {
            let transaction = error.downcast_ref().is_some_and(|error| match error {
                TransactWriteItemsError::TransactionCanceledException(canceled) => {
                    pass(canceled.cancellation_reasons())
                }
                _ => false,
            });
            transaction
                || error.downcast_ref().is_some_and(PutItemError::is_transaction_conflict_exception)
                || error.downcast_ref().is_some_and(UpdateItemError::is_transaction_conflict_exception)
        });
        if passes { RetryAction::transient_error() } else { RetryAction::NoActionIndicated }
    }

    fn name(&self) -> &'static str {
        "Conflicts"
    }
}

fn pass(reasons: &[CancellationReason]) -> bool {
    !reasons.is_empty() && reasons.iter().all(|reason| reason.code().is_none_or(|code| PASSING.contains(&code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_does_not_hold_is_not_asked_again() {
        let reasons = |codes: &[&str]| {
            codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect::<Vec<_>>()
        };
        assert!(pass(&reasons(&["TransactionConflict", "None"])));
        assert!(pass(&reasons(&["None", "ThrottlingError"])));
        assert!(!pass(&reasons(&["ConditionalCheckFailed", "TransactionConflict"])));
        assert!(!pass(&reasons(&["ValidationError"])) && !pass(&[]));
    }
}
