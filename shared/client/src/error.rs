//! What can go wrong, by the questions that callers ask.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::{fmt, time::Duration};

/// Why an operation did not succeed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The API refused the request, or failed at it.
    Api(Box<ApiError>),
    /// The client was set up, or the request put together, in a way that cannot be sent. Nothing was sent.
    Invalid(String),
    /// There was no connection. Nothing was sent.
    Unreachable(String),
    /// The connection broke before the whole answer was there.
    Broken(String),
    /// There was no whole answer within the time for one.
    Timeout(Duration),
    /// The answer is none of this API: another server answered, or another version of it.
    Protocol {
        /// The answer's status.
        status: u16,
        /// What was not understood.
        message: String,
        /// The answer's `x-request-id`.
        request_id: Option<String>,
    },
}

/// What the API says of a request that it refused, or failed at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The contract's code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// What the code's details are: `errors` names every field that is wrong.
    pub details: Value,
    /// That of the server's log line.
    pub request_id: String,
    /// When to try again, counted from the answer.
    pub retry_after: Option<Duration>,
    /// What came with a miss that granted a lease.
    pub(crate) fill_token: Option<String>,
}

/// The contract's error, as it is sent.
#[derive(Deserialize)]
pub(crate) struct Said {
    pub(crate) code: Code,
    message: String,
    #[serde(default)]
    details: Value,
    request_id: String,
}

impl Said {
    /// What was said, with this status.
    pub(crate) fn at(self, status: u16, retry_after: Option<Duration>) -> ApiError {
        let Said { code, message, details, request_id } = self;
        ApiError { status, code, message, details, request_id, retry_after, fill_token: None }
    }
}

macro_rules! codes {
    ($($name:ident = $text:literal: $doc:literal,)*) => {
        /// The contract's error codes.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $doc] $name,)*
            /// One that this version of the client does not know.
            Other(String),
        }

        impl Code {
            /// As the API writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Code::$name => $text,)*
                    Code::Other(text) => text,
                }
            }
        }

        impl From<String> for Code {
            fn from(text: String) -> Code {
                match text.as_str() {
                    $($text => Code::$name,)*
                    _ => Code::Other(text),
                }
            }
        }
    };
}

codes! {
    CacheKeyNotFound = "CACHE_KEY_NOT_FOUND": "404: there is no live entry with this key.",
    EntryTooLarge = "ENTRY_TOO_LARGE": "413: too large to be stored, to be answered later, or to be taken.",
    Forbidden = "FORBIDDEN": "403: the token lacks a scope, or the key lies outside its prefixes.",
    InternalError = "INTERNAL_ERROR": "500, 502, 504: a mistake of the server, or no answer in time.",
    InvalidRequest = "INVALID_REQUEST": "400: what cannot be read; `details.errors` names every field.",
    JobNotFound = "JOB_NOT_FOUND": "404: there is no such job, none that the token may see, or it is forgotten.",
    LevelUnavailable = "LEVEL_UNAVAILABLE": "503: a level this needs cannot be reached, or others kept changing the key.",
    MethodNotAllowed = "METHOD_NOT_ALLOWED": "405: the path has no such method.",
    LeaseLost = "LEASE_LOST": "412: the key may have been touched since the miss of the token.",
    PreconditionFailed = "PRECONDITION_FAILED": "412: the condition does not hold.",
    QuotaExceeded = "QUOTA_EXCEEDED": "429: the API key has as much of something as it may; `details` says of what.",
    RateLimited = "RATE_LIMITED": "429: a limit is reached. Nothing was done.",
    RouteNotFound = "ROUTE_NOT_FOUND": "404: there is no such path.",
    TooManyMatches = "TOO_MANY_MATCHES": "409: more match than `max_affected`; nothing was removed.",
    Unauthorized = "UNAUTHORIZED": "401: the token is missing, wrong or expired.",
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE": "415: the body has a coding that is not known.",
    ValidationFailed = "VALIDATION_FAILED": "422: values that are not allowed; `details.errors` names every one.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        String::deserialize(deserializer).map(Code::from)
    }
}

impl Error {
    /// What the API said, if it did.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Error::Api(said) => Some(said),
            _ => None,
        }
    }

    /// The contract's code, if the API answered.
    pub fn code(&self) -> Option<&Code> {
        self.api().map(|said| &said.code)
    }

    /// The id under which the server has logged the request.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Error::Api(said) => Some(&said.request_id),
            Error::Protocol { request_id, .. } => request_id.as_deref(),
            _ => None,
        }
    }

    /// When to try again, where the server has said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api().and_then(|said| said.retry_after)
    }

    /// Whether what was asked for may have been done all the same.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Error::Api(said) => said.status >= 500,
            Error::Invalid(_) | Error::Unreachable(_) => false,
            Error::Broken(_) | Error::Timeout(_) => true,
            Error::Protocol { status, .. } => *status < 400 || *status >= 500,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Api(said) => said.fmt(f),
            Error::Invalid(why) => f.write_str(why),
            Error::Unreachable(why) => write!(f, "no connection: {why}"),
            Error::Broken(why) => write!(f, "the connection broke before the answer was there: {why}"),
            Error::Timeout(after) => write!(f, "no answer within {} s", after.as_secs_f64()),
            Error::Protocol { status, message, .. } => {
                write!(f, "this is no answer of the cache management API (status {status}): {message}")
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for problem in self.details["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
            write!(f, "; {} {}", text("field"), text("message"))?;
        }
        if let Some(scope) = self.details["required_scope"].as_str() {
            write!(f, "; the token needs the scope {scope}")?;
        }
        write!(f, " (request {})", self.request_id)
    }
}

impl std::error::Error for Error {}
