//! Why a token is refused.

use std::fmt;

use jsonwebtoken::errors::{Error, ErrorKind};

/// Why a token is refused; for the log and for tests, never for the caller, except for [`Refusal::Expired`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not `Bearer` and one token.
    NotBearer,
    /// No JWT, or one whose header cannot be read (as with `"alg":"none"`).
    Malformed,
    /// The header demands an extension (`crit`); there is none that is known here.
    CriticalHeader,
    /// An algorithm for which this deployment has no key, or another one than the key's.
    Algorithm,
    /// The issuer has no such key.
    UnknownKey,
    /// The signature is not the key's.
    Signature,
    /// After `exp`, and otherwise good.
    Expired,
    /// Before `nbf` or `iat`.
    NotYetValid,
    /// Another issuer.
    Issuer,
    /// For another audience.
    Audience,
    /// A claim is missing, empty, too long or of the wrong type.
    Claims,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::InvalidToken | ErrorKind::Base64(_) => Self::Malformed,
            _ => Self::Claims,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBearer => "no bearer token",
            Self::Malformed => "not a readable JWT",
            Self::CriticalHeader => "unknown critical header",
            Self::Algorithm => "algorithm without a key",
            Self::UnknownKey => "unknown key",
            Self::Signature => "wrong signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not yet valid",
            Self::Issuer => "wrong issuer",
            Self::Audience => "wrong audience",
            Self::Claims => "claim missing, too long or of the wrong type",
        })
    }
}

impl std::error::Error for Refusal {}
