//! What is refused.

use serde_json::{Map, Value, json};

/// An exception, by its name.
#[derive(Debug)]
pub(super) struct Failure {
    name: &'static str,
    message: String,
    more: Map<String, Value>,
}

impl Failure {
    pub(super) fn new(name: &'static str, message: &str) -> Failure {
        Failure { name, message: message.to_owned(), more: Map::new() }
    }

    pub(super) fn invalid(message: &str) -> Failure {
        Failure::new("ValidationException", message)
    }

    /// A condition does not hold, of what stands there, where that is asked for.
    pub(super) fn condition(standing: Option<Value>) -> Failure {
        let mut failure = Failure::new("ConditionalCheckFailedException", "The conditional request failed");
        failure.more.extend(standing.map(|item| ("Item".to_owned(), item)));
        failure
    }

    /// A transaction is cancelled, for a reason of each of its parts.
    pub(super) fn cancelled(reasons: Vec<Value>) -> Failure {
        let mut failure = Failure::new("TransactionCanceledException", "Transaction cancelled");
        failure.more.insert("CancellationReasons".to_owned(), Value::Array(reasons));
        failure
    }

    /// As the reason of one part of a transaction.
    pub(super) fn as_reason(&self) -> Value {
        let code = self.name.trim_end_matches("Exception").trim_end_matches("ed").to_owned();
        let code = if code == "ConditionalCheckFail" { "ConditionalCheckFailed".to_owned() } else { code };
        let mut reason = json!({"Code": code, "Message": self.message});
        if let Some(item) = self.more.get("Item") {
            reason["Item"] = item.clone();
        }
        reason
    }

    pub(super) fn into_json(mut self) -> Map<String, Value> {
        self.more.insert("__type".to_owned(), format!("com.amazonaws.dynamodb.v20120810#{}", self.name).into());
        self.more.insert("message".to_owned(), self.message.into());
        self.more
    }
}
