//! Writes under a condition. That the condition does not hold is an answer and no failure: DynamoDB is well, and says what
//! stands there instead.

use super::{Item, client::Store, error::L3Error};
use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, update_item::UpdateItemError},
};
use std::error::Error;

/// An error of an operation that takes a condition.
pub(super) trait Refusal: Error + ProvideErrorMetadata + Send + Sync + 'static {
    /// Whether the condition did not hold.
    fn is_refused(&self) -> bool;

    /// The item that stands there, if the request asked for it.
    fn into_item(self) -> Option<Item>;
}

macro_rules! refusals {
    ($($error:ident)*) => {
        $(impl Refusal for $error {
            fn is_refused(&self) -> bool {
                self.is_conditional_check_failed_exception()
            }

            fn into_item(self) -> Option<Item> {
                if let $error::ConditionalCheckFailedException(refused) = self { refused.item } else { None }
            }
        })*
    };
}

refusals! { PutItemError UpdateItemError }

impl Store {
    /// What came of a write under a condition: its answer, or what stands there instead, if it asked for that.
    pub(super) fn conditional<T, E: Refusal>(
        &self,
        sent: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Result<T, Option<Item>>, L3Error> {
        match sent {
            Ok(done) => Ok(Ok(done)),
            Err(SdkError::ServiceError(error)) if error.err().is_refused() => Ok(Err(error.into_err().into_item())),
            Err(error) => Err(self.failed(error)),
        }
    }
}
