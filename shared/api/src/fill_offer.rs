//! What an answer says to whoever found nothing and is willing to fill.

use crate::response::Response;
use lambda_http::http::{HeaderName, header};
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

    pub(crate) fn with_headers(&self, response: Response) -> Response {
        match self {
            FillOffer::Granted { token, .. } => response.header(FILL_TOKEN, token.clone()),
            FillOffer::Held(seconds) => response.header(header::RETRY_AFTER, seconds.to_string()),
            FillOffer::Unavailable => response,
        }
    }
}
