//! What is wrong with one part of a request.

use serde::Serialize;
use std::{borrow::Cow, fmt};

/// What is wrong with one part of a request: the field's or parameter's name, and a sentence that goes on from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// The field, parameter or header; `body` for the body as a whole.
    pub field: String,
    /// What would be right, such as `must be a boolean`.
    pub message: Cow<'static, str>,
}

impl Problem {
    /// `field` is not as it must be, and `message` says how.
    pub fn new(field: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Problem {
        Problem { field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.message)
    }
}
