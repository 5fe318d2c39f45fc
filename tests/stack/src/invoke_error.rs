//! How an invocation ends without an answer, and Lambda's limits on its size.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// Lambda's limit of a synchronous request, 6 MB.
pub const REQUEST_LIMIT: usize = 6 * 1024 * 1024;
/// Lambda's limit of a synchronous response, by the text of its own error message.
pub const RESPONSE_LIMIT: usize = 6_291_556;

/// Why an invocation brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvokeError {
    /// template.yaml has no such function.
    UnknownFunction(String),
    /// The function has no such container.
    UnknownContainer(String),
    /// The function reported an error.
    Function {
        /// The error's type.
        kind: String,
        /// The error's text.
        message: String,
    },
    /// The container's process ended, while it started or while it worked.
    Crashed {
        /// The container's name.
        container: String,
        /// How it ended.
        status: String,
    },
    /// The function's time was up; its container was killed.
    TimedOut(Duration),
    /// The event is larger than Lambda takes.
    RequestTooLarge,
    /// The answer is larger than Lambda gives back.
    ResponseTooLarge,
    /// The answer is no JSON.
    Malformed(String),
    /// The stack has been shut down.
    ShutDown,
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFunction(name) => write!(f, "there is no function {name}"),
            Self::UnknownContainer(name) => write!(f, "there is no container {name}"),
            Self::Function { kind, message } => write!(f, "{kind}: {message}"),
            Self::Crashed { container, status } => write!(f, "{container} crashed: {status}"),
            Self::TimedOut(after) => write!(f, "timed out after {} s", after.as_secs()),
            Self::RequestTooLarge => write!(f, "the event is over {REQUEST_LIMIT} bytes"),
            Self::ResponseTooLarge => write!(f, "the answer is over {RESPONSE_LIMIT} bytes"),
            Self::Malformed(why) => write!(f, "the answer is no JSON: {why}"),
            Self::ShutDown => f.write_str("the stack has been shut down"),
        }
    }
}

impl std::error::Error for InvokeError {}

/// A function's answer as JSON.
pub(crate) fn parsed(answer: Result<Bytes, InvokeError>) -> Result<Value, InvokeError> {
    serde_json::from_slice(&answer?).map_err(|why| InvokeError::Malformed(why.to_string()))
}
