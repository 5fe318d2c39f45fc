//! What a request that is not answered as it wished is answered: the contract's `error`, and what headers say of it.

use crate::{
    error::ApiError,
    fill_offer::{FILL_TOKEN, FillOffer},
    rate_limit,
    response::Response,
};
use lambda_http::http::header;
use serde::Serialize;
use strata_cache::UndoRefusal;

/// Seconds after which a client may try again when a level is down: about the time its breaker stays open.
const RETRY_AFTER_SECONDS: &str = "1";

impl ApiError {
    /// The answer, for the request `request_id`, at `now_ms`.
    pub fn respond(&self, request_id: &str, now_ms: i64) -> Response {
        let error = self.body(request_id, now_ms);
        let response = Response::json(self.class().0, &Envelope { error });
        self.with_headers(response.expect("text and numbers can be written as JSON"))
    }

    fn with_headers(&self, response: Response) -> Response {
        match self {
            ApiError::KeyNotFound { cache_status: Some(cache_status), .. } => {
                response.header(crate::CACHE_STATUS, cache_status.clone())
            }
            ApiError::KeyToFill { cache_status, fill, .. } => {
                fill.with_headers(response.header(crate::CACHE_STATUS, cache_status.clone()))
            }
            ApiError::Unauthorized(denial) => response.header(header::WWW_AUTHENTICATE, denial.challenge()),
            ApiError::RateLimited(standing) => {
                let response = response.header(header::RETRY_AFTER, standing.reset_seconds.to_string());
                rate_limit::with_headers(response, &[Some(*standing), None])
            }
            ApiError::LevelUnavailable { .. }
            | ApiError::OutOfTime
            | ApiError::Unanswered
            | ApiError::Contended
            | ApiError::Undo(UndoRefusal::Open | UndoRefusal::Unfinished) => {
                response.header(header::RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
            _ => response,
        }
    }
}

impl FillOffer {
    fn with_headers(&self, response: Response) -> Response {
        match self {
            FillOffer::Granted { token, .. } => response.header(FILL_TOKEN, token.clone()),
            FillOffer::Held(seconds) => response.header(header::RETRY_AFTER, seconds.to_string()),
            FillOffer::Unavailable => response,
        }
    }
}

#[derive(Serialize)]
struct Envelope<T> {
    error: T,
}
