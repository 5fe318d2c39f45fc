//! What an answer says of the caller's rate limit: `RateLimit-Policy` and `RateLimit`, as
//! draft-ietf-httpapi-ratelimit-headers-11 defines them. The policy is named after the class of the operation; `pk` stays
//! out, as it would name the API key.

use crate::{response::Response, route::Standings};
use lambda_http::http::HeaderName;
use strata_cache::{Standing, limits::WINDOW_SECONDS};

/// The quota: `"read";q=5000;w=60`.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of it, and the seconds until more is: `"read";r=4999;t=60`.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The answer, saying where the caller stands; a list, where that is of several classes.
pub(crate) fn with_headers(response: Response, standings: &Standings) -> Response {
    let list =
        |one: fn(&Standing) -> String| standings.iter().flatten().map(one).reduce(|list, one| format!("{list}, {one}"));
    let policy = list(|of| format!("\"{}\";q={};w={WINDOW_SECONDS}", of.class.name(), of.limit));
    let left = list(|of| format!("\"{}\";r={};t={}", of.class.name(), of.remaining, of.reset_seconds));
    match (policy, left) {
        (Some(policy), Some(left)) => response.header(RATE_LIMIT_POLICY, policy).header(RATE_LIMIT, left),
        _ => response,
    }
}
