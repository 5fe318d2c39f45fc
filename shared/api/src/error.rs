//! Every way a request can fail: one list, one match to status and code, one shape.
//!
//! Each error has two messages. The client's is fixed, or names what the client sent; the log's is the cause, which
//! is written once with the request id and never sent.

use crate::{denial::Denial, fill_offer::FillOffer, problem::Problem, scope::Scope, timestamp::Timestamp};
use lambda_http::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use std::{borrow::Cow, error::Error as StdError, fmt};
use strata_cache::{CacheError, Key, Level, Levels, Standing, UndoRefusal, limits::WINDOW_SECONDS};

#[cfg(test)]
mod tests;

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub enum ApiError {
    /// No live entry has this key.
    KeyNotFound {
        /// The key.
        key: Key,
        /// The levels that were looked into.
        searched: Levels,
        /// What each level did, for the `Cache-Status` header of a read.
        cache_status: Option<String>,
    },
    /// No live entry has this key, and this is what is to be done to fill it.
    KeyToFill {
        /// The key.
        key: Key,
        /// The levels that were looked into.
        searched: Levels,
        /// What each level did, for the `Cache-Status` header.
        cache_status: String,
        /// What is to be done.
        fill: FillOffer,
    },
    /// There is no job of this name.
    JobNotFound(String),
    /// The function does not serve this method and resource.
    RouteNotFound,
    /// The request cannot be read; every problem found.
    Invalid(Vec<Problem>),
    /// The request can be read, and what it asks for is not allowed; every problem found.
    Unprocessable(Vec<Problem>),
    /// The body is of a kind that is not read; what would be right.
    UnsupportedMediaType(&'static str),
    /// The caller is not known.
    Unauthorized(Denial),
    /// The caller's token does not have this scope.
    ScopeMissing(Scope),
    /// The caller's token is limited to prefixes that this key has not.
    KeyForbidden(Key),
    /// The caller's token is limited to prefixes, and the pattern reaches outside of them.
    PatternForbidden(String),
    /// The caller's token is limited to prefixes, and none of the keys asked for has one of them.
    PrefixForbidden(String),
    /// The caller's token is limited to prefixes, and what it asks concerns all keys.
    Confined,
    /// The caller has used up a rate limit.
    RateLimited(Standing),
    /// The API key has as much of something as it may.
    QuotaExceeded {
        /// Of what.
        quota: &'static str,
        /// How much it has.
        used: u64,
        /// The most it may have.
        limit: u64,
    },
    /// Something has touched the key since the miss of the request's token, or that cannot be ruled out.
    LeaseLost,
    /// The condition of the request does not hold.
    PreconditionFailed,
    /// More keys match than the request allows; nothing was removed.
    TooManyMatches {
        /// How many.
        matched: u64,
    },
    /// The value is too large to be stored.
    EntryTooLarge {
        /// Bytes of the value's JSON text.
        size_bytes: usize,
        /// The most there may be.
        max_bytes: usize,
    },
    /// The value could be stored, but no answer could carry it back.
    AnswerTooLarge {
        /// Bytes of the answer that would carry the value.
        answer_bytes: usize,
        /// The most there may be.
        max_bytes: usize,
    },
    /// A level that is needed for a correct answer cannot be reached.
    LevelUnavailable {
        /// The level.
        level: Level,
        /// For the log.
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// There is more to count than one request has time for.
    OutOfTime,
    /// An operation of several did not end in time; it may have happened.
    Unanswered,
    /// Other changes of the same key kept overtaking this one.
    Contended,
    /// An undo is not made.
    Undo(UndoRefusal),
    /// A mistake of ours; the cause is for the log.
    Internal(Box<dyn StdError + Send + Sync>),
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> ApiError {
        ApiError::Invalid(vec![problem])
    }
}

impl From<CacheError> for ApiError {
    fn from(error: CacheError) -> ApiError {
        match error {
            CacheError::Unavailable { level, cause } => ApiError::LevelUnavailable { level, cause },
            CacheError::PreconditionFailed => ApiError::PreconditionFailed,
            CacheError::LeaseLost => ApiError::LeaseLost,
            CacheError::TooLarge { size_bytes, max_bytes } => ApiError::EntryTooLarge { size_bytes, max_bytes },
            CacheError::Disabled(level) => {
                Problem::new("cache_levels", format!("must not name {level}, which is disabled")).into()
            }
            CacheError::Refused(refusals) => {
                let problems = refusals.into_iter().map(|refusal| Problem::new(refusal.field, refusal.message));
                ApiError::Unprocessable(problems.collect())
            }
            CacheError::TooMany { matched } => ApiError::TooManyMatches { matched },
            CacheError::OutOfTime => ApiError::OutOfTime,
            CacheError::OverQuota { quota, used, limit } => ApiError::QuotaExceeded { quota, used, limit },
            CacheError::OtherJob => ApiError::Unprocessable(vec![Problem::new(
                "Idempotency-Key",
                "was given with another request before; a new request needs a new one",
            )]),
            CacheError::Contended => ApiError::Contended,
            CacheError::Undo(refusal) => ApiError::Undo(refusal),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> ApiError {
        ApiError::Internal(error.into())
    }
}

/// What the client is told, with every problem: for callers that are told by text alone.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiError::Invalid(problems) | ApiError::Unprocessable(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&problems.join("; "))
            }
            _ => f.write_str(&self.message()),
        }
    }
}

impl StdError for ApiError {}

impl ApiError {
    /// The status and the contract's code.
    pub const fn class(&self) -> (StatusCode, &'static str) {
        match self {
            ApiError::KeyNotFound { .. } | ApiError::KeyToFill { .. } => (StatusCode::NOT_FOUND, "CACHE_KEY_NOT_FOUND"),
            ApiError::JobNotFound(_) => (StatusCode::NOT_FOUND, "JOB_NOT_FOUND"),
            ApiError::RouteNotFound => (StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND"),
            ApiError::Invalid(_) => (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
            ApiError::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_FAILED"),
            ApiError::UnsupportedMediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            ApiError::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            ApiError::ScopeMissing(_)
            | ApiError::KeyForbidden(_)
            | ApiError::PatternForbidden(_)
            | ApiError::PrefixForbidden(_)
            | ApiError::Confined => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            ApiError::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
            ApiError::QuotaExceeded { .. } => (StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED"),
            ApiError::LeaseLost => (StatusCode::PRECONDITION_FAILED, "LEASE_LOST"),
            ApiError::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
            ApiError::TooManyMatches { .. } => (StatusCode::CONFLICT, "TOO_MANY_MATCHES"),
            ApiError::EntryTooLarge { .. } | ApiError::AnswerTooLarge { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "ENTRY_TOO_LARGE")
            }
            ApiError::LevelUnavailable { .. } | ApiError::OutOfTime | ApiError::Unanswered | ApiError::Contended => {
                (StatusCode::SERVICE_UNAVAILABLE, "LEVEL_UNAVAILABLE")
            }
            ApiError::Undo(UndoRefusal::Unknown) => (StatusCode::NOT_FOUND, "INVALIDATION_NOT_FOUND"),
            ApiError::Undo(UndoRefusal::Expired { .. }) => (StatusCode::CONFLICT, "UNDO_EXPIRED"),
            ApiError::Undo(UndoRefusal::Open | UndoRefusal::Unfinished) => (StatusCode::CONFLICT, "UNDO_PENDING"),
            ApiError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        }
    }

    /// The message for the client.
    fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            ApiError::KeyNotFound { .. } | ApiError::KeyToFill { .. } => "The specified cache key was not found",
            ApiError::JobNotFound(_) => "There is no such job, or it ended over a week ago",
            ApiError::RouteNotFound => "There is no such resource, or it does not have this method",
            ApiError::Invalid(problems) | ApiError::Unprocessable(problems) => return invalid_message(problems),
            ApiError::UnsupportedMediaType(message) => message,
            ApiError::Unauthorized(denial) => denial.message(),
            ApiError::ScopeMissing(_) => "The token does not have the scope this operation needs",
            ApiError::KeyForbidden(_) | ApiError::PrefixForbidden(_) => "The token is limited to other key prefixes",
            ApiError::PatternForbidden(_) => {
                "The token is limited to key prefixes, and the pattern reaches outside of them"
            }
            ApiError::Confined => "The token is limited to key prefixes, and this concerns all keys",
            ApiError::RateLimited(_) => "The API key has made as many requests of this kind as it may; try again later",
            ApiError::QuotaExceeded { quota, used, limit } => {
                return Cow::Owned(format!("The API key has {used} {}, of at most {limit}", quota.replace('_', " ")));
            }
            ApiError::LeaseLost => {
                "The key may have been changed or invalidated since the miss; read it again, and load anew if it is missing"
            }
            ApiError::PreconditionFailed => "The condition of the request does not hold for the current value",
            ApiError::TooManyMatches { .. } => "More entries match than max_affected allows; nothing was removed",
            ApiError::EntryTooLarge { .. } => "The value is over the size limit of cache entries",
            ApiError::AnswerTooLarge { .. } => "The value would not fit into the answer of a later GET",
            ApiError::LevelUnavailable { .. } => "A cache level this operation needs cannot be reached; try again",
            ApiError::OutOfTime => "There is more to count than one request has time for; nothing was removed",
            ApiError::Unanswered => "The operation did not end in time, and may have happened; try again",
            ApiError::Contended => "Other changes of this key kept getting in first; try again",
            ApiError::Undo(UndoRefusal::Unknown) => "There is no such invalidation that this token may undo",
            ApiError::Undo(UndoRefusal::Expired { .. }) => "The time in which it could be undone is over",
            ApiError::Undo(UndoRefusal::Open) => {
                "It, or an older invalidation, has not removed everything yet; try again"
            }
            ApiError::Undo(UndoRefusal::Unfinished) => "There is more to bring back; send the request again to go on",
            ApiError::Internal(_) => "An internal error occurred",
        })
    }

    /// The details for the client.
    fn details(&self) -> Value {
        match self {
            ApiError::KeyNotFound { key, searched, .. } => {
                json!({"key": key.as_str(), "searched_levels": searched.names()})
            }
            ApiError::KeyToFill { key, searched, fill, .. } => {
                json!({"key": key.as_str(), "searched_levels": searched.names(), "fill": fill.to_json()})
            }
            ApiError::JobNotFound(id) => json!({"job_id": id}),
            ApiError::Invalid(problems) | ApiError::Unprocessable(problems) => json!({"errors": problems}),
            ApiError::Unauthorized(denial) => json!({"reason": denial.reason()}),
            ApiError::ScopeMissing(scope) => json!({"required_scope": scope.name()}),
            ApiError::KeyForbidden(key) => json!({"key": key.as_str()}),
            ApiError::PatternForbidden(pattern) => json!({ "pattern": pattern }),
            ApiError::PrefixForbidden(prefix) => json!({ "prefix": prefix }),
            ApiError::EntryTooLarge { size_bytes, max_bytes } => {
                json!({"size_bytes": size_bytes, "max_size_bytes": max_bytes})
            }
            ApiError::AnswerTooLarge { answer_bytes, max_bytes } => {
                json!({"answer_bytes": answer_bytes, "max_answer_bytes": max_bytes})
            }
            ApiError::TooManyMatches { matched } => json!({"matched_count": matched}),
            ApiError::RateLimited(standing) => json!({
                "limit": standing.class.name(),
                "max_requests": standing.limit,
                "window_seconds": WINDOW_SECONDS,
                "retry_after_seconds": standing.reset_seconds,
            }),
            ApiError::QuotaExceeded { quota, used, limit } => json!({"quota": quota, "used": used, "limit": limit}),
            ApiError::LevelUnavailable { level, .. } => json!({"level": level.name()}),
            ApiError::Undo(UndoRefusal::Expired { until_ms }) => json!({"undo_until": Timestamp::floor(*until_ms)}),
            ApiError::RouteNotFound
            | ApiError::Confined
            | ApiError::UnsupportedMediaType(_)
            | ApiError::LeaseLost
            | ApiError::PreconditionFailed
            | ApiError::OutOfTime
            | ApiError::Unanswered
            | ApiError::Contended
            | ApiError::Undo(_)
            | ApiError::Internal(_) => json!({}),
        }
    }

    /// The cause for the log, where the code alone does not say it.
    pub fn cause(&self) -> Option<String> {
        match self {
            ApiError::Unauthorized(denial) => Some(denial.cause().to_owned()),
            ApiError::LevelUnavailable { cause, .. } | ApiError::Internal(cause) => Some(chain(&**cause)),
            _ => None,
        }
    }

    /// What the answer says of it: the contract's `error`.
    pub fn body<'a>(&self, request_id: &'a str, now_ms: i64) -> impl Serialize + use<'a> {
        Shape {
            code: self.class().1,
            message: self.message(),
            details: self.details(),
            timestamp: Timestamp::floor(now_ms),
            request_id,
        }
    }
}

#[derive(Serialize)]
struct Shape<'a> {
    code: &'static str,
    message: Cow<'static, str>,
    details: Value,
    timestamp: Timestamp,
    request_id: &'a str,
}

fn invalid_message(problems: &[Problem]) -> Cow<'static, str> {
    match problems {
        [only] => Cow::Owned(only.to_string()),
        _ => Cow::Borrowed("The request has several problems; see details.errors"),
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn StdError) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ").replace(['\n', '\r'], " ")
}
