//! What a miss answers to a caller that is willing to fill it.

use lambda_http::http::HeaderName;
use serde_json::{Value, json};

/// The header that carries a token.
pub const FILL_TOKEN: HeaderName = HeaderName::from_static("fill-token");

/// What is to be done.
#[derive(Debug)]
pub enum FillOffer {
    /// Load the value, and store it with this token.
    Granted {
        /// The token, sealed.
        token: String,
        /// For how long it is good, in seconds.
        expires_in: u32,
    },
    /// Come again after so many seconds.
    Held(u32),
    /// Load the value without a lease.
    Unavailable,
}

impl FillOffer {
    /// As `details.fill` says it.
    pub fn to_json(&self) -> Value {
        match self {
            FillOffer::Granted { expires_in, .. } => json!({"state": "granted", "expires_in": expires_in}),
            FillOffer::Held(seconds) => json!({"state": "held", "retry_after": seconds}),
            FillOffer::Unavailable => json!({"state": "unavailable"}),
        }
    }
}
