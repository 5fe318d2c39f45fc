//! What an answer says of the caller's rate limit: `RateLimit-Policy` and `RateLimit`, as
//! draft-ietf-httpapi-ratelimit-headers-11 defines them. The policy is named after the class of the operation; `pk` stays
//! out, as it would name the API key.

use crate::response::Response;
use lambda_http::http::HeaderName;
use strata_cache::{Standing, limits::WINDOW_SECONDS};

/// The quota: `"read";q=5000;w=60`.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of it, and the seconds until more is: `"read";r=4999;t=60`.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The answer, saying where the caller stands.
pub(crate) fn told(response: Response, standing: &Standing) -> Response {
    let Standing { class, limit, remaining, reset_seconds } = standing;
    let class = class.name();
    response
        .header(RATE_LIMIT_POLICY, format!("\"{class}\";q={limit};w={WINDOW_SECONDS}"))
        .header(RATE_LIMIT, format!("\"{class}\";r={remaining};t={reset_seconds}"))
}
